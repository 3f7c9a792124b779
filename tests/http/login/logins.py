"""People who log in over HTTP. Codes are read from Redis, where the notifier finds them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt

from contracts.challenges import Secret, secret_key
from contracts.cloudevents import decode_security_event
from contracts.topics import SECURITY_EVENTS_TOPIC
from infra import clock
from infra.keys import Keys
from infra.redis import connect
from storage.notices import open_notice
from tests.clinic import Clinic, records

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
COOKIE = "__Host-clinic_refresh"


def new_address() -> str:
    return f"{clock.new_id().hex}@example.org"


async def ask(clinic: Clinic, email: str, **fields: Any) -> str:
    """Ask for a code, which has to be accepted: the challenge's id."""
    response = await clinic.http.post("/v1/auth/challenges", json={"email": email, **fields})
    assert response.status_code == 202, response.text
    return str(response.json()["challenge_id"])


async def secret_of(clinic: Clinic, challenge_id: str) -> Secret | None:
    """What is sealed in Redis for a challenge."""
    redis = connect(clinic.settings)
    sealed: Any = await redis.get(secret_key(clinic.settings.namespace, UUID(challenge_id)))
    await redis.aclose()
    if sealed is None:
        return None
    keys = Keys.load(clinic.settings)
    return Secret.model_validate_json(keys.open_challenge(UUID(challenge_id), sealed))


async def notices(clinic: Clinic) -> list[Secret]:
    """The notices that wait to be sent, the latest last."""
    rows = await clinic.postgres.fetch(
        """
        SELECT n.id, n.secret, n.patient_id, p.data_key FROM notify.notifications n
        LEFT JOIN people.patients p ON p.id = n.patient_id
        WHERE n.secret IS NOT NULL ORDER BY n.dated
        """
    )
    keys = Keys.load(clinic.settings)
    found = [open_notice(keys, *row) for row in rows]
    return [notice for notice in found if notice is not None]


async def code_of(clinic: Clinic, challenge_id: str) -> str:
    """The code that is mailed."""
    secret = await secret_of(clinic, challenge_id)
    assert secret is not None, "the challenge is over"
    assert secret.code is not None, "it is a notice"
    return secret.code


def wrong(code: str, number: int = 1) -> str:
    """Another code."""
    return f"{(int(code) + number) % 10**8:08}"


async def answer(clinic: Clinic, challenge_id: str, code: str, **fields: Any) -> httpx.Response:
    body = {"challenge_id": challenge_id, "code": code, **fields}
    return await clinic.http.post("/v1/auth/tokens", json=body)


@dataclass
class LoggedIn:
    """A patient with tokens."""

    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


async def log_in(clinic: Clinic, email: str) -> LoggedIn:
    """A whole login by mail code."""
    challenge_id = await ask(clinic, email)
    response = await answer(clinic, challenge_id, await code_of(clinic, challenge_id))
    assert response.status_code == 200, response.text
    tokens = response.json()
    return LoggedIn(tokens["access_token"], tokens["refresh_token"])


async def refresh(clinic: Clinic, refresh_token: str) -> httpx.Response:
    return await clinic.http.post("/v1/auth/refresh", json={"refresh_token": refresh_token})


def session_of(tokens: LoggedIn) -> str:
    return str(jwt.decode(tokens.access_token, options={"verify_signature": False})["sid"])


async def age(clinic: Clinic, tokens: LoggedIn, by: timedelta) -> None:
    """Let everything about a login be so much older."""
    session_id = session_of(tokens)
    await clinic.postgres.execute(
        """
        UPDATE login.sessions SET begun_at = begun_at - $2::interval, used_at = used_at - $2::interval,
            authenticated_at = authenticated_at - $2::interval,
            idle_ends_at = idle_ends_at - $2::interval, ends_at = ends_at - $2::interval WHERE id = $1
        """,
        session_id,
        by,
    )
    await clinic.postgres.execute(
        "UPDATE login.refresh_tokens SET used_at = used_at - $2::interval WHERE session_id = $1",
        session_id,
        by,
    )


async def refreshed(clinic: Clinic, tokens: LoggedIn) -> LoggedIn:
    response = await refresh(clinic, tokens.refresh_token)
    assert response.status_code == 200, response.text
    return LoggedIn(response.json()["access_token"], response.json()["refresh_token"])


async def may_read(clinic: Clinic, tokens: LoggedIn) -> bool:
    return (await clinic.http.get("/v1/me", headers=tokens.headers)).status_code == 200


async def security_events(clinic: Clinic) -> list[Any]:
    return [decode_security_event(record) for record in await records(clinic.settings, SECURITY_EVENTS_TOPIC)]


async def end_reason(clinic: Clinic, tokens: LoggedIn) -> Any:
    return await clinic.postgres.fetchval(
        "SELECT end_reason FROM login.sessions WHERE id = $1", session_of(tokens)
    )
