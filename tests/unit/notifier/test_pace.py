"""A channel's rate, its pauses and its slow start, with a clock that the test moves."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from notifier.deliver.pace import DEFERRED_IN_A_ROW_MAX, PAUSE_S_MAX, Pace, retry_after_s


class Time:
    """Sleeping moves the clock."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    time = Time()
    with monkeypatch.context() as patched:
        patched.setattr("notifier.deliver.pace.clock.monotonic", time.monotonic)
        patched.setattr("notifier.deliver.pace.asyncio", time)
        yield time


async def turns(pace: Pace, time: Time, count: int) -> list[float]:
    """The time of each turn, seconds from the first; every message is delivered."""
    at = []
    for _ in range(count):
        await pace.turn()
        pace.take()
        at.append(time.now_s)
        pace.delivered()
    return [round(instant - at[0], 3) for instant in at]


async def test_turns_come_at_the_rate(time: Time) -> None:
    assert await turns(Pace("test", 10), time, 4) == [0.0, 0.1, 0.2, 0.3]


async def test_after_a_pause_it_starts_slowly_and_reaches_its_limit(time: Time) -> None:
    pace = Pace("test", 50)
    paused_s = pace.close()
    assert pace.closed_for_s == pytest.approx(paused_s)

    at = await turns(pace, time, 400)

    assert pace.closed_for_s == 0
    assert sum(second < 1 for second in at) <= 2
    assert sum(second < 8 for second in at) <= 30
    assert pace.rate_per_s == 50
    assert sum(16 <= second < 17 for second in at) in range(40, 51)


async def test_pauses_grow_with_jitter_up_to_a_limit_and_restart_after_a_delivery(time: Time) -> None:
    pace = Pace("test", 10)
    longest = 0.0
    for number in range(60):
        paused_s = pace.close()
        assert paused_s <= min(PAUSE_S_MAX, 2.0**number)
        longest = max(longest, paused_s)
        time.now_s += paused_s
    assert longest > 10
    pace.delivered()
    assert pace.close() <= 1


async def test_several_who_find_the_server_down_pause_once(time: Time) -> None:
    pace = Pace("test", 10)
    first_s = pace.close()
    assert pace.close() == pytest.approx(first_s)
    time.now_s += first_s
    assert pace.closed_for_s == 0


async def test_no_turn_is_granted_while_the_channel_is_closed(time: Time) -> None:
    pace = Pace("test", 10)
    await pace.turn()
    pace.take()
    paused_s = pace.close()
    began_s = time.now_s
    await pace.turn()
    assert time.now_s - began_s >= paused_s - 1e-6


async def test_only_many_different_failures_in_a_row_close_the_channel(time: Time) -> None:
    pace = Pace("test", 10)
    ids = [UUID(int=number) for number in range(DEFERRED_IN_A_ROW_MAX)]
    for _ in range(3):
        for id_ in ids[1:]:
            pace.deferred(id_)
        pace.answered()
    for _ in range(3 * DEFERRED_IN_A_ROW_MAX):
        pace.deferred(ids[0])
    assert pace.closed_for_s == 0
    for id_ in ids:
        pace.deferred(id_)
    assert pace.closed_for_s > 0


async def test_an_unused_turn_is_neither_used_up_nor_saved_up(time: Time) -> None:
    pace = Pace("test", 10)
    for _ in range(5):
        await pace.turn()
        time.now_s += 1
    assert await turns(pace, time, 3) == [0.0, 0.1, 0.2]


async def test_oversleeping_does_not_slow_it_down(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(seconds: float) -> None:
        time.now_s += seconds + 0.02

    monkeypatch.setattr(time, "sleep", sleep)
    assert (await turns(Pace("test", 10), time, 11))[-1] == pytest.approx(1.0, abs=0.03)


def test_a_message_is_retried_after_growing_pauses_up_to_a_limit() -> None:
    for tries in range(40):
        for _ in range(20):
            after_s = retry_after_s(tries, 5, 900)
            assert 2.5 <= after_s <= min(900, max(5, 5 * 2**tries))
    assert max(retry_after_s(30, 5, 900) for _ in range(100)) > 450
