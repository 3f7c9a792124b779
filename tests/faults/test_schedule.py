"""A seed determines the schedule, and invalid commands are invalid for the reason they name."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from contracts.cloudevents import decode_command
from contracts.dead_letters import UndecodableError
from contracts.envelope import Message
from tests.faults.faults.catalogue import ALL, SHORT
from tests.faults.faults.poison import BAD, Raw, changed, good_command
from tests.faults.schedule import Planned, plan

SECONDS = 1000.0


def test_a_seed_replays_a_schedule() -> None:
    faults = list(ALL.values())
    assert plan(faults, SECONDS, 7) == plan(faults, SECONDS, 7) != plan(faults, SECONDS, 8)


@pytest.mark.parametrize("seed", range(20))
def test_every_fault_fits_the_schedule(seed: int) -> None:
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
    return all(first.at_s + first.fault.seconds <= second.at_s for first, second in pairwise(lane))


@pytest.mark.parametrize(("reason", "change"), BAD)
def test_invalid_commands_are_invalid_for_the_reason_they_name(reason: str, change: Raw) -> None:
    good = good_command(random.Random(1))
    decode_command(Message(good["key"], good["value"], good["headers"]))
    bad = changed(good, change, reason.encode())

    with pytest.raises(UndecodableError) as caught:
        decode_command(Message(bad["key"], bad["value"], bad["headers"]))

    assert caught.value.reason == reason
