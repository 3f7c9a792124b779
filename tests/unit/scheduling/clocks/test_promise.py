"""The start of a visit as it was promised, beside its instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import infra  # noqa: F401 - the locked zone data
from contracts.promise import Promise, PromisedStart

SIX = datetime(2027, 3, 15, 6, tzinfo=UTC)
BY_OLDER_RULES = "2027-03-15T08:00:00+02:00[Africa/Lagos]"
PROMISED_START: TypeAdapter[str] = TypeAdapter(PromisedStart)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Africa/Lagos", "2027-03-15T07:00:00+01:00[Africa/Lagos]"),
        ("America/St_Johns", "2027-03-15T03:30:00-02:30[America/St_Johns]"),
        ("Asia/Kathmandu", "2027-03-15T11:45:00+05:45[Asia/Kathmandu]"),
        ("UTC", "2027-03-15T06:00:00+00:00[UTC]"),
        ("Etc/GMT+12", "2027-03-14T18:00:00-12:00[Etc/GMT+12]"),
    ],
)
def test_it_is_local_time_offset_and_zone(zone: str, text: str) -> None:
    promise = Promise.of(SIX, zone)

    assert str(promise) == PROMISED_START.validate_python(text)
    assert Promise.read(text, SIX) == promise
    assert promise.is_kept


def test_after_a_change_of_the_rules_it_is_not_kept() -> None:
    promise = Promise.read(BY_OLDER_RULES, SIX)

    assert promise is not None
    assert (promise.time_zone, promise.offset) == ("Africa/Lagos", timedelta(hours=2))
    assert not promise.is_kept


def test_the_promise_of_another_time_is_none() -> None:
    """A worker of an earlier release moved the visit."""
    assert Promise.read(BY_OLDER_RULES, SIX + timedelta(hours=1)) is None
    assert Promise.read(None, SIX) is None


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-15T08:00:00+02:00",
        "2027-03-15T08:00:00[Africa/Lagos]",
        "2027-03-15T08:00:00Z[Africa/Lagos]",
        "2027-13-15T08:00:00+02:00[Africa/Lagos]",
        "2027-03-15T08:00:00+02:00[Africa/Lagos]\n",
        7,
    ],
)
def test_anything_else_is_refused(text: Any) -> None:
    with pytest.raises(ValidationError):
        PROMISED_START.validate_python(text)
