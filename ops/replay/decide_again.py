"""Deciding one command again on a given book, by the rules of today or of an earlier release."""

from booking_worker.decide.command_record import CommandRecord
from booking_worker.decide.decision_batch import refused
from contracts.commands import Command, RecordOutcome
from contracts.events import Fact, OutcomeRecorded
from contracts.refusals import Reason, Refusal
from ops.replay.zone_rules import decide_by_recorded_hours, without_promises
from scheduling.decide import decide
from scheduling.state import Book


def facts_of(book: Book, record: CommandRecord, hours: list[Fact] | None = None) -> list[Fact] | None:
    """The facts of deciding the command, without promises; None if the book lacks data, or a bug raises an
    error. `hours`: the recorded facts that tell whether the visit lay within the hours (`zone_rules`)."""
    try:
        outcome = outcome_of(book, record, hours)
    except Exception:
        return None  # like the worker: a bug may raise anything
    assert record.command is not None, "it was decided"
    return [refused(record.command, outcome)] if isinstance(outcome, Refusal) else without_promises(outcome)


def outcome_of(book: Book, record: CommandRecord, hours: list[Fact] | None) -> list[Fact] | Refusal:
    """The same as `decide` gives it, with promises."""
    assert record.command is not None, "only commands are decided"
    if hours is None:
        return decide(book, record.command, record.at)
    return decide_by_recorded_hours(book, record.command, hours, record.at)


def formerly(book: Book, command: Command, facts: list[Fact]) -> list[Fact] | None:
    """What earlier releases decided where this one decides `facts`; None if that is the same.

    They recorded an outcome at the version that the appointment had, and never corrected it.
    """
    known = book.appointments.get(command.appointment_id) if isinstance(command, RecordOutcome) else None
    if known is None:
        return None
    if known.outcome is not None:
        return [refused(command, Refusal(Reason.NOT_BOOKED))]
    return [
        fact.model_copy(update={"version": known.version, "previous_status": None})
        if isinstance(fact, OutcomeRecorded)
        else fact
        for fact in facts
    ]
