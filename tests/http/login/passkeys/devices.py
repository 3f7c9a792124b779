"""Passkeys over HTTP, with an authenticator in software."""

from typing import Any

import httpx

from infra.signing_keys import SigningKeys
from infra.tokens import Access, TokenChecker
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import problem
from tests.http.login.logins import LoggedIn

DETAIL = "The passkey was not accepted. Please try again, or use another way."
WRONG: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://clinic.example.com"},
    "another relying party": {"rp_id": "example.com"},
    "no user verification": {"is_verified": False},
    "a frame of another page": {"is_framed": True},
    "another ceremony": {"type": "payment.get"},
}
"""What an authenticator may do wrong."""


def authenticator(clinic: Clinic, **fields: Any) -> Authenticator:
    """A new one, in a browser that shows the clinic's page."""
    return Authenticator(f"http://localhost:{clinic.settings.port}", **fields)


async def registration(clinic: Clinic, who: LoggedIn) -> Any:
    """The challenge for a new passkey, which has to be given."""
    response = await clinic.http.post("/v1/me/passkeys/options", headers=who.headers)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def give(
    clinic: Clinic, who: LoggedIn, asked: Any, passkey: dict[str, Any], name: str = "my phone"
) -> httpx.Response:
    """Try to add a passkey."""
    body = {"challenge_id": asked["challenge_id"], "name": name, "passkey": passkey}
    return await clinic.http.post("/v1/me/passkeys", headers=who.headers, json=body)


async def add(clinic: Clinic, who: LoggedIn, device: Authenticator, name: str = "my phone") -> Any:
    """Add a passkey, which has to be accepted: as it is listed."""
    asked = await registration(clinic, who)
    response = await give(clinic, who, asked, device.create(asked["public_key"]), name)
    assert response.status_code == 201, response.text
    return response.json()


async def listed(clinic: Clinic, who: LoggedIn) -> Any:
    response = await clinic.http.get("/v1/me/passkeys", headers=who.headers)
    assert response.status_code == 200, response.text
    assert response.json()["next_cursor"] is None
    return response.json()["items"]


async def challenge(clinic: Clinic) -> Any:
    """The challenge for a login, which has to be given."""
    response = await clinic.http.post("/v1/auth/passkeys/options")
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def answer(clinic: Clinic, asked: Any, passkey: dict[str, Any], **fields: Any) -> httpx.Response:
    body = {"challenge_id": asked["challenge_id"], "passkey": passkey, **fields}
    return await clinic.http.post("/v1/auth/tokens", json=body)


async def attempt(clinic: Clinic, device: Authenticator, **fields: Any) -> httpx.Response:
    """Try to log in."""
    asked = await challenge(clinic)
    return await answer(clinic, asked, device.get(asked["public_key"]), **fields)


async def log_in_by_passkey(clinic: Clinic, device: Authenticator) -> LoggedIn:
    """Log in, which has to succeed."""
    response = await attempt(clinic, device)
    assert response.status_code == 200, response.text
    return LoggedIn(response.json()["access_token"], response.json()["refresh_token"])


def access(clinic: Clinic, tokens: LoggedIn) -> Access:
    """What an access token says."""
    found = TokenChecker(SigningKeys.load(clinic.settings.signing_key_file)).check(tokens.access_token)
    assert found is not None
    return found


def refused(response: httpx.Response) -> None:
    """The answer does not tell why."""
    problem(response, 401, "invalid_code")
    assert response.json()["detail"] == DETAIL
    assert "tries_left" not in response.json()
