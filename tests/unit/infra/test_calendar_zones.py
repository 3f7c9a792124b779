"""A VTIMEZONE has the zone's rules, for a library that has no zone data of its own."""

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.tz import tzical  # type: ignore[import-untyped]

from infra.ical.zone import calendar_zone_text

HOUR = timedelta(hours=1)


def text(zone: str, year: int = 2026) -> str:
    content = calendar_zone_text(ZoneInfo(zone), datetime(year, 6, 1, tzinfo=UTC))
    return content.decode().replace("\r\n", "\n")


def test_the_rules_of_berlin() -> None:
    assert text("Europe/Berlin") == (
        "BEGIN:VTIMEZONE\n"
        "TZID:Europe/Berlin\n"
        "BEGIN:DAYLIGHT\n"
        "DTSTART:20250330T020000\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n"
        "TZNAME:CEST\n"
        "TZOFFSETFROM:+0100\n"
        "TZOFFSETTO:+0200\n"
        "END:DAYLIGHT\n"
        "BEGIN:STANDARD\n"
        "DTSTART:20251026T030000\n"
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\n"
        "TZNAME:CET\n"
        "TZOFFSETFROM:+0200\n"
        "TZOFFSETTO:+0100\n"
        "END:STANDARD\n"
        "END:VTIMEZONE\n"
    )


@pytest.mark.parametrize(
    ("zone", "rules"),
    [
        ("America/New_York", ["FREQ=YEARLY;BYDAY=1SU;BYMONTH=11", "FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"]),
        ("Europe/Dublin", ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"]),
        ("Asia/Kathmandu", []),
        ("Africa/Casablanca", []),
    ],
)
def test_zones_with_yearly_rules(zone: str, rules: list[str]) -> None:
    lines = text(zone).split("\n")

    assert sorted(line.removeprefix("RRULE:") for line in lines if line.startswith("RRULE:")) == rules


def test_irish_winter_is_the_standard_time_that_calendars_expect() -> None:
    standard = text("Europe/Dublin").partition("BEGIN:STANDARD")[2]

    assert "TZNAME:GMT" in standard
    assert "TZNAME:IST" not in standard


@pytest.mark.parametrize("year", [2016, 2026, 2036])
def test_every_zone_is_right_every_half_day_and_around_each_change(year: int) -> None:
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        known = tzical(io.StringIO(text(name, year))).get(name)
        at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        offset = at.astimezone(zone).utcoffset()
        while at < end:
            local = at.astimezone(zone)
            moments = [local]
            if local.utcoffset() != offset:
                moments = [(at - number * HOUR / 2).astimezone(zone) for number in range(28)]
            offset = local.utcoffset()
            for moment in moments:
                if not moment.fold:  # a repeated hour means its first occurrence to every calendar
                    shown_offset = moment.replace(tzinfo=known).utcoffset()
                    assert shown_offset == moment.utcoffset(), f"{moment} in {name}"
            at += 12 * HOUR
