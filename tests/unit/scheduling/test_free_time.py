"""The free time that remains of an interval when parts of it are taken."""

from datetime import UTC, datetime

import pytest

from scheduling.opening_hours import Interval, without


def hours(starts: int, ends: int) -> Interval:
    return Interval(datetime(2026, 3, 9, starts, tzinfo=UTC), datetime(2026, 3, 9, ends, tzinfo=UTC))


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([], [(9, 17)]),
        ([(9, 17)], []),
        ([(8, 18)], []),
        ([(12, 13)], [(9, 12), (13, 17)]),
        ([(8, 10), (16, 20)], [(10, 16)]),
        ([(10, 12), (11, 13), (13, 14)], [(9, 10), (14, 17)]),
        ([(10, 15), (11, 12)], [(9, 10), (15, 17)]),
        # Before or after the interval, touching it or not: nothing of it is taken.
        ([(6, 7), (7, 9), (17, 19), (20, 21)], [(9, 17)]),
        ([(10, 11), (20, 21)], [(9, 10), (11, 17)]),
    ],
)
def test_the_remaining_time(taken: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    expected = [hours(*period) for period in left]
    assert list(without(hours(9, 17), [hours(*period) for period in reversed(taken)])) == expected
