"""Examples for the OpenAPI document, which work on the demo data of `clinic seed demo`.

The ids of what the demo makes derive from its Idempotency-Keys, so they are the same in every clinic. Its
appointments leave the times used here free, in both of its weeks.
"""

from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from contracts.fields import rfc3339
from contracts.refusals import DETAILS, Reason
from ingress.problems import MEANINGS, STATUS, Code

Json = dict[str, Any]

DOCTOR_ID = "d3f7b18e-882c-5623-90b3-0265bbc72db2"
OTHER_DOCTOR_ID = "327dc387-d00b-5b72-ad3d-eaafed337df1"
APPOINTMENT_ID = "80b4939e-9a4c-5bce-b61f-276ce26bd75e"
PATIENT_EMAIL = "ada.keller@example.com"
VISIT_MINUTES = 30

CHECKUP = {"code": "checkup", "name": "Check-up", "minutes": VISIT_MINUTES}
BUFFERS = {"buffer_before_minutes": 0, "buffer_after_minutes": 0}
POLICY = {
    "slot_minutes": VISIT_MINUTES,
    "min_notice_minutes": 60,
    "horizon_days": 90,
    "change_notice_minutes": 120,
    "max_active_per_patient": 3,
}
DOCTOR = {
    "id": DOCTOR_ID,
    "name": "Dr. Hanna Weiss",
    "specialty": "General practice",
    "time_zone": "Europe/Berlin",
    "active": True,
    "visit_types": [CHECKUP | BUFFERS],
    "policy": POLICY,
}
HOURS = [{"weekday": day, "starts": "09:00", "ends": "12:00"} for day in range(1, 6)]
# Of things that the demo does not make.
SOME_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
RECEIPT = "AAEAAGoB3k"
PATIENT = {
    "id": SOME_ID,
    "email": PATIENT_EMAIL,
    "name": "Ada Keller",
    "phone": "+49301234567",
    "language": "en",
    "channel": "mail",
    "reminders": True,
    "created_at": "2026-11-25T09:00:00+01:00",
}


def problem(code: Code) -> Json:
    """The body of an error."""
    status = STATUS[code]
    shown = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": str(code),
        "detail": MEANINGS[code],
    }
    if code is Code.INVALID_FIELDS:
        error = {"pointer": "/starts_at", "code": "instant", "detail": "There is no such date and time"}
        shown["errors"] = [error]
    return shown


def parameters(monday: date) -> Json:
    """The values of parameters, by name."""
    return {
        "doctor_id": DOCTOR_ID,
        "appointment_id": APPOINTMENT_ID,
        "time_off_id": SOME_ID,
        "visit_type": "checkup",
        "specialty": "General practice",
        "email": PATIENT_EMAIL,
        "from": monday.isoformat(),
        "to": (monday + timedelta(days=4)).isoformat(),
    }


