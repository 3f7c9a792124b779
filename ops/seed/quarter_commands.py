"""The quarter as commands: those that the same requests over HTTP would have become, with the same ids."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.commands import (
    Actor,
    ActorKind,
    BlockTime,
    BookAppointment,
    CancelAppointment,
    Command,
    CommandBase,
    RecordOutcome,
    RegisterDoctor,
    SetWeeklyHours,
    VisitOutcome,
    derived_id,
)
from infra.keys import Keys
from ingress.commands.fingerprints import fingerprints
from ingress.commands.submit import id_of_command
from ops.seed.quarter import GRID_MINUTES, PlannedDoctor, PlannedVisit, Quarter
from ops.tokens import STAFF_ID

STAFF = Actor(kind=ActorKind.STAFF, id=STAFF_ID)

C = TypeVar("C", bound=CommandBase)


def doctor_id(number: int) -> UUID:
    """The id of a planned doctor."""
    return derived_id(id_of_command(STAFF, f"clinic-doctor-{number}"), "doctor")


class QuarterCommands:
    """`patients` are the ids by number, `monday` the first day. All times are local to `time_zone`."""

    def __init__(
        self, quarter: Quarter, keys: Keys, time_zone: str, patients: Sequence[UUID], monday: date
    ) -> None:
        self._keys = keys
        self._time_zone = time_zone
        self._zone = ZoneInfo(time_zone)
        self._patients = patients
        self._monday = monday
        self._quarter = quarter

    def all(self) -> Iterator[Command]:
        """Everything that can be sent at once: each doctor's in their order, the doctors in turn."""
        visits: dict[int, list[PlannedVisit]] = {doctor.number: [] for doctor in self._quarter.doctors}
        for visit in self._quarter.visits:
            visits[visit.doctor].append(visit)
        in_turn = zip_longest(
            *(self._of_doctor(doctor, visits[doctor.number]) for doctor in self._quarter.doctors)
        )
        for commands in in_turn:
            yield from (command for command in commands if command is not None)

    def outcomes(self, now: datetime) -> dict[UUID, RecordOutcome]:
        """What becomes of the visits that begin before `now`, by the appointment's id."""
        found = {}
        for visit in self._quarter.visits:
            booking = None if visit.cancelled else self._booking(visit)
            if booking and booking.starts_at < now:
                outcome = VisitOutcome.NO_SHOW if visit.no_show else VisitOutcome.COMPLETED
                said = {"appointment_id": booking.appointment_id, "outcome": outcome}
                key = f"clinic-outcome-{visit.number}-{self._monday}"
                found[booking.appointment_id] = self._command(
                    RecordOutcome, key, said, doctor_id=booking.doctor_id
                )
        return found

    def _of_doctor(self, doctor: PlannedDoctor, visits: list[PlannedVisit]) -> Iterator[Command]:
        yield self._registration(doctor)
        yield self._hours(doctor)
        yield from self._absences(doctor)
        for visit in visits:
            yield (booking := self._booking(visit))
            if visit.cancelled:
                said = {"appointment_id": booking.appointment_id, "reason": None}
                key = f"clinic-cancellation-{visit.number}-{self._monday}"
                yield self._command(CancelAppointment, key, said, doctor_id=booking.doctor_id)

    def _registration(self, doctor: PlannedDoctor) -> RegisterDoctor:
        said = {
            "name": doctor.name,
            "specialty": doctor.specialty,
            "visit_types": [
                {"code": code, "name": name, "minutes": minutes}
                for code, name, minutes, _ in doctor.visit_types
            ],
            "policy": {"slot_minutes": GRID_MINUTES},
        }
        key = f"clinic-doctor-{doctor.number}"
        return self._command(
            RegisterDoctor, key, said, doctor_id=doctor_id(doctor.number), time_zone=self._time_zone
        )

    def _hours(self, doctor: PlannedDoctor) -> SetWeeklyHours:
        validity = {
            "valid_from": self._monday.isoformat(),
            "valid_until": (self._monday + timedelta(days=7 * self._quarter.weeks - 1)).isoformat(),
        }
        hours = [
            {"weekday": weekday, "starts": f"{opens:02}:00", "ends": f"{closes:02}:00"} | validity
            for weekday, openings in doctor.week.items()
            for opens, closes in openings
        ]
        said = {"doctor_id": doctor_id(doctor.number), "hours": hours}
        # The Monday is part of the key: a run that was killed before it set any hours may be followed by one
        # with another Monday.
        return self._command(SetWeeklyHours, f"clinic-hours-{doctor.number}-{self._monday}", said)

    def _absences(self, doctor: PlannedDoctor) -> Iterator[BlockTime]:
        for index, (first, last) in enumerate(doctor.absences):
            said = {
                "doctor_id": doctor_id(doctor.number),
                "starts_at": self._instant(first, time()),
                "ends_at": self._instant(last + 1, time()),
            }
            key = f"clinic-absence-{doctor.number}-{index}-{self._monday}"
            time_off_id = derived_id(id_of_command(STAFF, key), "time-off")
            yield self._command(BlockTime, key, said, time_off_id=time_off_id)

    def _booking(self, visit: PlannedVisit) -> BookAppointment:
        said = {
            "doctor_id": doctor_id(visit.doctor),
            "patient_id": self._patients[visit.patient],
            "starts_at": self._instant(visit.day, visit.starts),
            "visit_type": visit.visit_type,
        }
        key = f"clinic-visit-{visit.number}-{self._monday}"
        appointment_id = derived_id(id_of_command(STAFF, key), "appointment")
        return self._command(BookAppointment, key, said, appointment_id=appointment_id)

    def _command(self, type_: type[C], key: str, said: dict[str, Any], **derived: Any) -> C:
        fingerprint, _ = fingerprints(self._keys, type_.__name__, said)
        identity = {"command_id": id_of_command(STAFF, key), "actor": STAFF, "fingerprint": fingerprint}
        return type_.model_validate(identity | said | derived)

    def _instant(self, day: int, wall: time) -> datetime:
        return datetime.combine(self._monday + timedelta(days=day), wall, self._zone)
