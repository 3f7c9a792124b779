"""The schedule of faults, determined by a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.faults.fault import Fault

PAUSE_S = (1.0, 4.0)
# For a short run that should include as many faults as possible.
HURRY_S = (0.2, 1.0)


@dataclass(frozen=True)
class Planned:
    """A fault, its start, and the seed of its random choices.

    `at_s` counts from the start of the run; if the fault before takes longer, it begins later.
    """

    at_s: float
    fault: Fault
    seed: int


def plan(
    faults: Sequence[Fault], seconds: float, seed: int, pause_s: tuple[float, float] = PAUSE_S
) -> list[list[Planned]]:
    """Lanes of faults that run side by side: those that break something, and those that only disturb.

    In each lane every fault comes once before one is repeated.
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
