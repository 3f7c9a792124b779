"""Random steps, chosen so that most kinds of answer are frequent."""

import random
from collections.abc import Callable

from tests.book.steps import (
    OWNER,
    PATIENTS,
    STAFF,
    ZONES,
    Block,
    Book,
    Cancel,
    Opening,
    RecordOutcome,
    Register,
    Repeat,
    Reschedule,
    SetHours,
    Step,
    TimePasses,
    Unblock,
    Update,
    When,
)


class Chance:
    """Random steps; the same number makes the same step."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._pick = self._random.choice

    def step(self) -> Step:
        """A step of any kind; bookings most often."""
        [make] = self._random.choices([make for _, make in OFTEN], [times for times, _ in OFTEN])
        return make(self)

    def book(self) -> Step:
        actor, patient = self._pick((0, 0, 0, 1, 1, 1, STAFF)), self._pick(range(PATIENTS))
        return Book(actor, patient, self._doctor(), self._code(), self._when())

    def reschedule(self) -> Step:
        to = self._pick((None, None, self._doctor()))
        code = self._pick((None, None, self._code()))
        return Reschedule(self._owner(), self._number(), self._when(), to, code)

    def cancel(self) -> Step:
        return Cancel(self._owner(), self._number(), self._pick((True, False)))

    def record_outcome(self) -> Step:
        return RecordOutcome(self._number(), self._pick(("completed", "no_show")))

    def time_passes(self) -> Step:
        return TimePasses(self._number())

    def block(self) -> Step:
        return Block(self._doctor(), self._when(), self._pick(range(1, 5)), self._pick((True, False, False)))

    def unblock(self) -> Step:
        return Unblock(self._number(), self._pick((True, False, False)))

    def set_hours(self, doctor: int | None = None, wide: bool = False) -> Step:
        doctor = self._doctor() if doctor is None else doctor
        if wide or self._pick((True, True, False)):
            return SetHours(doctor, self._all_day())
        return SetHours(doctor, tuple(self._opening() for _ in range(self._pick((1, 2, 3)))))

    def _all_day(self) -> tuple[Opening, ...]:
        starts, ends = self._pick((-2, -1, -1, 0)), self._pick(range(8, 12))
        # Hours on the scene's day, and perhaps none around it.
        valid = self._pick(((None, None), (None, None), (None, 0), (0, None), (0, 0)))
        # Two openings that touch; in some scenes where the clocks change.
        noon = self._pick((None, 2, 3, 4, 5, 6))
        if noon is None:
            return (Opening(starts, ends - starts, valid=valid),)
        return (Opening(starts, noon - starts, valid=valid), Opening(noon, ends - noon, valid=valid))

    def update(self) -> Step:
        policy = self._policy()
        name = self._pick(tuple(policy))
        changes = (
            {"policy": {name: policy[name]}},
            {"active": self._pick((True, True, False))},
            {"visit_types": self._codes()},
            {"time_zone": self._pick(ZONES)},
        )
        return Update(self._doctor(), self._pick(changes))

    def register(self, doctor: int | None = None) -> Step:
        doctor = self._doctor() if doctor is None else doctor
        return Register(doctor, ZONES[doctor % 2], self._codes(), self._policy())

    def repeat(self) -> Step:
        return Repeat(self._number(), self._pick((True, False)))

    def _number(self) -> int:
        return self._pick(range(8))

    def _doctor(self) -> int:
        return self._pick((0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2))

    def _owner(self) -> int:
        return self._pick((OWNER, OWNER, OWNER, OWNER, STAFF, STAFF, 0, 1))

    def _code(self) -> str:
        return self._pick(("buffered", "buffered", "buffered", "buffered", "plain", "plain", "long"))

    def _codes(self) -> tuple[str, ...]:
        return self._pick((("buffered", "plain", "long"),) * 4 + (("plain", "buffered"), ("buffered",)))

    def _when(self) -> When:
        on_the_grid = tuple(range(0, 42, 3)) * 3
        return When(
            self._pick((*on_the_grid, *range(-12, 60, 5))), self._pick((0,) * 20 + (1, 1, -1, -1, -7))
        )

    def _opening(self) -> Opening:
        valid = self._pick(((None, None),) * 4 + ((None, -1), (0, None), (0, 0), (1, None), (None, 1)))
        return Opening(self._pick(range(-2, 6)), self._pick(range(1, 10)), self._pick((True, False)), valid)

    def _policy(self) -> dict[str, int]:
        return {
            "slot_minutes": self._pick((15, 15, 15, 5, 20)),
            "min_notice_minutes": self._pick((0, 0, 0, 60, 5_000)),
            "horizon_days": self._pick((3_660, 3_660, 3_660, 3_660, 1)),
            "change_notice_minutes": self._pick((0, 0, 0, 120, 5_000)),
            "max_active_per_patient": self._pick((3, 3, 3, 2, 1)),
        }


OFTEN: list[tuple[int, Callable[[Chance], Step]]] = [
    (22, Chance.book),
    (9, Chance.reschedule),
    (4, Chance.cancel),
    (3, Chance.record_outcome),
    (3, Chance.time_passes),
    (5, Chance.block),
    (2, Chance.unblock),
    (2, Chance.set_hours),
    (2, Chance.update),
    (1, Chance.register),
    (3, Chance.repeat),
]


def two_doctors(number: int) -> list[Step]:
    """One in each zone, with hours around the scene."""
    chance = Chance(number)
    return [
        step
        for doctor in range(len(ZONES))
        for step in (chance.register(doctor), chance.set_hours(doctor, wide=True))
    ]
