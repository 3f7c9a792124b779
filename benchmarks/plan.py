"""Which bookings to make: every one a slot of its own, and a patient who is free then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from infra import clock
from ops.load.practice import Practice

# So many slots that a run cannot use them up: 192 per doctor and day.
BUSY = Practice(minutes=5, openings=((6, 22),), weekdays=(1, 2, 3, 4, 5, 6, 7), days=84)


@dataclass(frozen=True)
class Booking:
    """One to make: indexes of doctor and patient, and the slot."""

    number: int
    doctor: int
    patient: int
    starts_at: datetime


def bookings(starts: Sequence[datetime], doctors: int, patients: int) -> Iterator[Booking]:
    """Bookings until all slots of all doctors are taken.

    One slot's time after the other, in it one doctor after the other, with consecutive patients: no patient
    is in two places at once as long as there are no fewer patients than doctors.
    """
    assert patients >= doctors, "a patient would be in two places at once"
    for number in range(len(starts) * doctors):
        yield Booking(number, number % doctors, number % patients, starts[number // doctors])


def next_monday(zone: ZoneInfo) -> date:
    """The first Monday from tomorrow, local."""
    today = clock.now().astimezone(zone).date()
    return today + timedelta(days=8 - today.isoweekday())
