"""Challenges of passkeys count once, in time, and for what they were made for, whatever Redis does."""

from datetime import timedelta
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from infra import clock
from infra.keys import Keys
from infra.settings import Settings
from ingress.login.passkeys.challenges import VALID_FOR, PasskeyChallenges, Purpose

PERSON = clock.new_id()
HANDLE = bytes(range(32))


class Kept:
    """Stands for a Redis that has no expiry."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def set(self, name: str, value: bytes, **_: Any) -> None:
        self.values[name] = value

    async def getdel(self, name: str) -> bytes | None:
        return self.values.pop(name, None)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def challenges(kept: Kept) -> PasskeyChallenges:
    return PasskeyChallenges(Settings(namespace="t."), cast(Redis, kept), Keys(bytes(32)))


async def test_is_taken_back_once_as_it_was_made(challenges: PasskeyChallenges) -> None:
    made = await challenges.make(Purpose.REGISTRATION, PERSON, HANDLE)

    assert await challenges.take(made.id, Purpose.REGISTRATION, PERSON) == made
    assert await challenges.take(made.id, Purpose.REGISTRATION, PERSON) is None
    assert made.user_handle == HANDLE


async def test_is_not_kept_as_it_is(challenges: PasskeyChallenges, kept: Kept) -> None:
    made = await challenges.make(Purpose.REGISTRATION, PERSON, HANDLE)

    [(name, sealed)] = kept.values.items()
    assert name == f"t.passkey:{made.id}"
    assert made.challenge not in sealed
    assert str(PERSON).encode() not in sealed


async def test_of_another_person_or_purpose_is_over(challenges: PasskeyChallenges) -> None:
    for purpose, person in ((Purpose.LOGIN, None), (Purpose.LOGIN, PERSON), (Purpose.REGISTRATION, None)):
        made = await challenges.make(Purpose.REGISTRATION, PERSON, HANDLE)
        assert await challenges.take(made.id, purpose, person) is None
        assert await challenges.take(made.id, Purpose.REGISTRATION, PERSON) is None


async def test_put_back_later_is_over(
    challenges: PasskeyChallenges, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await challenges.make(Purpose.LOGIN)
    stolen = dict(kept.values)
    now = clock.now()

    monkeypatch.setattr(clock, "now", lambda: now + VALID_FOR - timedelta(seconds=1))
    assert await challenges.take(made.id, Purpose.LOGIN) is not None

    kept.values.update(stolen)
    monkeypatch.setattr(clock, "now", lambda: now + VALID_FOR + timedelta(seconds=1))
    assert await challenges.take(made.id, Purpose.LOGIN) is None
