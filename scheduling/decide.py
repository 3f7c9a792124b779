"""The decider: a command and the book in, facts or a refusal out. Pure: no I/O and no clock."""

from datetime import datetime

from contracts.commands import (
    BlockTime,
    BookAppointment,
    CancelAppointment,
    Command,
    RecordOutcome,
    RegisterDoctor,
    RescheduleAppointment,
    SetWeeklyHours,
    UnblockTime,
    UpdateDoctor,
)
from contracts.events import Fact
from contracts.refusals import Refusal
from scheduling import appointments, doctors
from scheduling.state import Book


def decide(book: Book, command: Command, now: datetime) -> list[Fact] | Refusal:
    """The facts that the command leads to, at least one, or its refusal.

    `now` is the command's broker time, so that deciding again gives the same result.
    """
    match command:
        case BookAppointment():  # by far the most frequent
            return appointments.book(book, command, now)
        case RescheduleAppointment() | CancelAppointment() | RecordOutcome():
            return appointments.change(book, command, now)
        case UpdateDoctor() | SetWeeklyHours() | BlockTime() | UnblockTime():
            return doctors.change(book, command, now)
        case RegisterDoctor():
            return doctors.register(book, command)
