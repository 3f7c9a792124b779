"""Each kind of value is strict: one notation, no guessing, nothing that cannot be stored or shown."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import StrictBool, StrictInt, TypeAdapter, ValidationError

from contracts.fields import DAY_END, Date, EndTime, Id, Instant, WallTime, rfc3339


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refused(kind: Any, value: object) -> str:
    """The code of the first error."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return caught.value.errors()[0]["type"]


NINE = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-09T09:00:00Z",
        "2026-03-09t09:00:00z",
        "2026-03-09T10:00:00+01:00",
        "2026-03-08T23:00:00-10:00",
        "2026-03-09T09:00:00-00:00",
        "2026-03-09T09:00:00.0Z",
        "2026-03-09T09:00:00.000000000+00:00",
    ],
)
def test_an_instant_is_rfc_3339_and_utc_inside(text: str) -> None:
    instant = read(Instant, text)

    assert (instant, instant.tzinfo) == (NINE, UTC)


@pytest.mark.parametrize("value", [1_770_000_000, 1_770_000_000.5, "1770000000", True, None, [], {}])
def test_epoch_numbers_and_other_types_are_not_instants(value: object) -> None:
    assert refused(Instant, value) == "instant"


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-09T09:00:00",
        "2026-03-09T09:00Z",
        "2026-03-09",
        "2026-03-09 09:00:00Z",
        "20260309T090000Z",
        "2026-W11-1T09:00:00Z",
        "2026-3-9T09:00:00Z",
        "2026-03-09T09:00:00,5Z",
        "2026-03-09T09:00:00.Z",
        "2026-03-09T09:00:00+01",
        "2026-03-09T09:00:00+0100",
        "2026-03-09T09:00:00 Z",
        "2026-03-09T09:00:00Z\n",
        "２026-03-09T09:00:00Z",
        "+2026-03-09T09:00:00Z",
        "2026-03-09T09:00:00\ud800",
        "",
    ],
)
def test_without_its_offset_or_in_another_form_it_is_not_an_instant(text: str) -> None:
    assert refused(Instant, text) == "instant"


def test_a_naive_datetime_is_not_an_instant() -> None:
    assert refused(Instant, NINE.replace(tzinfo=None)) == "instant"


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-00-10T09:00:00Z",
        "2026-03-09T24:00:00Z",
        "2026-03-09T09:60:00Z",
        "2026-03-09T09:00:61Z",
        "2026-03-09T09:00:00+24:00",
        "2026-03-09T09:00:00+99:99",
    ],
)
def test_a_date_or_time_that_does_not_exist_is_refused(text: str) -> None:
    assert refused(Instant, text) == "instant"


@pytest.mark.parametrize("offset", ["+10:60", "+10:75", "-00:99"])
def test_an_offset_has_no_more_than_59_minutes(offset: str) -> None:
    # RFC 3339 section 5.6: time-numoffset's minutes are time-minute, 00-59.
    assert refused(Instant, f"2026-03-09T09:00:00{offset}") == "instant"


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1899-12-31T23:59:59Z",
        "1900-01-01T00:00:00+00:01",
        "2199-12-31T23:59:59-00:01",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_years_out_of_range_are_refused_whatever_the_offset(text: str) -> None:
    assert refused(Instant, text) == "instant"


@pytest.mark.parametrize(
    "value",
    [
        datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2200, 1, 1, tzinfo=UTC),
        datetime(2199, 12, 31, 19, tzinfo=ZoneInfo("America/New_York")),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_datetime_object_is_checked_too(value: datetime) -> None:
    # It would be written as JSON that no reader accepts.
    assert refused(Instant, value) == "instant"


def test_the_first_and_the_last_instant_are_accepted() -> None:
    for first in ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=ZoneInfo("America/New_York"))):
        assert read(Instant, first).year == 1900
    for last in ("2199-12-31T23:59:59.999999Z", datetime(2200, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))):
        assert read(Instant, last).year == 2199


def test_an_instant_is_written_with_z_or_its_own_offset() -> None:
    assert rfc3339(NINE) == "2026-03-09T09:00:00Z"
    assert rfc3339(datetime.fromisoformat("2026-03-09T10:00:00+01:00")) == "2026-03-09T10:00:00+01:00"
    assert TypeAdapter(Instant).dump_json(NINE) == b'"2026-03-09T09:00:00Z"'


def test_dates_are_years_months_and_days() -> None:
    assert read(Date, "2024-02-29") == date(2024, 2, 29)
    assert read(Date, "2199-12-31") == date(2199, 12, 31)


def test_the_first_day_of_1900_is_a_date() -> None:
    assert read(Date, "1900-01-01") == date(1900, 1, 1)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-29", "2026-13-01", "20260309", "2026-W11-1", "2026-03-09T00:00:00Z", "2026-03-09\n",
        "1899-12-31", "2200-01-01", "0000-01-01", "٢026-03-09", "", 20_000, True, None, NINE,
    ],
)  # fmt: skip
def test_anything_else_is_not_a_date(value: object) -> None:
    assert refused(Date, value) == "date"


def test_only_an_end_may_be_24_00() -> None:
    assert (read(EndTime, "24:00"), read(EndTime, "23:59")) == (DAY_END, time(23, 59))
    assert time(23, 59) < DAY_END
    assert [TypeAdapter(EndTime).dump_json(end) for end in (DAY_END, time(9, 5))] == [b'"24:00"', b'"09:05"']
    for value in ("24:01", "24:00:00", "25:00", 24, None, ""):
        assert refused(EndTime, value) == "wall_time"
    assert refused(WallTime, "24:00") == "wall_time"


def test_wall_times_are_hours_and_minutes() -> None:
    assert (read(WallTime, "00:00"), read(WallTime, "23:59")) == (time(0), time(23, 59))
    assert TypeAdapter(WallTime).dump_json(time(9, 5)) == b'"09:05"'


@pytest.mark.parametrize(
    "value", ["24:00", "09:60", "9:00", "09:00:00", "09:00Z", "0900", "09:00\n", "٠9:00", "", 540, None, True]
)
def test_anything_else_is_not_a_wall_time(value: object) -> None:
    assert refused(WallTime, value) == "wall_time"


def test_an_id_is_a_uuid_in_one_form() -> None:
    text = "C0000000-0000-5000-8000-00000000000a"

    assert read(Id, text) == read(Id, text.lower()) == UUID(text)


@pytest.mark.parametrize(
    "value",
    [
        "c000000000005000800000000000000a", "{c0000000-0000-5000-8000-00000000000a}", "17", "", 17, None,
        "urn:uuid:c0000000-0000-5000-8000-00000000000a", "c0000000-0000-5000-8000-00000000000a\n",
        "c0000000-0000-5000-8000-00000000000g", "c00000000-000-5000-8000-00000000000a", b"\x00" * 16,
    ],
)  # fmt: skip
def test_anything_else_is_not_an_id(value: object) -> None:
    assert refused(Id, value) == "uuid"


@pytest.mark.parametrize("value", [True, False, 1.0, 1.5, "1", None])
def test_a_whole_number_is_not_a_flag_a_fraction_or_text(value: object) -> None:
    assert refused(StrictInt, value).startswith("int")


@pytest.mark.parametrize("value", [0, 1, "true", "yes", None])
def test_a_flag_is_true_or_false(value: object) -> None:
    assert refused(StrictBool, value) == "bool_type"
