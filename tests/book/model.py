"""A model of the booking rules, one command at a time, from the contract alone; nothing of the product.

Slow and simple on purpose. Instants are UTC. An answer is `confirmed` or the reason of the refusal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.book.practice import MINUTE, Doctor, Hours, Span, overlap

CONFIRMED = "confirmed"
STAFF = "staff"
DAY = timedelta(days=1)
OUTCOMES = ("completed", "no_show")


@dataclass(frozen=True)
class Appointment:
    doctor: str
    patient: str
    visit_type: str
    visit: Span
    occupied: Span
    booked_at: datetime
    status: str = "booked"
    version: int = 1
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    time_zone: str = "UTC"

    @property
    def corrected_until(self) -> datetime:
        """The end of the day after the visit's, in the doctor's zone when it was booked or moved."""
        zone = ZoneInfo(self.time_zone)
        return datetime.combine(self.visit[0].astimezone(zone).date() + 2 * DAY, time(), zone).astimezone(UTC)


class Book:
    """All decisions so far. An actor is the id of a patient, or `STAFF`."""

    def __init__(self) -> None:
        self.doctors: dict[str, Doctor] = {}
        self.appointments: dict[str, Appointment] = {}

    def register(self, id_: str, doctor: Doctor) -> str:
        if id_ in self.doctors:
            return "already_registered"
        self.doctors[id_] = doctor
        return CONFIRMED

    def update(self, id_: str, changes: dict[str, Any]) -> str:
        if id_ not in self.doctors:
            return "unknown_doctor"
        policy = replace(self.doctors[id_].policy, **changes.get("policy", {}))
        self.doctors[id_] = replace(self.doctors[id_], **{**changes, "policy": policy})
        return CONFIRMED

    def set_hours(self, id_: str, hours: tuple[Hours, ...]) -> str:
        if id_ not in self.doctors:
            return "unknown_doctor"
        for number, entry in enumerate(hours):
            for other in hours[:number]:
                at_once = entry.starts < other.ends and other.starts < entry.ends
                first = max(entry.valid_from, other.valid_from)
                last = min(entry.valid_until, other.valid_until)
                if entry.weekday == other.weekday and at_once and first <= last:
                    return "overlapping_hours"
        return self.update(id_, {"hours": hours})

    def block(self, id_: str, time_off: str, when: Span, cancel_conflicting: bool, now: datetime) -> str:
        if id_ not in self.doctors:
            return "unknown_doctor"
        if when[1] <= now:
            return "in_the_past"
        to_come = [
            (key, appointment.visit)
            for key, appointment in self._booked(doctor=id_)
            if appointment.visit[1] > now
        ]
        in_the_way = [key for key, visit in to_come if overlap(visit, when)]
        if in_the_way and not cancel_conflicting:
            return f"conflicts_with_bookings {len(in_the_way)}"
        for key in in_the_way:
            self._cancel(key, "clinic", "time_off")
        self.doctors[id_].time_off[time_off] = when
        return CONFIRMED

    def unblock(self, id_: str, time_off: str) -> str:
        if id_ not in self.doctors:
            return "unknown_doctor"
        if self.doctors[id_].time_off.pop(time_off, None) is None:
            return "unknown_time_off"
        return CONFIRMED

    def book(
        self, actor: str, id_: str, patient: str, doctor: str, code: str, starts: datetime, now: datetime
    ) -> str:
        if actor not in (STAFF, patient):
            return "not_yours"
        times = self._place(doctor, code, starts)
        if isinstance(times, str):
            return times
        if why := self._why_not(actor, patient, doctor, *times, now, moving=None):
            return why
        zone = self.doctors[doctor].time_zone
        self.appointments[id_] = Appointment(doctor, patient, code, *times, booked_at=now, time_zone=zone)
        return CONFIRMED

    def reschedule(
        self, actor: str, id_: str, starts: datetime, now: datetime, doctor: str | None, code: str | None
    ) -> str:
        if why := self._why_not_change(actor, id_, now):
            return why
        before = self.appointments[id_]
        doctor, code = doctor or before.doctor, code or before.visit_type
        if (doctor, code, starts) == (before.doctor, before.visit_type, before.visit[0]):
            return CONFIRMED
        times = self._place(doctor, code, starts)
        if isinstance(times, str):
            return times
        if why := self._why_not(actor, before.patient, doctor, *times, now, moving=id_):
            return why
        visit, occupied = times
        zone = self.doctors[doctor].time_zone
        moved = replace(
            before, doctor=doctor, visit_type=code, visit=visit, occupied=occupied, time_zone=zone
        )
        self.appointments[id_] = replace(moved, version=before.version + 1)
        return CONFIRMED

    def cancel(self, actor: str, id_: str, now: datetime, reason: str | None) -> str:
        appointment = self.appointments.get(id_)
        if appointment and appointment.status == "cancelled" and actor in (STAFF, appointment.patient):
            return CONFIRMED
        if why := self._why_not_change(actor, id_, now):
            return why
        self._cancel(id_, "staff" if actor == STAFF else "patient", reason)
        return CONFIRMED

    def record_outcome(self, id_: str, outcome: str, now: datetime) -> str:
        before = self.appointments.get(id_)
        if before and before.status in OUTCOMES:
            if before.status == outcome:
                return CONFIRMED
            if now >= before.corrected_until:
                return "too_late_to_change"
        elif why := self._why_not_change(STAFF, id_, now):
            return why
        assert before is not None, "else it is unknown"
        if now < before.visit[0]:
            return "not_started"
        self.appointments[id_] = replace(before, status=outcome, version=before.version + 1)
        return CONFIRMED

    def free_slots(self, doctor: str, code: str, day: date, now: datetime) -> list[datetime]:
        """The slots that a patient without appointments could book on that local date."""
        return [
            starts for starts in self.doctors[doctor].grid(day) if self._is_free(doctor, code, starts, now)
        ]

    def _is_free(self, doctor: str, code: str, starts: datetime, now: datetime) -> bool:
        times = self._place(doctor, code, starts)
        return not isinstance(times, str) and not self._why_not("", "", doctor, *times, now, moving=None)

    def _booked(self, **where: str) -> Iterator[tuple[str, Appointment]]:
        for key, appointment in list(self.appointments.items()):
            if appointment.status == "booked" and all(
                getattr(appointment, name) == value for name, value in where.items()
            ):
                yield key, appointment

    def _cancel(self, id_: str, by: str, reason: str | None) -> None:
        appointment = self.appointments[id_]
        gone = replace(appointment, status="cancelled", cancelled_by=by, cancel_reason=reason)
        self.appointments[id_] = replace(gone, version=appointment.version + 1)

    def _place(self, doctor: str, code: str, starts: datetime) -> tuple[Span, Span] | str:
        if doctor not in self.doctors:
            return "unknown_doctor"
        if not self.doctors[doctor].active:
            return "doctor_inactive"
        kind = self.doctors[doctor].visit_type(code)
        if kind is None:
            return "unknown_visit_type"
        ends = starts + kind.minutes * MINUTE
        before, after = kind.buffer_before_minutes * MINUTE, kind.buffer_after_minutes * MINUTE
        return (starts, ends), (starts - before, ends + after)

    def _why_not(
        self,
        actor: str,
        patient: str,
        doctor: str,
        visit: Span,
        occupied: Span,
        now: datetime,
        moving: str | None,
    ) -> str | None:
        starts, ends = visit
        policy = self.doctors[doctor].policy
        if starts <= now:
            return "in_the_past"
        if actor != STAFF and starts < now + policy.min_notice_minutes * MINUTE:
            return "too_soon"
        if actor != STAFF and starts > now + policy.horizon_days * DAY:
            return "too_far_ahead"
        if why := self.doctors[doctor].why_not_within(starts, ends):
            return why
        if any(overlap(visit, away) for away in self.doctors[doctor].time_off.values()):
            return "in_time_off"
        with_doctor = [appointment for key, appointment in self._booked(doctor=doctor) if key != moving]
        if any(overlap(occupied, appointment.occupied) for appointment in with_doctor):
            return "slot_taken"
        if any(
            overlap(visit, appointment.visit)
            for key, appointment in self._booked(patient=patient)
            if key != moving
        ):
            return "patient_busy"
        active = sum(
            appointment.patient == patient and appointment.visit[0] > now for appointment in with_doctor
        )
        # A move within one doctor's book does not add to the patient's appointments.
        stays = moving is not None and self.appointments[moving].doctor == doctor
        if actor != STAFF and not stays and active >= policy.max_active_per_patient:
            return "too_many_active"
        return None

    def _why_not_change(self, actor: str, id_: str, now: datetime) -> str | None:
        appointment = self.appointments.get(id_)
        if appointment is None:
            return "unknown_appointment"
        if actor not in (STAFF, appointment.patient):
            return "not_yours"
        if appointment.status != "booked":
            return "not_booked"
        notice = self.doctors[appointment.doctor].policy.change_notice_minutes * MINUTE
        if actor != STAFF and appointment.visit[0] < now + notice:
            return "too_late_to_change"
        return None
