"""The start of a visit as it was promised: local time, offset from UTC and time zone (RFC 9557).

The rules of a zone may change after a booking. The visit then still has its instant, and the promise tells
the local time that patient and clinic agreed on.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, Strict
from pydantic_core import PydanticCustomError


def _can_be_read(text: str) -> str:
    try:
        datetime.fromisoformat(text.partition("[")[0])
    except ValueError:
        raise PydanticCustomError("instant", "There is no such date and time") from None
    return text


PromisedStart = Annotated[
    str,
    Strict(),
    Field(
        max_length=100,
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d(:\d\d)?\[[A-Za-z0-9_+/-]+\]$",
    ),
    AfterValidator(_can_be_read),
]
"""A promise in a message or a row: `2027-03-15T08:00:00+02:00[Europe/Berlin]`."""


class Promise(NamedTuple):
    """`local` has the offset that was promised, `time_zone` is the doctor's IANA zone at that time."""

    local: datetime
    time_zone: str

    @classmethod
    def of(cls, starts_at: datetime, time_zone: str) -> "Promise":
        """The promise of a visit by the zone's rules as this process knows them."""
        return cls(starts_at.astimezone(ZoneInfo(time_zone)), time_zone)

    @classmethod
    def read(cls, text: str | None, starts_at: datetime) -> "Promise | None":
        """The promise for a visit that starts then; None if there is none, or only that of another time.

        An earlier release, which knows no promises, may have moved the visit and left the promise as it was.
        """
        if text is None:
            return None
        local, _, rest = text.partition("[")
        promise = cls(datetime.fromisoformat(local), rest.removesuffix("]"))
        return promise if promise.local == starts_at else None

    def __str__(self) -> str:
        return f"{self.local.isoformat()}[{self.time_zone}]"

    @property
    def offset(self) -> timedelta:
        """The offset from UTC that was promised."""
        offset = self.local.utcoffset()
        assert offset is not None, "it is part of the text"
        return offset

    @property
    def is_kept(self) -> bool:
        """True if at the visit's start the zone's clocks show the promised time, by the rules of today."""
        return self.local.astimezone(UTC).astimezone(ZoneInfo(self.time_zone)).utcoffset() == self.offset
