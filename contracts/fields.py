"""Types of values that cross a process boundary. Each is strict: no epoch numbers, no control characters.

Messages are read leniently (`Model`, `OrNewer`), because a newer release may have written them.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, time
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WALL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_WALL_TIME_SCHEMA = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
# C0, DEL and C1, except for line feed and tab where a text may have several lines.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Fillers of Hangul and hieroglyphs, the blank Braille pattern, the null notehead.
_INKLESS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159\U00013441\U00013442")
# Those of the locked package, whatever else the machine knows ("localtime"). "Factory" means: not set.
_TIME_ZONES = frozenset(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}
# Well within the range of `datetime`, so that no zone or buffer can leave it. The upper bound is exclusive.
_INSTANT_MIN = datetime(1900, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)
DAY_END = time.max
"""24:00, which `time` cannot express: later than any wall time to the minute."""


class Model(BaseModel):
    """Immutable. Unknown fields are ignored, at every depth: a newer release may have added them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StrictModel(Model):
    """For what clients send: unknown fields are refused. Models inside of it have to be strict, too."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _is_visible(cls, value: Any) -> Any:
        # Not a part of the types: messages of earlier releases have to be readable whatever they hold.
        if isinstance(value, str) and not any(map(_shows, value)):
            raise PydanticCustomError("blank", "The text has nothing visible")
        return value

    def said(self) -> dict[str, Any]:
        """The JSON that the client sent, without the defaults of fields that it left out."""
        return self.model_dump(mode="json", exclude_unset=True)


def _instant(value: Any) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:
            raise PydanticCustomError("instant", "There is no such date and time") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PydanticCustomError("instant", "An RFC 3339 date and time with its offset is needed")
    if not _INSTANT_MIN <= value < INSTANT_MAX:
        raise PydanticCustomError("instant", "The years 1900 to 2199 (UTC) are supported")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "A UUID is needed (8-4-4-4-12 hexadecimal digits)")
    return UUID(value)


def _date(value: Any) -> date:
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise PydanticCustomError("date", "A date is needed (YYYY-MM-DD)")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("date", "There is no such date") from None
    if not _INSTANT_MIN.date() <= day < INSTANT_MAX.date():
        raise PydanticCustomError("date", "The years 1900 to 2199 are supported")
    return day


def _date_or_instant(value: Any) -> date:
    return _date(value) if isinstance(value, str) and _DATE.fullmatch(value) else _instant(value)


def _wall_time(value: Any) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _WALL_TIME.fullmatch(value):
        raise PydanticCustomError("wall_time", "A time of day is needed (HH:MM, 00:00 to 23:59)")
    return time.fromisoformat(value)


def _end_time(value: Any) -> time:
    if value == "24:00":
        return DAY_END
    try:
        return _wall_time(value)
    except PydanticCustomError as error:
        raise PydanticCustomError(error.type, "A time of day is needed (HH:MM, 00:00 to 24:00)") from None


def end_time_text(value: time) -> str:
    """`12:30`, or `24:00`."""
    return "24:00" if value == DAY_END else value.isoformat("minutes")


def _no_control(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "Control characters are not allowed")
    return _not_blank(value)


def _no_control_in_lines(value: str) -> str:
    if _CONTROL_IN_LINES.search(value):
        raise PydanticCustomError("control_character", "Control characters are not allowed")
    return _not_blank(value)


def _shows(character: str) -> bool:
    """A letter, digit, punctuation mark or symbol, which is not among those that have no ink."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _INKLESS


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "The text is empty")
    return value


def _time_zone(value: str) -> str:
    if value not in _TIME_ZONES:
        raise PydanticCustomError("time_zone", "An IANA time zone is needed, such as Europe/Berlin")
    return value


def rfc3339(instant: datetime) -> str:
    """`2026-11-25T09:00:00Z`, or with the offset of the instant's own zone."""
    text = instant.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


Instant = Annotated[datetime, BeforeValidator(_instant)]
"""An instant, UTC inside. RFC 3339 with an offset outside."""

Id = Annotated[UUID, BeforeValidator(_uuid)]
Date = Annotated[date, BeforeValidator(_date)]

DateOrInstant = Annotated[
    date, PlainValidator(lambda value: _date_or_instant(value), json_schema_input_type=str)
]
"""Either, for the limits of a period."""

WallTime = Annotated[
    time,
    BeforeValidator(_wall_time),
    PlainSerializer(lambda value: value.isoformat("minutes"), str, when_used="json"),
    WithJsonSchema(_WALL_TIME_SCHEMA),
]
"""A local time of day, to the minute. No JSON Schema format fits: `time` has seconds and an offset."""

EndTime = Annotated[
    time,
    BeforeValidator(_end_time),
    PlainSerializer(end_time_text, str, when_used="json"),
    WithJsonSchema({"anyOf": [_WALL_TIME_SCHEMA, {"type": "string", "enum": ["24:00"]}]}),
]
"""A time of day at which something ends, to the minute; `DAY_END` is the end of the day."""

TimeZone = Annotated[str, Strict(), AfterValidator(_time_zone)]
SingleLineText = Annotated[str, Strict(), Field(min_length=1, max_length=200), AfterValidator(_no_control)]

MultiLineText = Annotated[
    str, Strict(), Field(min_length=1, max_length=2000), AfterValidator(_no_control_in_lines)
]
"""Free text, line feeds and tabs allowed."""

Code = Annotated[str, Strict(), Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""A short name for programs: lower-case letters, digits, `_` and `-`."""

K = TypeVar("K", bound=StrEnum)
OrNewer = Annotated[K | Code, Field(union_mode="left_to_right")]
"""A known value of an enumeration, or the code of one that a newer release has added."""


def or_newer(kind: type[K], code: str) -> K | str:
    """The known value of that code, or else the code itself."""
    try:
        return kind(code)
    except ValueError:
        return code


Ciphertext = Annotated[str, Strict(), Field(max_length=12_000, pattern=r"^[A-Za-z0-9_-]+$")]
"""Encrypted text, base64url without padding (RFC 4648, section 5)."""

Fingerprint = Annotated[str, Strict(), Field(pattern=r"^[0-9a-f]{32}$")]
"""A keyed hash of a request's content, 16 bytes in hex."""
