"""Free slots are computed in short steps, bounded per answer, and cached within a number of bytes."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from contracts.doctors import Hours, Policy, VisitType
from ingress.availability import days
from ingress.availability.cache import ByteBounded
from ingress.availability.days import (
    STARTS_MAX,
    STARTS_PER_STEP,
    Day,
    Days,
    KnownDays,
    OccupiedList,
    compute_days,
)
from scheduling import slots
from scheduling.opening_hours import Interval
from scheduling.state import Doctor, OccupiedTimes

MONDAY = date(2026, 11, 30)
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SHORT = VisitType(code="short", name="Short", minutes=1)


def doctor(slot_minutes: int) -> Doctor:
    hours = [Hours(weekday=day, starts=time(0), ends=time(23, 59)) for day in range(1, 8)]
    return Doctor(
        id=UUID(int=1),
        name="Dr. Busy",
        specialty="tests",
        time_zone="Europe/Berlin",
        active=True,
        visit_types=(SHORT,),
        policy=Policy(slot_minutes=slot_minutes, horizon_days=90),
        hours=tuple(hours),
    )


def micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000


class Computation:
    """A computation of 62 days with the days known before."""

    def __init__(self, slot_minutes: int = 1, booked: list[datetime] | None = None) -> None:
        self.doctor = doctor(slot_minutes)
        self.known: dict[date, Day] = {}
        self.book(booked or [])

    def book(self, booked: list[datetime]) -> None:
        starts = [micros(instant) for instant in booked]
        self.occupied = OccupiedList(starts, [start + 60_000_000 for start in starts])

    def run(self, now: datetime = NOW) -> tuple[Days, int]:
        """The result and the number of steps."""
        known = KnownDays(self.known.get, self.known.__setitem__)
        until = MONDAY + timedelta(days=61)
        steps = compute_days(self.doctor, SHORT, MONDAY, until, self.occupied, known, now)
        count = 0
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Days = end.value
                return result, count
            count += 1


@pytest.mark.parametrize("all_taken", [False, True])
def test_no_step_examines_more_starts_than_a_millisecond_allows(
    monkeypatch: pytest.MonkeyPatch, all_taken: bool
) -> None:
    looked_at = 0

    def counting(*arguments: object) -> bool:
        nonlocal looked_at
        looked_at += 1
        return not all_taken

    monkeypatch.setattr(days, "is_free", counting)
    computation = Computation()
    steps = compute_days(
        computation.doctor,
        SHORT,
        MONDAY,
        MONDAY + timedelta(days=61),
        computation.occupied,
        KnownDays(lambda _: None, lambda *_: None),
        NOW,
    )
    for _ in steps:
        assert looked_at <= STARTS_PER_STEP
        looked_at = 0
    assert looked_at <= STARTS_PER_STEP


def test_an_answer_ends_after_the_day_that_reaches_the_limit() -> None:
    result, _ = Computation(slot_minutes=1).run()

    assert len(result.bodies) == STARTS_MAX // (24 * 60 - 1) + 1
    assert result.ends_on == MONDAY + timedelta(days=len(result.bodies) - 1)
    every_quarter, _ = Computation(slot_minutes=15).run()
    assert every_quarter.ends_on == MONDAY + timedelta(days=61), "62 days of the usual grid fit"


def test_after_a_booking_only_the_days_near_it_are_computed_again() -> None:
    computation = Computation(slot_minutes=15)
    before, all_steps = computation.run()
    again, steps = computation.run()
    assert (again, steps) == (before, 0)

    computation.book([datetime(2026, 12, 20, 9, tzinfo=UTC)])
    after, some_steps = computation.run()

    changed = [
        number
        for number, (old, new) in enumerate(zip(before.bodies, after.bodies, strict=True))
        if old != new
    ]
    assert changed == [20]
    assert 0 < some_steps < all_steps / 10
    assert after == Computation(15, [datetime(2026, 12, 20, 9, tzinfo=UTC)]).run()[0]


def test_a_day_is_computed_again_when_a_slot_falls_within_the_notice_period() -> None:
    computation = Computation(slot_minutes=15)
    before, _ = computation.run()

    later = before.good_until + timedelta(minutes=1)
    after, steps = computation.run(later)

    assert steps > 0
    assert after.bodies != before.bodies
    assert after == Computation(15).run(later)[0]


def test_days_that_nobody_can_book_are_not_computed() -> None:
    computation = Computation(slot_minutes=15)
    far_ahead = NOW - timedelta(days=88)  # the horizon is 90 days

    before, steps = computation.run(far_ahead)

    empty = [body for body in before.bodies if body.endswith(b'"slots":[]}')]
    assert (len(empty), steps) == (62 - 2, 4 * 2), "with two days more, as zones differ"
    assert before.good_until < NOW
    for now in (before.good_until, NOW, NOW + timedelta(days=40), NOW + timedelta(days=63)):
        assert computation.run(now)[0].bodies == Computation(15).run(now)[0].bodies
    assert computation.run(NOW + timedelta(days=70))[1] == 0, "all days are over"


def test_every_free_slot_would_be_accepted() -> None:
    computation = Computation(15, [datetime(2026, 12, 1, 9, tzinfo=UTC)])
    result, _ = computation.run()
    occupied = OccupiedTimes()
    nine = datetime(2026, 12, 1, 9, tzinfo=UTC)
    occupied.add(Interval(nine, nine + timedelta(minutes=1)), UUID(int=2))

    free = list(slots.free_slots(computation.doctor, SHORT, MONDAY + timedelta(days=1), occupied))

    assert result.bodies[1].count(b"starts_at") == len(free)


class TestTheCache:
    def test_is_bounded_in_bytes_and_drops_the_least_recently_used(self) -> None:
        kept = ByteBounded(bytes_max=100)
        for key in "abc":
            kept.put(key, key.upper(), 30)
        assert kept.get("a") == "A"

        kept.put("d", "D", 40)

        assert [kept.get(key) for key in "abcd"] == ["A", None, "C", "D"]
        assert kept.bytes == 100

    def test_counts_an_entry_once(self) -> None:
        kept = ByteBounded(bytes_max=100)
        for size in (90, 50, 10):
            kept.put("a", size, size)
        assert (kept.get("a"), kept.bytes) == (10, 10)

    def test_rejects_an_entry_larger_than_itself_and_drops_nothing_for_it(self) -> None:
        kept = ByteBounded(bytes_max=100)
        kept.put("a", "A", 60)
        kept.put("b", "B", 101)
        assert (kept.get("a"), kept.get("b"), kept.bytes) == ("A", None, 60)
