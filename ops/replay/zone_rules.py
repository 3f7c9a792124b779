"""The part of a decision that depends on the rules of time zones, verified once they have changed.

A decision that was made with other zone data cannot be repeated. Whether the visit lay within the weekly
hours and on the grid is taken as recorded; everything else is decided again, and the promised local time has
to be one of the visit's instant and of the doctor's zone.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time

from contracts.commands import BookAppointment, Command, RescheduleAppointment
from contracts.doctors import Hours
from contracts.events import (
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    CommandRefused,
    Context,
    Fact,
)
from contracts.fields import DAY_END
from contracts.promise import Promise
from contracts.refusals import Reason, Refusal
from infra.zones import zone_data_version
from scheduling.decide import decide
from scheduling.state import Book

OF_HOURS = (Reason.OUTSIDE_HOURS, Reason.NOT_A_SLOT)
ALWAYS = tuple(Hours(weekday=day, starts=time.min, ends=DAY_END) for day in range(1, 8))


def without_promises(facts: list[Fact]) -> list[Fact]:
    """The facts without promised starts, which `promise_problem` checks."""
    return [_without_promise(fact) for fact in facts]


def _without_promise(fact: Fact) -> Fact:
    if not isinstance(fact, AppointmentFact):
        return fact
    changes: dict[str, object] = {"promised_start": None}
    if isinstance(fact, AppointmentRescheduled):
        changes["previous"] = fact.previous.model_copy(update=changes)
    return fact.model_copy(update=changes)


def may_have_had_other_rules(command: Command, context: Context) -> bool:
    """True if the decision depends on zone data, and was not made with those of this process."""
    if context.zone_data == zone_data_version():
        return False
    if isinstance(command, RescheduleAppointment):
        return command.promised_start is None
    return isinstance(command, BookAppointment)


def decide_by_recorded_hours(
    book: Book, command: Command, recorded: list[Fact], at: datetime
) -> list[Fact] | Refusal:
    """Decide again, but for the hours and the grid, of which the recorded facts tell.

    Raises what `decide` raises.
    """
    first = recorded[0]
    refused_for = first.reason if isinstance(first, CommandRefused) and first.reason in OF_HOURS else None
    with _hours(book, command, () if refused_for else ALWAYS):
        outcome = decide(book, command, at)
    if refused_for and outcome == Refusal(Reason.OUTSIDE_HOURS):
        return Refusal(refused_for)
    return outcome


@contextlib.contextmanager
def _hours(book: Book, command: Command, hours: tuple[Hours, ...]) -> Iterator[None]:
    doctor = book.doctors.get(command.doctor_id)
    if doctor is None:
        yield
        return
    policy = doctor.policy.model_copy(update={"slot_minutes": 1})
    book.doctors[doctor.id] = replace(doctor, hours=hours, policy=policy)
    try:
        yield
    finally:
        book.doctors[doctor.id] = doctor


def promise_problem(book: Book, command: Command, context: Context, facts: list[Fact]) -> str | None:
    """The reason why a promise in the facts cannot be right; None if there is no such reason.

    `book` is as it was before the facts.
    """
    if context.zone_data is None:
        return None  # an earlier release, which records no promises
    for fact in facts:
        if not isinstance(fact, AppointmentFact):
            continue
        known = book.appointments.get(fact.appointment_id)
        before = fact.previous if isinstance(fact, AppointmentRescheduled) else None
        kept = fact if isinstance(fact, AppointmentCancelled) else before
        # Another partition may have moved it before or after: only the version that was met tells.
        if (
            known
            and kept
            and known.version == fact.version - 1
            and kept.promised_start != known.promised_start
        ):
            return f"the promise before was {known.promised_start}"
        if not isinstance(fact, AppointmentCancelled) and (
            wrong := _wrong_promise(book, command, context, fact)
        ):
            return wrong
    return None


def _wrong_promise(book: Book, command: Command, context: Context, fact: AppointmentFact) -> str | None:
    if isinstance(command, RescheduleAppointment) and command.promised_start is not None:
        asked = command.promised_start
        return None if fact.promised_start == asked else f"the command has the promise {asked}"
    promise = Promise.read(fact.promised_start, fact.starts_at)
    doctor = book.doctors.get(fact.doctor_id)
    if promise is None or (doctor and promise.time_zone != doctor.time_zone):
        return "the promised start is not of this visit"
    by_rules = str(Promise.of(fact.starts_at, promise.time_zone))
    if context.zone_data == zone_data_version() and fact.promised_start != by_rules:
        return f"by zone data {context.zone_data} the promise is {by_rules}"
    return None
