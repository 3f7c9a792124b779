"""What a decision may look at: doctors, and the appointments that could be in its way."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.doctors import Hours, Policy, VisitType
from contracts.events import CancelledBy
from scheduling.calendar import Interval, openings


class Status(StrEnum):
    """Only what is booked takes time."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


@dataclass(frozen=True, slots=True)
class TimeOff:
    """When a doctor is away. `note` is ciphertext."""

    id: UUID
    when: Interval
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A stretch of a doctor's weekly hours on one day, and the time off that cuts into it."""

    when: Interval
    away: tuple[Interval, ...]


@dataclass(frozen=True)
class Doctor:
    """A doctor's book without the appointments."""

    id: UUID
    name: str
    specialty: str
    time_zone: str
    active: bool
    visit_types: tuple[VisitType, ...]
    policy: Policy
    hours: tuple[Hours, ...] = ()
    time_off: tuple[TimeOff, ...] = ()
    # Remembered per day: the same days are asked for again and again, and a doctor is never changed in place.
    _openings: dict[date, tuple[Opening, ...]] = field(default_factory=dict, init=False, compare=False)

    def visit_type(self, code: str) -> VisitType | None:
        """The visit type of that code, if the doctor offers it."""
        return next((visit_type for visit_type in self.visit_types if visit_type.code == code), None)

    def openings(self, day: date) -> tuple[Opening, ...]:
        """When the doctor is there on a local date by the weekly hours, in order."""
        found = self._openings.get(day)
        if found is None:
            found = self._openings[day] = tuple(
                Opening(when, tuple(away.when for away in self.time_off if away.when.overlaps(when)))
                for when in openings(self.hours, self.time_zone, day)
            )
        return found


@dataclass(frozen=True, slots=True)
class Appointment:
    """A visit. `occupied` is the visit with its buffers; `reason` is ciphertext."""

    id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: str
    visit: Interval
    occupied: Interval
    status: Status
    version: int
    booked_at: datetime
    cancelled_by: CancelledBy | None = None
    cancel_reason: str | None = None
    reason: str | None = None


class OccupiedTimes:
    """A doctor's occupied intervals in order. They do not overlap, so only neighbours can be in the way."""

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._entries: list[tuple[Interval, UUID]] = []

    def add(self, when: Interval, appointment_id: UUID) -> None:
        """Put a booked appointment's time in its place."""
        place = bisect_left(self._starts, when.starts)
        self._starts.insert(place, when.starts)
        self._entries.insert(place, (when, appointment_id))

    def remove(self, when: Interval, appointment_id: UUID) -> None:
        """Take out what was added."""
        place = bisect_left(self._starts, when.starts)
        while self._entries[place][1] != appointment_id:
            place += 1
        del self._starts[place], self._entries[place]

    def overlapping(self, wanted: Interval) -> Iterator[UUID]:
        """The appointments whose occupied time the interval touches, in order."""
        place = bisect_right(self._starts, wanted.starts)
        if place and self._entries[place - 1][0].ends > wanted.starts:
            yield self._entries[place - 1][1]
        while place < len(self._entries) and self._starts[place] < wanted.ends:
            yield self._entries[place][1]
            place += 1


_NOTHING_OCCUPIED = OccupiedTimes()


class Book:
    """The part of the appointment book that was loaded for some decisions. `evolve` writes in it."""

    def __init__(self, doctors: Iterable[Doctor] = (), appointments: Iterable[Appointment] = ()) -> None:
        self.doctors: dict[UUID, Doctor] = {doctor.id: doctor for doctor in doctors}
        self.appointments: dict[UUID, Appointment] = {}
        self._by_doctor: dict[UUID, OccupiedTimes] = {}
        self._by_patient: dict[UUID, dict[UUID, Appointment]] = {}
        for appointment in appointments:
            self.put(appointment)

    def put(self, appointment: Appointment) -> None:
        """Write an appointment, new or changed."""
        before = self.appointments.get(appointment.id)
        if before is not None and before.status is Status.BOOKED:
            self._by_doctor[before.doctor_id].remove(before.occupied, before.id)
            del self._by_patient[before.patient_id][before.id]
        self.appointments[appointment.id] = appointment
        if appointment.status is Status.BOOKED:
            occupied = self._by_doctor.setdefault(appointment.doctor_id, OccupiedTimes())
            occupied.add(appointment.occupied, appointment.id)
            self._by_patient.setdefault(appointment.patient_id, {})[appointment.id] = appointment

    def occupied(self, doctor_id: UUID) -> OccupiedTimes:
        """The doctor's booked appointments by time."""
        return self._by_doctor.get(doctor_id, _NOTHING_OCCUPIED)

    def booked_by(self, patient_id: UUID) -> Iterable[Appointment]:
        """The patient's booked appointments, with any doctor."""
        return self._by_patient.get(patient_id, {}).values()
