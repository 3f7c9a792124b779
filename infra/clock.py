"""The clock, random ids and random numbers. Services use no other source of time or randomness."""

import random
import secrets
import time
import uuid
from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds since an arbitrary moment; never goes back, so it can measure durations."""
    return time.monotonic()


def new_id() -> uuid.UUID:
    """A random id (RFC 9562, version 4)."""
    return uuid.uuid4()


def new_secret(size: int) -> bytes:
    """Cryptographically secure random bytes."""
    return secrets.token_bytes(size)


def new_digits(count: int) -> str:
    """Cryptographically secure random decimal digits."""
    return f"{secrets.randbelow(10**count):0{count}}"


def jitter(low: float, high: float) -> float:
    """A random number between the two, to spread retries. Not cryptographically secure."""
    return random.uniform(low, high)  # noqa: S311 (spreads retries, keeps no secret)


def repeatable(seed: int) -> random.Random:
    """Random numbers that are always the same, for sample data. Not cryptographically secure."""
    return random.Random(seed)  # noqa: S311 (made-up data keep no secret)
