"""Which fault comes when: told by a seed, so that the same seed brings the same again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.fault import Fault

PAUSE_S = (1.0, 4.0)
# For a short run that has to meet as much as possible.
HURRY_S = (0.2, 1.0)


@dataclass(frozen=True)
class Planned:
    """A fault, when it is to begin, and the seed of its chance.

    `at_s` counts from the start; where the fault before takes longer, it begins later.
    """

    at_s: float
    fault: Fault
    seed: int


def plan(
    faults: Sequence[Fault], seconds: float, seed: int, pause_s: tuple[float, float] = PAUSE_S
) -> list[list[Planned]]:
    """Lanes of faults that go on side by side: what breaks something for a while, and what only disturbs.

    In each lane every fault comes once before one comes again.
    """
    chance = random.Random(seed)
    lanes = [[fault for fault in faults if fault.disturbs is disturbs] for disturbs in (False, True)]
    return [_lane(lane, seconds, chance, pause_s) for lane in lanes if lane]


def _lane(
    faults: Sequence[Fault], seconds: float, chance: random.Random, pause_s: tuple[float, float]
) -> list[Planned]:
    planned: list[Planned] = []
    at_s = chance.uniform(*pause_s)
    while True:
        for fault in chance.sample(faults, len(faults)):
            if planned and at_s > seconds - fault.seconds:
                return planned
            planned.append(Planned(at_s, fault, chance.getrandbits(32)))
            at_s += fault.seconds + chance.uniform(*pause_s)
