"""A seed replays a schedule, and poison is what it says it is."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from contracts.dead_letters import UndecodableError
from contracts.envelope import decode_command
from tests.faults.faults import ALL, SHORT
from tests.faults.poison import BAD, Raw, changed, good_command
from tests.faults.schedule import Planned, plan

SECONDS = 1000.0


def test_a_seed_replays_a_schedule() -> None:
    faults = list(ALL.values())
    assert plan(faults, SECONDS, 7) == plan(faults, SECONDS, 7) != plan(faults, SECONDS, 8)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_comes_in_its_time(seed: int) -> None:
    for names, seconds in ((list(ALL), SECONDS), (SHORT, 180.0)):
        lanes = plan([ALL[name] for name in names], seconds, seed)
        counts = Counter(planned.fault.name for lane in lanes for planned in lane)
        assert counts.keys() == set(names)
        for lane in lanes:
            assert _in_order(lane)
            assert len({planned.fault.disturbs for planned in lane}) == 1
            of_lane = [counts[name] for name in {planned.fault.name for planned in lane}]
            assert max(of_lane) - min(of_lane) <= 1


def _in_order(lane: list[Planned]) -> bool:
    return all(one.at_s + one.fault.seconds <= other.at_s for one, other in pairwise(lane))


@pytest.mark.parametrize(("reason", "change"), BAD)
def test_poison_is_bad_for_the_reason_it_names(reason: str, change: Raw) -> None:
    good = good_command(random.Random(1))
    decode_command(good["key"], good["value"], good["headers"])
    bad = changed(good, change, reason.encode())

    with pytest.raises(UndecodableError) as caught:
        decode_command(bad["key"], bad["value"], bad["headers"])

    assert caught.value.reason == reason
