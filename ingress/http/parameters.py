"""Parameters that many operations have: ids in paths, periods, cursors of lists."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Path, Query
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from contracts.fields import DateOrInstant, Id, Instant
from ingress.http.problems import Problem, invalid, not_found

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
CURSOR_CHARACTERS_MAX = 2_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_ID: TypeAdapter[UUID] = TypeAdapter(Id)
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def _id(value: Any) -> UUID:
    try:
        return _ID.validate_python(value)
    except ValidationError:
        raise not_found() from None


PathId = Annotated[UUID, Path(), BeforeValidator(_id)]
"""An id in a path. A malformed one identifies nothing, so it is 404, not 422."""

From = Annotated[
    DateOrInstant | None,
    Query(alias="from", description="first date (in the clinic's time zone) or instant, inclusive"),
]
To = Annotated[
    DateOrInstant | None,
    Query(
        alias="to",
        description="last date (in the clinic's time zone), inclusive, or the first instant that is excluded",
    ),
]


def bound(pointer: Literal["/from", "/to"], day: date | None, zone: ZoneInfo) -> datetime | None:
    """The instant meant by an instant (itself) or by a date: its midnight, for `/to` the next day's.

    Raises:
        Problem: 422, that midnight is out of range in UTC.
    """
    if day is None or isinstance(day, datetime):
        return day
    days = timedelta(days=1 if pointer == "/to" else 0)
    try:
        return INSTANT.validate_python(datetime.combine(day + days, time.min, zone))
    except ValidationError as error:
        raise invalid(pointer, "instant", error.errors()[0]["msg"]) from None


Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="items per page")]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the previous page; for the first page leave it out")
]


def cursor_after(key: Sequence[str]) -> str:
    """The cursor after the item with this key. It holds a key, not a count: inserts do not shift pages."""
    return urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).rstrip(b"=").decode()


def key_before(cursor: str, parts: int) -> list[str]:
    """The key of the last item seen.

    Raises:
        Problem: 422, the cursor is not one of this list.
    """
    try:
        if len(cursor) > CURSOR_CHARACTERS_MAX:
            raise bad_cursor()
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise bad_cursor() from None
    if not isinstance(key, list) or len(key) != parts or not all(map(_is_text, key)):
        raise bad_cursor()
    return key


def after_time_and_id(instant: datetime, id_: UUID) -> str:
    """The cursor of what comes after an item in a list by time."""
    return cursor_after([instant.isoformat(), str(id_)])


def time_and_id_before(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The key of the last item seen in a list by time; None for the first page.

    Raises:
        Problem: 422, the cursor is not one of this list.
    """
    if cursor is None:
        return None
    instant, id_ = key_before(cursor, 2)
    try:
        return INSTANT.validate_python(instant), UUID(id_)
    except ValueError:
        raise bad_cursor() from None


def _is_text(part: object) -> bool:
    # Only what Postgres can compare: neither NUL nor lone surrogates, which JSON can spell.
    return isinstance(part, str) and "\0" not in part and not _SURROGATE.search(part)


def bad_cursor() -> Problem:
    """The problem with a cursor that is not one of this list."""
    return invalid("/cursor", "bad_cursor", "Invalid cursor.")
