"""Codes by mail: asked for, sent by the notifier, and good for one proof (`contracts.challenges`).

A proof is a login, or that a patient can be reached at a new address or phone number.

Nothing here looks up whether an address is a patient's: known and unknown ones take the same steps until the
code has come back.
"""

import contextlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from contracts.challenges import Language, LoginChallenge, Secret, secret_key
from contracts.cloudevents import challenge_headers, challenge_key
from contracts.topics import LOGIN_CHALLENGES_TOPIC
from infra import clock
from infra.errors import NotSentError, TransientError
from infra.kafka.connection import topic_name
from infra.kafka.producer import append
from infra.keys import Keys
from infra.postgres import is_outage
from infra.redis import REDIS_OUTAGES
from infra.service import Service
from infra.settings import Settings
from ingress.http.problems import Code, Problem
from ingress.login.limits import GiveBack

CODE_DIGITS = 8
VALID_FOR = timedelta(minutes=10)
TRIES_MAX = 5
# For so long a code that was used is known again, as a refresh token is.
GRACE = timedelta(seconds=30)

# Counts the try and reads the secret and its end in one step, so that no number of parallel guesses gets more
# tries; the last one deletes the secret. A challenge that is unknown or over leaves no trace.
_TRY = """
local sealed = redis.call('GET', KEYS[1])
if not sealed then
    return false
end
local tries = redis.call('INCR', KEYS[2])
local ends_at = redis.call('PEXPIRETIME', KEYS[1])
if tries == 1 then
    redis.call('PEXPIREAT', KEYS[2], ends_at)
end
if tries >= tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[1])
end
return {tries, sealed, ends_at}
"""


@dataclass(frozen=True, slots=True)
class Proved:
    """The code was right: the address is the caller's, and so is the phone number if there is one."""

    email: str
    language: Language
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code was wrong, or the challenge is over. `email` is None for an unknown challenge."""

    tries_left: int
    email: str | None = None


class Challenges:
    """Asks for codes, and checks them."""

    def __init__(
        self, settings: Settings, redis: Redis, producer: AIOKafkaProducer, keys: Keys, service: Service
    ) -> None:
        self._redis = redis
        self._producer = producer
        self._keys = keys
        self._service = service
        self._namespace = settings.namespace
        self._topic = topic_name(settings, LOGIN_CHALLENGES_TOPIC)
        self._ack_timeout_s = settings.kafka_ack_timeout_ms / 1000
        self._try = redis.register_script(_TRY)

    async def begin(
        self,
        email: str,
        language: Language,
        give_back: GiveBack,
        *,
        person_id: UUID | None = None,
        phone: str | None = None,
    ) -> LoginChallenge:
        """Have a code sent to the address, or to the phone number. `person_id`: not for a login, but theirs.

        Calls `give_back` if nothing can have been sent.

        Raises:
            LogUnavailableError: the broker did not acknowledge it in time.
            TransientError: Redis does not answer.
        """
        code = clock.new_digits(CODE_DIGITS)
        secret = Secret(code=code, email=email, language=language, person_id=person_id, phone=phone)
        challenge = LoginChallenge(
            challenge_id=clock.new_id(), patient_id=None, expires_at=clock.now() + VALID_FOR
        )
        sealed = self._keys.seal_challenge(challenge.challenge_id, secret.model_dump_json().encode())
        try:
            await self._redis.set(self._key(challenge.challenge_id), sealed, pxat=challenge.expires_at)
        except REDIS_OUTAGES as error:
            await give_back()
            raise TransientError("Redis does not answer") from error
        try:
            await append(
                self._producer,
                self._topic,
                challenge.model_dump_json().encode(),
                key=challenge_key(challenge),
                headers=challenge_headers(challenge, clock.now()),
                timeout_s=self._ack_timeout_s,
                fail=self._service.fail,
            )
        except NotSentError:
            await give_back()
            raise
        return challenge

    @contextlib.asynccontextmanager
    async def checked(
        self, challenge_id: UUID, code: str, person_id: UUID | None = None
    ) -> AsyncIterator[Proved | Wrong]:
        """Count a try, and compare. A right code ends the challenge, as does the last try.

        A code is good for what it was asked for: a login, or this person's new address. If what is done
        inside fails in an outage, and so without effect, a right code counts again until its time is over.

        Raises:
            Problem: 401, the code was right and has just been used. An answer may be lost: it is no failure.
            TransientError: Redis does not answer.
        """
        key = self._key(challenge_id)
        try:
            found: Any = await self._try(keys=[key, f"{key}:tries"], args=[TRIES_MAX])
            checked = await self._compared(challenge_id, found, code, person_id)
        except REDIS_OUTAGES as error:
            raise TransientError("Redis does not answer") from error
        try:
            yield checked
        except Exception as error:
            if isinstance(checked, Proved) and is_outage(error):
                _, sealed, ends_at_ms = found
                with contextlib.suppress(*REDIS_OUTAGES):
                    await self._redis.set(key, sealed, pxat=ends_at_ms)
            raise

    async def _compared(
        self, challenge_id: UUID, found: Any, code: str, person_id: UUID | None
    ) -> Proved | Wrong:
        key = self._key(challenge_id)
        if found is None:
            used: Any = await self._redis.get(f"{key}:used")
            kept = None if used is None else self._keys.open_challenge(challenge_id, used)
            if kept is not None and hmac.compare_digest(kept, code.encode()):
                raise _used()
            return Wrong(0)
        tries, sealed, _ = found
        secret = Secret.model_validate_json(self._keys.open_challenge(challenge_id, sealed))
        assert secret.email is not None, "`begin` sets it"
        if secret.code is None or secret.person_id != person_id:
            return Wrong(0)
        if not hmac.compare_digest(secret.code.encode(), code.encode()):
            return Wrong(max(0, TRIES_MAX - tries), secret.email)
        # Before it is deleted: whoever does not find it any more finds this.
        used = self._keys.seal_challenge(challenge_id, code.encode())
        await self._redis.set(f"{key}:used", used, ex=GRACE)
        # The last try has deleted it already: no other one can have found it since.
        if not await self._redis.delete(key) and tries < TRIES_MAX:
            raise _used()
        return Proved(secret.email, secret.language, secret.phone)

    def _key(self, challenge_id: UUID) -> str:
        return secret_key(self._namespace, challenge_id)


def _used() -> Problem:
    detail = "The code was used already. Please ask for a new one."
    return Problem(Code.INVALID_CODE, detail, members={"tries_left": 0})
