"""Cursors: where a page ended, opaque to the client. Keys, not counts, so that inserts do not shift pages."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query

from ingress.problems import Problem, invalid

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200
CURSOR_CHARACTERS_MAX = 2_000
_SURROGATE = re.compile("[\ud800-\udfff]")

Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="items per page")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]


def cursor_after(key: Sequence[str]) -> str:
    """The cursor behind the item with this key."""
    return urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).rstrip(b"=").decode()


def key_before(cursor: str, parts: int) -> list[str]:
    """The key of the last item seen.

    Raises:
        Problem: 422, this is no cursor of this list.
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


def _is_text(part: object) -> bool:
    # Only what Postgres can compare: neither NUL nor lone surrogates, which JSON can spell.
    return isinstance(part, str) and "\0" not in part and not _SURROGATE.search(part)


def bad_cursor() -> Problem:
    """The problem with a cursor that this list never gave."""
    return invalid("/cursor", "bad_cursor", "This is no cursor of this list.")
