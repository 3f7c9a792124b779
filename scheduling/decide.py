"""The decider: what happens when a command meets the book. Pure: no I/O; the broker's time is `now`."""

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
from scheduling import appointments, doctors
from scheduling.outcome import Outcome
from scheduling.state import Book


def decide(book: Book, command: Command, now: datetime) -> Outcome:
    """The facts that the command makes, at least one, or why it makes none.

    `now` is the command's broker time, so that deciding again gives the same answer.
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
