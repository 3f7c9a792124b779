"""Whether other partitions explain an outcome that a partition alone would not come to.

What another partition did to this one's appointments (a move away, a cancellation, an outcome) has no place
in this partition's order. So it is taken in as late as possible: when a recorded outcome needs it. The same
goes for appointments of others that a command here names.
"""

from collections.abc import Iterator
from itertools import chain, islice, product
from typing import NamedTuple
from uuid import UUID

from booking_worker.deciding import refused
from booking_worker.incoming import Incoming
from booking_worker.wanted import CHANGES
from contracts.commands import BlockTime, BookAppointment, Command, RescheduleAppointment
from contracts.events import CommandRefused, Fact
from contracts.refusals import Reason, Refusal
from ops.replay.elsewhere import Change, Elsewhere
from scheduling.calendar import Interval
from scheduling.decide import decide
from scheduling.slots import visit_at, with_buffers
from scheduling.state import Appointment, Book, Doctor, Status

# Steps of others that are tried in every combination; with more, in the order of the clock first.
FEW_STEPS = 2
TRIES_MAX = 1_000
# What a patient who is busy elsewhere would have been told otherwise: what is looked at after that.
NEXT_REASONS = (Reason.TOO_MANY_ACTIVE,)


def facts_of(book: Book, item: Incoming) -> list[Fact] | None:
    """What deciding the command makes; None where it takes more than the book has, or meets a bug."""
    assert item.command is not None, "only commands are decided"
    try:
        outcome = decide(book, item.command, item.at)
    except Exception:
        return None  # as the worker does: whatever a bug raises
    return [refused(item.command, outcome)] if isinstance(outcome, Refusal) else outcome


class _Near(NamedTuple):
    """An appointment that a command looks at: as it is here, and what others did to it next."""

    here: Appointment | None
    steps: list[Change]

    def after(self, steps: int) -> Appointment | None:
        return self.steps[steps - 1].after if steps else self.here


async def explain(
    book: Book, elsewhere: Elsewhere, item: Incoming, recorded: list[Fact], sequence: int
) -> list[Appointment] | None:
    """The appointments as others have changed them, so that deciding gives what is recorded.

    `book` is this partition's, just before the command, whose first event is `sequence`. None: nothing
    explains it.
    """
    command = item.command
    assert command is not None, "only commands are decided"
    ids = _looked_at(book, command)
    changes = await elsewhere.changes(ids)
    near = [_near(book.appointments.get(id_), changes[id_], item.partition) for id_ in ids]
    for taken in _tries(near):
        states = [state for one, steps in zip(near, taken, strict=True) if (state := one.after(steps))]
        for doctors in await _doctors(book, elsewhere, command, states):
            scratch = Book(doctors, states)
            decided = facts_of(scratch, item)
            if decided == recorded or (
                decided is not None
                and _says_busy(recorded)
                and _goes_on(decided)
                and await _is_busy(scratch, elsewhere, item, sequence)
            ):
                return [one.steps[steps - 1].after for one, steps in zip(near, taken, strict=True) if steps]
    return None


def _looked_at(book: Book, command: Command) -> set[UUID]:
    ids: set[UUID] = set()
    patient_id = None
    if isinstance(command, CHANGES):
        ids.add(command.appointment_id)
        named = book.appointments.get(command.appointment_id)
        patient_id = named.patient_id if named else None
    if isinstance(command, BookAppointment):
        patient_id = command.patient_id
    if patient_id is not None:
        ids |= {one.id for one in book.booked_by(patient_id)}
    if isinstance(command, BlockTime):
        ids |= set(book.occupied(command.doctor_id).overlapping(Interval(command.starts_at, command.ends_at)))
    doctor = book.doctors.get(command.doctor_id)
    if doctor and isinstance(command, BookAppointment | RescheduleAppointment):
        for visit_type in doctor.visit_types:
            wanted = with_buffers(visit_at(command.starts_at, visit_type), visit_type)
            ids |= set(book.occupied(doctor.id).overlapping(wanted))
    return ids


def _near(here: Appointment | None, changes: list[Change], partition: int) -> _Near:
    steps: list[Change] = []
    for change in changes:
        if here is not None and _order(change.after) <= _order(here):
            continue
        if change.partition == partition:
            break  # what this partition records itself comes in its own order
        steps.append(change)
    return _Near(here, steps)


def _order(appointment: Appointment) -> tuple[int, bool]:
    # An outcome leaves the version as it is.
    return appointment.version, appointment.status in (Status.COMPLETED, Status.NO_SHOW)


def _tries(near: list[_Near]) -> Iterator[tuple[int, ...]]:
    """How many steps of each appointment to take: the fewest first, or in the order of the clock."""
    limits = [len(one.steps) for one in near]
    yield from chain.from_iterable(_with_sum(limits, total) for total in range(FEW_STEPS + 1))
    taken = [0] * len(near)
    by_clock = sorted((step.at, place) for place, one in enumerate(near) for step in one.steps)
    for _, place in by_clock:
        taken[place] += 1
        yield tuple(taken)
    more = chain.from_iterable(_with_sum(limits, total) for total in range(FEW_STEPS + 1, sum(limits)))
    yield from islice(more, TRIES_MAX)


def _with_sum(limits: list[int], total: int) -> Iterator[tuple[int, ...]]:
    if not limits:
        if total == 0:
            yield ()
        return
    for first in range(min(limits[0], total) + 1):
        for rest in _with_sum(limits[1:], total - first):
            yield (first, *rest)


async def _doctors(
    book: Book, elsewhere: Elsewhere, command: Command, states: list[Appointment]
) -> list[list[Doctor]]:
    """The doctors to decide with: this partition's as they are, another's with each policy it had."""
    ids = {command.doctor_id}
    if isinstance(command, CHANGES):
        ids |= {one.doctor_id for one in states if one.id == command.appointment_id}
    own = [book.doctors[id_] for id_ in ids if id_ in book.doctors]
    others = [await elsewhere.doctors(id_) for id_ in ids if id_ not in book.doctors]
    return [[*own, *some] for some in product(*(variants for variants in others if variants))]


def _says_busy(facts: list[Fact]) -> bool:
    [first, *_] = facts
    return isinstance(first, CommandRefused) and first.reason is Reason.PATIENT_BUSY


def _goes_on(decided: list[Fact]) -> bool:
    """Whether the decision got as far as asking where else the patient is."""
    [first, *_] = decided
    return not isinstance(first, CommandRefused) or first.reason in NEXT_REASONS


async def _is_busy(scratch: Book, elsewhere: Elsewhere, item: Incoming, sequence: int) -> bool:
    match item.command:
        case BookAppointment() as command:
            patient_id, code, moving = command.patient_id, command.visit_type, None
        case RescheduleAppointment() as command:
            named = scratch.appointments[command.appointment_id]
            patient_id, code, moving = named.patient_id, command.visit_type or named.visit_type, named.id
        case _:
            return False
    visit_type = scratch.doctors[command.doctor_id].visit_type(code)
    assert visit_type is not None, "the decision got beyond that"
    visit = visit_at(command.starts_at, visit_type)
    return await elsewhere.clash(patient_id, visit, item.partition, sequence, moving)
