"""The states of each doctor and each appointment, event by event, and which times were taken when."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from itertools import pairwise
from typing import Any

from tests.book.model import Appointment
from tests.book.practice import DAY_END, MINUTE, Doctor, Hours, Policy, Span, VisitType, overlap
from tests.faults.checker.messages import Decision, Event, instant
from tests.faults.checker.records import Finding

CHANGES_OF_AN_APPOINTMENT = {
    "AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled", "OutcomeRecorded",
}  # fmt: skip
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Practice:
    """A doctor at one time. `shown` are the values that clients see, `hours` the weekly hours as sent."""

    doctor: Doctor
    shown: Mapping[str, Any]
    hours: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Change:
    """A decision's effect on a doctor."""

    decision: Decision
    event: Event
    state: Practice


@dataclass(frozen=True, eq=False)
class Step:
    """A decision's effect on an appointment."""

    decision: Decision
    event: Event
    state: Appointment


@dataclass(frozen=True, eq=False)
class Taken:
    """The time of a booked appointment, from one decision until another, or for good."""

    id: str
    state: Appointment
    since: Decision
    until: Decision | None


class Doctors:
    """Each doctor's changes, in the order of its partition."""

    def __init__(self, decisions: Mapping[int, list[Decision]]) -> None:
        self.changes: dict[str, list[Change]] = defaultdict(list)
        for in_order in decisions.values():
            for decision in in_order:
                for event in decision.events:
                    self._follow(decision, event)
        self._indexes = {
            id_: [change.decision.index for change in changes] for id_, changes in self.changes.items()
        }
        self._partitions = {
            id_: changes[0].decision.position.partition for id_, changes in self.changes.items()
        }

    def partition(self, id_: str) -> int | None:
        """The partition of the doctor's commands; None for a doctor that was never registered."""
        return self._partitions.get(id_)

    def at(self, id_: str, decision: Decision) -> Practice | None:
        """The doctor as a decision of the same partition saw it."""
        count = bisect_left(self._indexes.get(id_, []), decision.index)
        return self.changes[id_][count - 1].state if count else None

    def _follow(self, decision: Decision, event: Event) -> None:
        data = event.data
        # A doctor that was never registered has refusals only.
        id_ = str(data.get("doctor_id"))
        changes = self.changes.get(id_, [])
        before = changes[-1].state if changes else None
        if event.type in ("DoctorRegistered", "DoctorUpdated"):
            after = _registered(data, before)
        elif before is None:
            return
        elif event.type == "WeeklyHoursSet":
            hours = tuple(map(hours_of, data["hours"]))
            after = replace(before, doctor=replace(before.doctor, hours=hours), hours=tuple(data["hours"]))
        elif event.type in ("TimeBlocked", "TimeUnblocked"):
            time_off = dict(before.doctor.time_off)
            time_off.pop(data["time_off_id"], None)
            if event.type == "TimeBlocked":
                time_off[data["time_off_id"]] = (instant(data["starts_at"]), instant(data["ends_at"]))
            after = replace(before, doctor=replace(before.doctor, time_off=time_off))
        else:
            return
        self.changes[id_].append(Change(decision, event, after))


