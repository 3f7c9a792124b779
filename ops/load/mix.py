"""The mix of requests: nine of ten are reads; of the writes 70 % book, 20 % cancel and 10 % reschedule.

Pure, and always the same for a seed. The benchmarks take their mix and their arrivals from here, too.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from infra import clock


class Action(StrEnum):
    """A thing that a patient does: one request, or a command until it is decided."""

    FREE_SLOTS = "free slots of a doctor"
    FIRST_FREE = "first free slots of all doctors"
    DOCTORS = "list of doctors"
    APPOINTMENTS = "own appointments"
    APPOINTMENT = "one appointment"
    BOOK = "book"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"

    @property
    def is_write(self) -> bool:
        """True for commands."""
        return self in WRITES


WRITES = frozenset({Action.BOOK, Action.CANCEL, Action.RESCHEDULE})
SHARES: Mapping[Action, int] = {
    Action.FREE_SLOTS: 50,
    Action.FIRST_FREE: 5,
    Action.DOCTORS: 10,
    Action.APPOINTMENTS: 15,
    Action.APPOINTMENT: 10,
    Action.BOOK: 7,
    Action.CANCEL: 2,
    Action.RESCHEDULE: 1,
}
"""How many of a hundred requests. Slots are what the pages ask for again at every change of the week."""
WRITE_EVERY = sum(SHARES.values()) // sum(SHARES[action] for action in WRITES)
"""One of so many requests is a write."""
REQUESTS_PER_S = 50.0
"""Of a clinic with 50 doctors and 20,000 patients, at its busiest (docs/CAPACITY.md)."""

SEED = 1


def actions(seed: int) -> Iterator[Action]:
    """Actions without end. Each hundred of them, one after the other, has exactly the shares above."""
    chance = clock.repeatable(seed)
    deck = [action for action, count in SHARES.items() for _ in range(count)]
    while True:
        chance.shuffle(deck)
        yield from deck


def arrivals(per_s: float, seconds: float, seed: int = SEED) -> Iterator[float]:
    """Times of a Poisson process, in seconds from the start: now and then close together, as in life."""
    chance = clock.repeatable(seed)
    at_s = chance.expovariate(per_s)
    while at_s < seconds:
        yield at_s
        at_s += chance.expovariate(per_s)
