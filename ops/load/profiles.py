"""`clinic load smoke | load | stress`: how much, how long, and how a stress test climbs."""

from dataclasses import dataclass
from enum import StrEnum

from ops.load.mix import REQUESTS_PER_S


class LoadKind(StrEnum):
    """The kinds of load tests."""

    SMOKE = "smoke"
    LOAD = "load"
    STRESS = "stress"


@dataclass(frozen=True)
class LoadProfile:
    """A load test. `seconds` are those of a step that count, behind the warm-up.

    `growth` is the factor from a step to the next one, 1 for a single step; a step that misses a service
    level is repeated `repeats` times before that counts. `clients`: requests that can be under way at once.
    """

    kind: LoadKind
    per_s: float
    seconds: float
    doctors: int
    patients: int
    warm_up_s: float = 2.0
    growth: float = 1.0
    per_s_max: float = 5_000.0
    repeats: int = 0
    clients: int = 400
    seed: int = 1


PROFILES = {
    # Does it work at all, and fast enough while nobody else is there?
    LoadKind.SMOKE: LoadProfile(LoadKind.SMOKE, per_s=10, seconds=10, doctors=5, patients=100),
    # The estimate of docs/CAPACITY.md.
    LoadKind.LOAD: LoadProfile(
        LoadKind.LOAD, per_s=REQUESTS_PER_S, seconds=300, doctors=50, patients=2_000, warm_up_s=10
    ),
    # Each step long enough for 150 writes, of which the p95 is the eighth slowest; more as it climbs.
    LoadKind.STRESS: LoadProfile(
        LoadKind.STRESS,
        per_s=REQUESTS_PER_S,
        seconds=30,
        doctors=50,
        patients=2_000,
        warm_up_s=5,
        growth=1.25,
        repeats=1,
    ),
}