class Appointments:
    """Each appointment's steps by version, and the times taken."""

    def __init__(self, decisions: Mapping[int, list[Decision]], doctors: Doctors) -> None:
        self.findings: list[Finding] = []
        self.steps: dict[str, list[Step]] = {}
        found: dict[str, list[tuple[Decision, Event]]] = defaultdict(list)
        for in_order in decisions.values():
            for decision in in_order:
                for event in decision.events:
                    if event.type in CHANGES_OF_AN_APPOINTMENT:
                        found[event.data["appointment_id"]].append((decision, event))
        for id_, events in found.items():
            events.sort(key=lambda pair: pair[1].data["version"])
            self._check_versions(id_, [event for _, event in events])
            self.steps[id_] = list(_steps(events, doctors))
        self._taken_by_doctor: dict[tuple[str, date], list[Taken]] = defaultdict(list)
        self._taken_by_patient: dict[tuple[str, date], list[Taken]] = defaultdict(list)
        self._taken_of: dict[tuple[str, str], list[Taken]] = defaultdict(list)
        self._index()

    def edges(self) -> Iterator[tuple[Decision, Decision]]:
        """A version comes after the one before."""
        for steps in self.steps.values():
            for earlier, later in pairwise(steps):
                if earlier.decision is not later.decision:
                    yield earlier.decision, later.decision

    def with_doctor(self, doctor: str, occupied: Span) -> Iterator[Taken]:
        """Times of the doctor's appointments, at any moment, that overlap with the period."""
        for day in _days(occupied):
            for taken in self._taken_by_doctor.get((doctor, day), ()):
                first = max(taken.state.occupied[0], occupied[0]).date()
                if first == day and overlap(taken.state.occupied, occupied):
                    yield taken

    def of_patient(self, patient: str, visit: Span) -> Iterator[Taken]:
        """Times of the patient's visits, at any moment, that overlap with the period."""
        for day in _days(visit):
            for taken in self._taken_by_patient.get((patient, day), ()):
                first = max(taken.state.visit[0], visit[0]).date()
                if first == day and overlap(taken.state.visit, visit):
                    yield taken

    def of_both(self, patient: str, doctor: str) -> list[Taken]:
        """All times of the patient with the doctor."""
        return self._taken_of.get((patient, doctor), [])

    def all_taken(self) -> Iterator[Taken]:
        """All times that were ever taken."""
        for times in self._taken_of.values():
            yield from times

    def _index(self) -> None:
        for id_, steps in self.steps.items():
            for step, following in zip(steps, [*steps[1:], None], strict=False):  # there may be no step
                state = step.state
                if state.status != "booked":
                    continue
                taken = Taken(id_, state, step.decision, following.decision if following else None)
                for day in _days(state.occupied):
                    self._taken_by_doctor[state.doctor, day].append(taken)
                for day in _days(state.visit):
                    self._taken_by_patient[state.patient, day].append(taken)
                self._taken_of[state.patient, state.doctor].append(taken)

    def _check_versions(self, id_: str, events: list[Event]) -> None:
        versions = [event.data["version"] for event in events]
        if versions != list(range(1, len(versions) + 1)) or events[0].type != "AppointmentBooked":
            text = f"appointment {id_} has the versions {versions}: {', '.join(map(str, events))}"
            self.findings.append(Finding("I5", text))


def _steps(events: list[tuple[Decision, Event]], doctors: Doctors) -> Iterator[Step]:
    state: Appointment | None = None
    for decision, event in events:
        data = event.data
        if event.type in ("AppointmentBooked", "AppointmentRescheduled"):
            state = _placed(decision, event, doctors, state)
        elif state is None:
            continue
        elif event.type == "AppointmentCancelled":
            state = replace(
                state,
                status="cancelled",
                version=data["version"],
                cancelled_by=data["cancelled_by"],
                cancel_reason=data["cancel_reason"],
            )
        else:
            state = replace(state, status=data["outcome"], version=data["version"])
        yield Step(decision, event, state)


def _placed(decision: Decision, event: Event, doctors: Doctors, before: Appointment | None) -> Appointment:
    data = event.data
    visit = instant(data["starts_at"]), instant(data["ends_at"])
    practice = doctors.at(data["doctor_id"], decision)
    kind = practice.doctor.visit_type(data["visit_type"]) if practice else None
    # With the doctor's buffers at that time, whatever the event says.
    around = (kind.buffer_before_minutes, kind.buffer_after_minutes) if kind else (0, 0)
    return Appointment(
        doctor=data["doctor_id"],
        patient=data["patient_id"],
        visit_type=data["visit_type"],
        visit=visit,
        occupied=(visit[0] - around[0] * MINUTE, visit[1] + around[1] * MINUTE),
        booked_at=before.booked_at if before else instant(data["decided_at"]),
        version=data["version"],
        time_zone=practice.doctor.time_zone if practice else "UTC",
    )


def _registered(data: Mapping[str, Any], before: Practice | None) -> Practice:
    names = ("name", "specialty", "time_zone", "active", "visit_types", "policy")
    shown = {name: data[name] for name in names}
    kinds = tuple(
        VisitType(**{name: value for name, value in kind.items() if name != "name"})
        for kind in data["visit_types"]
    )
    doctor = Doctor(data["time_zone"], kinds, Policy(**data["policy"]), data["active"])
    if before is not None:
        doctor = replace(doctor, hours=before.doctor.hours, time_off=before.doctor.time_off)
    return Practice(doctor, shown, before.hours if before else ())


def hours_of(written: Mapping[str, Any]) -> Hours:
    """Weekly hours as in a command, an event or a read."""
    first, last = written.get("valid_from"), written.get("valid_until")
    return Hours(
        written["weekday"],
        time.fromisoformat(written["starts"]),
        DAY_END if written["ends"] == "24:00" else time.fromisoformat(written["ends"]),
        date.fromisoformat(first) if first else date.min,
        date.fromisoformat(last) if last else date.max,
    )


def _days(span: Span) -> Iterator[date]:
    day, last = span[0].date(), span[1].date()
    while day <= last:
        yield day
        day += DAY
