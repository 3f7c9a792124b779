"""The state that decisions are made on: doctors and the appointments that can conflict."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.commands import VisitOutcome
from contracts.doctors import Hours, Policy, VisitType
from contracts.events import CancelledBy
from scheduling.opening_hours import Interval, openings, whole_day


class Status(StrEnum):
    """The states of an appointment. Only a booked appointment occupies time."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


_OUTCOMES: dict[str, VisitOutcome] = {str(outcome): outcome for outcome in VisitOutcome}


@dataclass(frozen=True, slots=True)
class TimeOff:
    """A period in which a doctor is unavailable. `note` is ciphertext."""

    id: UUID
    when: Interval
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """Hours in which visits may begin, and the time off in them.

    A visit may last until `closes`: the end of the hours that follow these without a gap.
    """

    when: Interval
    closes: datetime
    time_off: tuple[Interval, ...]


@dataclass(frozen=True)
class Doctor:
    """A doctor and their calendar, without the appointments."""

    id: UUID
    name: str
    specialty: str
    time_zone: str
    active: bool
    visit_types: tuple[VisitType, ...]
    policy: Policy
    hours: tuple[Hours, ...] = ()
    time_off: tuple[TimeOff, ...] = ()
    # Cached per day: the same days are needed again and again, and a doctor is immutable.
    _openings: dict[date, tuple[Opening, ...]] = field(default_factory=dict, init=False, compare=False)

    def visit_type(self, code: str) -> VisitType | None:
        """The visit type of that code, if the doctor offers it."""
        return next((visit_type for visit_type in self.visit_types if visit_type.code == code), None)

    def openings(self, day: date) -> tuple[Opening, ...]:
        """The weekly hours that overlap a local date, in order.

        Those of the date and, where the clocks go back across midnight, those of its neighbours.
        """
        found = self._openings.get(day)
        if found is None:
            # A visit is shorter than a day, and the clocks may skip the next date.
            near = sorted(
                interval
                for number in range(-1, 3)
                for interval in openings(self.hours, self.time_zone, day + timedelta(days=number))
            )
            today = whole_day(self.time_zone, day)
            found = tuple(self._opening(interval, near) for interval in near if interval.overlaps(today))
            self._openings[day] = found
        return found

    def _opening(self, when: Interval, near: list[Interval]) -> Opening:
        closes = when.ends
        for other in near:
            if other.starts <= closes < other.ends:
                closes = other.ends
        usable = Interval(when.starts, closes)
        return Opening(when, closes, tuple(off.when for off in self.time_off if off.when.overlaps(usable)))


@dataclass(frozen=True, slots=True)
class Appointment:
    """A visit. `occupied` is the visit with its buffers; `reason` is ciphertext.

    `promised_start` is as in `contracts.promise`; None if an earlier release booked or moved it last.
    `status` and `cancelled_by` are plain codes where only a newer release knows them.
    """

    id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: str
    visit: Interval
    occupied: Interval
    status: Status | str
    version: int
    booked_at: datetime
    cancelled_by: CancelledBy | str | None = None
    cancel_reason: str | None = None
    reason: str | None = None
    promised_start: str | None = None

    @property
    def outcome(self) -> VisitOutcome | None:
        """How the visit ended, as far as that is recorded."""
        return _OUTCOMES.get(self.status)


class OccupiedTimes:
    """A doctor's occupied intervals in order. They never overlap, so only adjacent ones can conflict."""

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._entries: list[tuple[Interval, UUID]] = []

    def add(self, when: Interval, appointment_id: UUID) -> None:
        """Insert a booked appointment's time."""
        index = bisect_left(self._starts, when.starts)
        self._starts.insert(index, when.starts)
        self._entries.insert(index, (when, appointment_id))

    def remove(self, when: Interval, appointment_id: UUID) -> None:
        """Remove a time that was added."""
        index = bisect_left(self._starts, when.starts)
        while self._entries[index][1] != appointment_id:
            index += 1
        del self._starts[index], self._entries[index]

    def overlapping(self, wanted: Interval) -> Iterator[UUID]:
        """The appointments whose occupied time overlaps the interval, in order."""
        index = bisect_right(self._starts, wanted.starts)
        if index and self._entries[index - 1][0].ends > wanted.starts:
            yield self._entries[index - 1][1]
        while index < len(self._entries) and self._starts[index] < wanted.ends:
            yield self._entries[index][1]
            index += 1


_NOTHING_OCCUPIED = OccupiedTimes()


class Book:
    """The part of the appointment book that was loaded for a batch of decisions. `evolve` changes it."""

    def __init__(self, doctors: Iterable[Doctor] = (), appointments: Iterable[Appointment] = ()) -> None:
        self.doctors: dict[UUID, Doctor] = {doctor.id: doctor for doctor in doctors}
        self.appointments: dict[UUID, Appointment] = {}
        self._by_doctor: dict[UUID, OccupiedTimes] = {}
        self._by_patient: dict[UUID, dict[UUID, Appointment]] = {}
        for appointment in appointments:
            self.put(appointment)

    def put(self, appointment: Appointment) -> None:
        """Add or replace an appointment."""
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
