"""Small handmade histories: the requests, the records on the topics, and the answers.

A story is consistent; a test changes one part of it and says what the checker must find.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.topics import ADA, BEN, Ask, Data, Deed, Topics, text

DAY = "2030-01-14"
WEEK = {"hours": [{"weekday": day, "starts": "09:00", "ends": "12:00"} for day in range(1, 6)]}
# Minutes of the visit, of the buffer before it and of the one after it.
KINDS = {"checkup": (30, 0, 0), "surgery": (30, 15, 15)}
POLICY = {
    "slot_minutes": 15,
    "min_notice_minutes": 60,
    "horizon_days": 90,
    "change_notice_minutes": 120,
    "max_active_per_patient": 3,
}
DURATIONS = ("minutes", "buffer_before_minutes", "buffer_after_minutes")
VALUES: Data = {
    "name": "A. Doctor",
    "specialty": "surgery",
    "time_zone": "UTC",
    "policy": POLICY,
    "visit_types": [{"code": code, **dict(zip(DURATIONS, KINDS[code], strict=True))} for code in KINDS],
}


def at(clock: str) -> str:
    """A time on the day of the visits."""
    return f"{DAY}T{clock}:00Z"


def placed(doctor: str, kind: str, starts_at: str, zone: str = "UTC") -> Data:
    """The time and place of a visit, as in events."""
    starts = datetime.fromisoformat(starts_at)
    length, before, after = (timedelta(minutes=minutes) for minutes in KINDS[kind])
    times = {"starts_at": starts, "ends_at": starts + length}
    times |= {"occupied_from": starts - before, "occupied_until": starts + length + after}
    shown = {name: text(when) for name, when in times.items()}
    promised_start = f"{starts.astimezone(ZoneInfo(zone)).isoformat()}[{zone}]"
    return {"doctor_id": doctor, "visit_type": kind, "promised_start": promised_start, **shown}


class Story(Topics):
    """A clinic with two doctors, each in a partition of its own, open on weekdays from 9 to 12, UTC.

    Attributes:
        shown: the appointments as reads show them now, by id.
        zones: the time zones of doctors that were changed, by id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, Data] = {}
        self.zones: dict[str, str] = {}
        for doctor in (ADA, BEN):
            self.register(doctor)
        for doctor in (ADA, BEN):
            self.set_hours(doctor)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.passed += timedelta(**time)

    def register(self, doctor: str, refused: str | None = None) -> Deed:
        """Register a doctor."""
        ask = Ask(STAFF, "POST", "/v1/doctors", {"id": doctor, **VALUES})
        facts = [("DoctorRegistered", {"doctor_id": doctor, "active": True, **VALUES})]
        return self.act("RegisterDoctor", ask, VALUES, facts, doctor, refused)

    def update(self, doctor: str, **changes: Any) -> Deed:
        """Change a doctor's values."""
        ask = Ask(STAFF, "PATCH", f"/v1/doctors/{doctor}", changes)
        facts = [("DoctorUpdated", {"doctor_id": doctor, "active": True, **VALUES, **changes})]
        self.zones[doctor] = changes.get("time_zone", "UTC")
        return self.act("UpdateDoctor", ask, changes, facts, doctor)

    def set_hours(self, doctor: str, hours: Data = WEEK, refused: str | None = None) -> Deed:
        """Set a doctor's weekly hours."""
        ask = Ask(STAFF, "PUT", f"/v1/doctors/{doctor}/schedule", hours)
        facts = [("WeeklyHoursSet", {"doctor_id": doctor, **hours})]
        return self.act("SetWeeklyHours", ask, hours, facts, doctor, refused)

    def book(
        self,
        patient: str,
        clock: str,
        doctor: str = ADA,
        kind: str = "checkup",
        refused: str | None = None,
        by: str | None = None,
    ) -> Deed:
        """A booking by the patient or by staff."""
        visit, id_ = placed(doctor, kind, at(clock), self.zones.get(doctor, "UTC")), self.new_id()
        asked = {name: visit[name] for name in ("doctor_id", "visit_type", "starts_at")}
        body = asked | ({"patient_id": patient} if by == STAFF else {})
        whose = {"appointment_id": id_, "patient_id": patient}
        booked = whose | visit | {"version": 1, "reason": None}
        ask = Ask(by or patient, "POST", "/v1/appointments", body)
        facts = [("AppointmentBooked", booked)]
        deed = self.act("BookAppointment", ask, whose | asked, facts, doctor, refused)
        if refused is None:
            new = {"id": id_, "status": "booked", "booked_at": text(deed.command.at)}
            self.shown[id_] = _of_appointment(booked) | new | {"cancelled_by": None, "cancel_reason": None}
        return deed

    def move(
        self,
        booked: Deed,
        clock: str,
        doctor: str | None = None,
        refused: str | None = None,
        by: str | None = None,
    ) -> Deed:
        """The patient moves a visit to another time, perhaps to another doctor."""
        id_, before = _id(booked), self.shown[_id(booked)]
        asked = {"starts_at": at(clock)} | ({"doctor_id": doctor} if doctor else {})
        visit = placed(doctor or before["doctor_id"], before["visit_type"], at(clock))
        previous = {name: before[name] for name in ("doctor_id", "visit_type", "starts_at", "ends_at")}
        previous["promised_start"] = f"{datetime.fromisoformat(before['starts_at']).isoformat()}[UTC]"
        moved = {"appointment_id": id_, "patient_id": before["patient_id"], "previous": previous}
        moved |= visit | {"version": before["version"] + 1}
        ask = Ask(by or before["patient_id"], "POST", f"/v1/appointments/{id_}/reschedule", asked)
        facts = [("AppointmentRescheduled", moved)]
        data = {"appointment_id": id_, **asked}
        deed = self.act("RescheduleAppointment", ask, data, facts, visit["doctor_id"], refused)
        if refused is None:
            before |= _of_appointment(moved)
        return deed

    def cancel(self, booked: Deed, by: str = STAFF, refused: str | None = None) -> Deed:
        """A cancellation by staff or the patient. A repeated one is confirmed and changes nothing."""
        id_, before = _id(booked), self.shown[_id(booked)]
        facts = [("CommandConfirmed", {"appointment_id": id_})]
        if before["status"] != "cancelled":
            facts = [
                self._cancelled(id_, STAFF if by == STAFF else "patient", None, keep=refused is not None)
            ]
        ask = Ask(by, "DELETE", f"/v1/appointments/{id_}")
        return self.act(
            "CancelAppointment", ask, {"appointment_id": id_}, facts, before["doctor_id"], refused
        )

    def complete(self, booked: Deed, refused: str | None = None) -> Deed:
        """Record that the visit took place."""
        id_, before = _id(booked), self.shown[_id(booked)]
        names = ("doctor_id", "patient_id", "version")
        outcome = {"appointment_id": id_, "outcome": "completed", **{name: before[name] for name in names}}
        outcome |= {"version": before["version"] + 1, "previous_status": "booked"}
        ask = Ask(STAFF, "POST", f"/v1/appointments/{id_}/outcome", {"outcome": "completed"})
        data = {"appointment_id": id_, "outcome": "completed"}
        facts = [("OutcomeRecorded", outcome)]
        if refused is None:
            before["status"] = "completed"
        return self.act("RecordOutcome", ask, data, facts, before["doctor_id"], refused)

    def block(
        self, begins: str, ends: str, cancels: tuple[Deed, ...] = (), refused: str | None = None
    ) -> Deed:
        """Time off for Dr Ada; visits in it are cancelled if that is requested."""
        body = {"starts_at": at(begins), "ends_at": at(ends), "cancel_conflicting": bool(cancels)}
        data = {"time_off_id": self.new_id(), **body}
        away = {name: data[name] for name in ("time_off_id", "starts_at", "ends_at")}
        gone = [self._cancelled(_id(deed), "clinic", "time_off") for deed in cancels]
        ask = Ask(STAFF, "POST", f"/v1/doctors/{ADA}/time-off", body)
        return self.act("BlockTime", ask, data, [("TimeBlocked", away | {"note": None}), *gone], ADA, refused)

    def unblock(self, blocked: Deed, refused: str | None = None) -> Deed:
        """Remove her time off."""
        names = ("time_off_id", "starts_at", "ends_at")
        away = {name: blocked.command.data[name] for name in names}
        data = {"time_off_id": away["time_off_id"]}
        ask = Ask(STAFF, "DELETE", f"/v1/doctors/{ADA}/time-off/{data['time_off_id']}")
        return self.act("UnblockTime", ask, data, [("TimeUnblocked", away)], ADA, refused)

    def _cancelled(self, id_: str, by: str, reason: str | None, keep: bool = False) -> tuple[str, Data]:
        before, who = self.shown[id_], {"cancelled_by": by, "cancel_reason": reason}
        visit = placed(before["doctor_id"], before["visit_type"], before["starts_at"])
        after = {"patient_id": before["patient_id"], "version": before["version"] + 1, **visit}
        if not keep:
            before |= {"status": "cancelled", "version": before["version"] + 1, **who}
        return "AppointmentCancelled", {"appointment_id": id_, **after, **who}


def _id(booked: Deed) -> str:
    return str(booked.outcome["appointment_id"])


def _of_appointment(fact: Data) -> Data:
    names = ("doctor_id", "patient_id", "visit_type", "starts_at", "ends_at", "version")
    return {name: fact[name] for name in names}