def bodies(monday: date, zone: ZoneInfo) -> dict[str, Json]:
    """Examples by the name of their schema: by the name of the example, with `value`."""

    def at(days: int, hour: int, minute: int = 0) -> str:
        return rfc3339(datetime.combine(monday + timedelta(days=days), time(hour, minute), zone))

    booked = {
        "id": APPOINTMENT_ID,
        "doctor_id": DOCTOR_ID,
        "patient_id": SOME_ID,
        "visit_type": "checkup",
        "starts_at": at(1, 10),
        "ends_at": at(1, 10, VISIT_MINUTES),
        "status": "booked",
        "version": 1,
        "booked_at": at(-7, 9),
        "cancelled_by": None,
        "cancel_reason": None,
    }
    slot = {"starts_at": booked["starts_at"], "ends_at": booked["ends_at"]}
    days = [{"date": str(monday + timedelta(days=1)), "slots": [slot]}]
    away = {"starts_at": at(4, 16), "ends_at": at(4, 18)}
    availability = {
        "doctor_id": DOCTOR_ID,
        "time_zone": zone.key,
        "visit_type": "checkup",
        "from": days[0]["date"],
        "to": days[0]["date"],
        "days": days,
    }
    calendar = {
        "doctor_id": DOCTOR_ID,
        "time_zone": zone.key,
        "appointments": [booked | {"outside_hours": False}],
        "time_off": [{"id": SOME_ID, **away, "note": "Conference"}],
        "free": [slot],
    }
    happened = dict.fromkeys(("outcome", "cancelled_by", "cancel_reason", "refusal"))
    history = {
        "event": "AppointmentBooked",
        "at": booked["booked_at"],
        "actor": "patient",
        "version": 1,
        "doctor_id": DOCTOR_ID,
        "visit_type": "checkup",
        "command_id": SOME_ID,
        "audit": {"partition": 3, "number": 17, "hash": "0f" * 32},
        **(slot | happened),
    }
    wanted = {"doctor_id": DOCTOR_ID, "starts_at": booked["starts_at"], "visit_type": "checkup"}
    return {
        "BookBody": {
            "a check-up": {"value": wanted, "summary": "A patient's, for themselves."},
            "with a reason": {"value": wanted | {"reason": "A cough that does not go away."}},
        },
        "RescheduleBody": {
            "another time": {"value": {"starts_at": at(1, 10, VISIT_MINUTES)}},
            "another doctor": {"value": {"starts_at": at(2, 11, 30), "doctor_id": OTHER_DOCTOR_ID}},
        },
        "OutcomeBody": _one({"outcome": "completed"}),
        "RegisterBody": _one(
            {"name": "Dr. Ines Aalto", "specialty": "Neurology", "visit_types": [CHECKUP], "policy": POLICY}
        ),
        "UpdateBody": _one({"specialty": "General practice", "policy": {"max_active_per_patient": 4}}),
        "ScheduleBody": _one({"hours": HOURS}),
        "TimeOffBody": _one(away | {"note": "Conference"}),
        "PatientBody": _one({"email": "new.patient@example.com", "name": "Nora Patient", "language": "de"}),
        "ProfileChange": {
            "text messages": {"value": {"phone": "+49301234567", "channel": "sms"}},
            "no more reminders": {"value": {"reminders": False}},
        },
        "CommandResource": _commands(at(-7, 9)),
        "AppointmentView": _one(booked),
        "AppointmentList": _page(booked),
        "HistoryList": _page(history),
        "DoctorView": _one(DOCTOR),
        "DoctorList": _page(DOCTOR),
        "ScheduleView": _one({"doctor_id": DOCTOR_ID, "time_zone": zone.key, "hours": HOURS}),
        "AvailabilityView": _one(availability),
        "CalendarView": _one(calendar),
        "PatientView": _one(PATIENT),
        "PatientList": _page(PATIENT),
    }


def _commands(submitted_at: str) -> Json:
    pending = {
        "command_id": SOME_ID,
        "type": "BookAppointment",
        "state": "pending",
        "submitted_at": submitted_at,
        "decided_at": None,
        "queue_ahead": None,
        "appointment_id": APPOINTMENT_ID,
        "doctor_id": DOCTOR_ID,
        "time_off_id": None,
        "refusal": None,
        "links": {"self": f"/v1/commands/{RECEIPT}", "appointment": f"/v1/appointments/{APPOINTMENT_ID}"},
    }
    decided = pending | {"decided_at": submitted_at}
    refusal = {"reason": str(Reason.SLOT_TAKEN), "detail": DETAILS[Reason.SLOT_TAKEN]}
    return {
        "pending": {"value": pending},
        "confirmed": {"value": decided | {"state": "confirmed"}},
        "refused": {"value": decided | {"state": "refused", "refusal": refusal}},
    }


def _one(value: Json) -> Json:
    return {"example": {"value": value}}


def _page(item: Json) -> Json:
    return _one({"items": [item], "next_cursor": None})
