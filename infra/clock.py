"""The clock and random ids: nothing else reads the one or makes the other."""

import uuid
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, UTC."""
    return datetime.now(UTC)


def new_id() -> uuid.UUID:
    """A random id (RFC 9562, version 4)."""
    return uuid.uuid4()
