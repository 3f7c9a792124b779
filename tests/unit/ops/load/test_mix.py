"""The mix of a load test: 90 % reads; of the writes 70 % book, 20 % cancel, 10 % reschedule."""

from collections import Counter
from itertools import islice

import pytest

from ops.load.mix import SHARES, WRITE_EVERY, WRITES, Action, actions, arrivals


def test_the_shares_are_those_of_the_seed_document() -> None:
    writes = {action: SHARES[action] for action in WRITES}
    assert sum(SHARES.values()) == 100
    assert sum(writes.values()) == 10
    assert writes == {Action.BOOK: 7, Action.CANCEL: 2, Action.RESCHEDULE: 1}
    assert WRITE_EVERY == 10
    assert {action for action in Action if action.is_write} == WRITES


def test_each_hundred_has_exactly_these_shares_in_another_order() -> None:
    endless = actions(seed=3)
    first, second = list(islice(endless, 100)), list(islice(endless, 100))
    assert Counter(first) == Counter(second) == Counter(SHARES)
    assert first != second


def test_a_seed_gives_the_same_actions_and_arrivals() -> None:
    assert list(islice(actions(7), 300)) == list(islice(actions(7), 300))
    assert list(arrivals(20, 5, 7)) == list(arrivals(20, 5, 7))
    assert list(arrivals(20, 5, 7)) != list(arrivals(20, 5, 8))


def test_arrivals_come_at_random_at_the_rate_within_the_time() -> None:
    times = list(arrivals(per_s=50, seconds=200))
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 200
    assert len(times) == pytest.approx(50 * 200, rel=0.05)
    # Poisson: the number in a second varies by the root of its mean, and not by nothing.
    each_second = Counter(int(at_s) for at_s in times)
    variance = sum((each_second[second] - 50) ** 2 for second in range(200)) / 200
    assert 30 < variance < 75
