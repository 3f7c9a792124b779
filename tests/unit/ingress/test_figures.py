"""Figures: the parts of a period, open time where clocks change, and the media type of the answer."""

import inspect
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from contracts.doctors import Hours, Policy
from contracts.fields import DAY_END
from ingress.analytics.open_time import OpenTime, open_time
from ingress.analytics.period import FiguresPeriod, Grouping
from ingress.analytics.tables import best_media_type, csv_text
from scheduling.opening_hours import Interval
from scheduling.state import Doctor, TimeOff

ROUND_THE_CLOCK = tuple(Hours(weekday=day, starts=time(0), ends=DAY_END) for day in range(1, 8))
OFFERED = ("application/json", "text/csv")
# Around changes of the clocks: at midnight, back over midnight, and by a whole day that is left out.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/Havana", "2026-11-01"),
    ("America/Havana", "2026-03-08"),
    ("America/St_Johns", "2006-10-29"),
    ("Pacific/Apia", "2011-12-30"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Asia/Kathmandu", "2026-01-01"),
]


def doctor(time_zone: str, *time_off: Interval) -> Doctor:
    return Doctor(
        id=UUID(int=1),
        name="Dr. Test",
        specialty="tests",
        time_zone=time_zone,
        active=True,
        visit_types=(),
        policy=Policy(),
        hours=ROUND_THE_CLOCK,
        time_off=tuple(TimeOff(UUID(int=number), when, None) for number, when in enumerate(time_off)),
    )


def opened(parts: list[Interval], *doctors: Doctor) -> OpenTime:
    steps = open_time(doctors, parts)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: OpenTime = end.value
        return found


def asked(around: str, by: Grouping, time_zone: str, days: int = 3) -> FiguresPeriod:
    day = date.fromisoformat(around)
    return FiguresPeriod(day - timedelta(days=days), day + timedelta(days=days), by, time_zone)


@pytest.mark.parametrize(("time_zone", "change"), CHANGES)
@pytest.mark.parametrize("by", [Grouping.DAY, Grouping.WEEK, Grouping.MONTH])
def test_parts_follow_each_other_without_gaps(time_zone: str, change: str, by: Grouping) -> None:
    period = asked(change, by, time_zone)
    [whole] = asked(change, Grouping.DOCTOR, time_zone).parts

    assert len(period.parts) == len(period.dates)
    assert (period.parts[0].starts, period.parts[-1].ends) == whole
    for former, latter in zip(period.parts, period.parts[1:], strict=False):
        assert former.starts <= former.ends == latter.starts


@pytest.mark.parametrize(("time_zone", "change"), CHANGES)
@pytest.mark.parametrize("clinic_zone", ["Europe/Berlin", "America/New_York"])
def test_a_doctor_who_is_always_there_is_open_all_the_time(
    time_zone: str, change: str, clinic_zone: str
) -> None:
    for zone in (clinic_zone, time_zone):
        parts = asked(change, Grouping.DAY, zone).parts

        found = opened(parts, doctor(time_zone))

        durations = [found.get((UUID(int=1), number), timedelta()) for number, _ in enumerate(parts)]
        assert durations == [part.ends - part.starts for part in parts], zone


def test_time_off_counts_once_however_often_it_was_taken() -> None:
    [period] = asked("2026-01-07", Grouping.DOCTOR, "UTC", days=0).parts

    def at(hour: int) -> datetime:
        return datetime(2026, 1, 7, hour, tzinfo=UTC)

    time_off = [
        Interval(at(10), at(12)),
        Interval(at(8), at(11)),
        Interval(at(9), at(10)),
        Interval(at(12), at(13)),
        Interval(at(22), at(23) + timedelta(days=1)),
        Interval(at(1) - timedelta(days=9), at(1) - timedelta(days=8)),
    ]
    found = opened([period], doctor("UTC", *time_off))

    assert found == {(UUID(int=1), 0): timedelta(hours=24 - 5 - 2)}


def test_work_is_done_in_steps() -> None:
    steps = open_time([doctor("UTC")], asked("2026-06-01", Grouping.DAY, "UTC", days=180).parts)
    assert inspect.isgenerator(steps)
    assert sum(1 for _ in steps) >= 7


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv, */*", "application/json"),
        ("text/csv, application/json;q=0.9", "text/csv"),
        ("text/csv;q=0.9, application/json", "application/json"),
        ("text/*;q=0.5, */*;q=0.4", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("text/csv;q=nan, text/csv;q=2, text/csv;q=-1, text/csv;q=", "application/json"),
        ("text/csv;header=present; Q=0.1", "text/csv"),
        (";,;q=1,=,", "application/json"),
    ],
)
def test_the_media_type_is_the_one_that_is_preferred(accept: str, best: str) -> None:
    assert best_media_type(accept, OFFERED) == best


def test_a_text_that_would_be_a_formula_is_none_and_a_number_stays() -> None:
    row = ["=1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "", None, -1.5, 2]

    assert csv_text(["a"], [row]) == "a\r\n'=1,'+1,'-1,'@x,'\tx,\"'\rx\",x=1,,,-1.5,2\r\n"
