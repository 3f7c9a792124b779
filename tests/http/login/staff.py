"""Members of staff who log in over HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pyotp

from infra import clock
from infra.tokens import Role
from ops.staff.accounts import add
from ops.staff.credentials import Credentials
from tests.clinic import Clinic
from tests.http.login.logins import LoggedIn, new_address


async def member(clinic: Clinic, role: Role = Role.STAFF, **fields: Any) -> Credentials:
    """A new account."""
    return await add(clinic.settings, new_address(), role, **fields)


def code_of(account: Credentials, steps: int = 0) -> str:
    """The authenticator's code now, or so many time steps later."""
    return pyotp.TOTP(account.seed).at(clock.now(), counter_offset=steps)


async def give(
    clinic: Clinic, account: Credentials, code: str | None = None, **fields: Any
) -> httpx.Response:
    """Try to log in; `fields` replace the right ones."""
    body = {"email": account.email, "password": account.password, "totp": code or code_of(account), **fields}
    return await clinic.http.post("/v1/auth/tokens", json=body)


async def log_in_staff(clinic: Clinic, account: Credentials, code: str | None = None) -> LoggedIn:
    response = await give(clinic, account, code)
    assert response.status_code == 200, response.text
    tokens = response.json()
    return LoggedIn(tokens["access_token"], tokens["refresh_token"])


async def forget_steps(clinic: Clinic) -> None:
    """Let codes of earlier steps count again, as if time had passed."""
    await clinic.postgres.execute("UPDATE login.staff SET last_step = 0")


async def age_enrolments(clinic: Clinic, by: timedelta) -> None:
    await clinic.postgres.execute("UPDATE login.staff SET enrol_until = enrol_until - $1::interval", by)
