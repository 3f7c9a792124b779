"""Examples for the OpenAPI document, which work on the demo data of `clinic seed demo`.

The ids of what the demo makes derive from its Idempotency-Keys, so they are the same in every clinic. Its
appointments leave the times of the examples free, in both of its weeks.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.command_resource import CommandResource
from contracts.fields import rfc3339
from contracts.refusals import DETAILS, Reason
from ingress.availability.first_free import FirstFreeList
from ingress.availability.routes import AvailabilityView
from ingress.booking.routes import BookBody, OutcomeBody, RescheduleBody
from ingress.booking.views import AppointmentList, AppointmentView, HistoryList
from ingress.calendar_links.routes import CalendarLinkView, MadeCalendarLinkView
from ingress.doctors.reads import DoctorList, DoctorView, ScheduleView
from ingress.doctors.routes import RegisterBody, ScheduleBody, UpdateBody
from ingress.doctors.time_off import TimeOffBody
from ingress.openapi import patient_examples
from ingress.openapi.calendar_examples import calendar_examples
from ingress.openapi.login_examples import LOGIN, SOME_ID, example, page
from ingress.openapi.staff_examples import STAFF
from ingress.pages.clinic import ClinicView

Json = dict[str, Any]

DOCTOR_ID = "d3f7b18e-882c-5623-90b3-0265bbc72db2"
OTHER_DOCTOR_ID = "327dc387-d00b-5b72-ad3d-eaafed337df1"
APPOINTMENT_ID = "80b4939e-9a4c-5bce-b61f-276ce26bd75e"
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
# For things that the demo data does not have.
RECEIPT = "AAEAAGoB3k"
# The name space of keys of requests (RFC 9562, version 5).
KEYS = UUID("7c4a8d09-ca37-4e1b-9f3a-5b0c2f1e6d21")
PATH_PARAMETERS = {
    "doctor_id": "id of the doctor",
    "appointment_id": "id of the appointment",
    "patient_id": "id of the patient",
    "time_off_id": "id of the time off",
    "session_id": "id of the login",
    "passkey_id": "id of the passkey",
    "receipt": "the last part of `Location` in the answer to a write",
}
"""Descriptions of those that mean the same wherever they are."""
FEED_URL = "https://clinic.example.org/v1/feeds/6KvJ0mZl3n1ZB2xqkXw7yQm2c5m9m4y8J0q1Zr3uTtE.ics"
CLINIC = {
    "name": "Clinic",
    "phone": "+49 30 555 0100",
    "address": "Main Street 1, 10115 Berlin",
    "time_zone": "Europe/Berlin",
    "languages": ["en", "de"],
    "accent_colour": "#0b5cad",
    "demo": False,
    "passkey_origin": "https://clinic.example.org",
}


def parameters(monday: date) -> Json:
    """The values of parameters, by name."""
    return {
        "doctor_id": DOCTOR_ID,
        "appointment_id": APPOINTMENT_ID,
        "time_off_id": SOME_ID,
        "visit_type": "checkup",
        "specialty": "General practice",
        "email": patient_examples.EMAIL,
        "from": monday.isoformat(),
        "to": (monday + timedelta(days=4)).isoformat(),
        "after": f"{monday.isoformat()}T12:00:00+01:00",
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
        "reason": "A cough that does not go away.",
    }
    slot = {"starts_at": booked["starts_at"], "ends_at": booked["ends_at"]}
    days = [{"date": str(monday + timedelta(days=1)), "slots": [slot]}]
    time_off = {"starts_at": at(4, 16), "ends_at": at(4, 18)}
    availability = {
        "doctor_id": DOCTOR_ID,
        "time_zone": zone.key,
        "visit_type": "checkup",
        "from": days[0]["date"],
        "to": days[0]["date"],
        "days": days,
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
    by_model: dict[type[BaseModel], Json] = {
        BookBody: {
            "a check-up": {"value": wanted, "summary": "A patient's, for themselves."},
            "with a reason": {"value": wanted | {"reason": "A cough that does not go away."}},
        },
        RescheduleBody: {
            "another time": {"value": {"starts_at": at(1, 10, VISIT_MINUTES)}},
            "another doctor": {"value": {"starts_at": at(2, 11, 30), "doctor_id": OTHER_DOCTOR_ID}},
        },
        OutcomeBody: example({"outcome": "completed"}),
        RegisterBody: example(
            {"name": "Dr. Ines Aalto", "specialty": "Neurology", "visit_types": [CHECKUP], "policy": POLICY}
        ),
        UpdateBody: example({"specialty": "General practice", "policy": {"max_active_per_patient": 4}}),
        ScheduleBody: example({"hours": HOURS}),
        TimeOffBody: example(time_off | {"note": "Conference"}),
        CommandResource: _commands(at(-7, 9)),
        AppointmentView: example(booked),
        AppointmentList: page(booked),
        HistoryList: page(history),
        DoctorView: example(DOCTOR),
        DoctorList: page(DOCTOR),
        ScheduleView: example({"doctor_id": DOCTOR_ID, "time_zone": zone.key, "hours": HOURS}),
        AvailabilityView: example(availability),
        FirstFreeList: page({"doctor": DOCTOR, "visit_type": "checkup", "slots": [slot]}),
        ClinicView: example(CLINIC),
        **calendar_examples(booked, slot, time_off, zone),
        CalendarLinkView: example({"made_at": at(-7, 9)}),
        MadeCalendarLinkView: example({"url": FEED_URL, "made_at": at(-7, 9)}),
        **LOGIN,
        **patient_examples.patient_examples(booked, history),
        **STAFF,
    }
    return {model.__name__: shown for model, shown in by_model.items()}


def _commands(submitted_at: str) -> Json:
    pending = {
        "command_id": SOME_ID,
        "type": "BookAppointment",
        "state": "pending",
        "submitted_at": submitted_at,
        "appointment_id": APPOINTMENT_ID,
        "doctor_id": DOCTOR_ID,
        **dict.fromkeys(("decided_at", "queue_ahead", "time_off_id", "refusal")),
        "links": {"self": f"/v1/commands/{RECEIPT}", "appointment": f"/v1/appointments/{APPOINTMENT_ID}"},
        "receipt": RECEIPT,
    }
    decided = pending | {"decided_at": submitted_at}
    refusal = {"reason": str(Reason.SLOT_TAKEN), "detail": DETAILS[Reason.SLOT_TAKEN]}
    return {
        "pending": {"value": pending},
        "confirmed": {"value": decided | {"state": "confirmed"}},
        "refused": {"value": decided | {"state": "refused", "refusal": refusal}},
    }
