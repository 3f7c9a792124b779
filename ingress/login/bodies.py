"""Bodies and answers of logins."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Body
from pydantic import Discriminator, Field, Strict, Tag

from contracts.fields import Id, StrictModel
from infra.tokens import Role
from ingress.http.problems import ALTERNATIVE, Code, Problem
from ingress.http.views import View, ZonedInstant
from ingress.login.challenges import CODE_DIGITS
from ingress.login.passkeys.bodies import PasskeyLoginBody
from ingress.patients.profile import Email
from storage.login.factors import RECOVERY_PATTERN, TOTP_PATTERN
from storage.login.passwords import LENGTH_MAX
from storage.login.sessions import TOKEN_CHARACTERS
from storage.profiles import Language

LoginCode = Annotated[str, Strict(), Field(pattern=rf"^[0-9]{{{CODE_DIGITS}}}$")]
RefreshToken = Annotated[str, Strict(), Field(pattern=rf"^[A-Za-z0-9_-]{{{TOKEN_CHARACTERS}}}$")]


Password = Annotated[str, Strict(), Field(min_length=1, max_length=LENGTH_MAX)]
FactorCode = Annotated[
    str,
    Strict(),
    Field(
        pattern=rf"^({TOTP_PATTERN}|{RECOVERY_PATTERN})$",
        description="the authenticator's code at this moment, or a recovery code",
    ),
]


class ChallengeBody(StrictModel):
    """The address that a code is sent to. The default language is the client's (`Accept-Language`)."""

    email: Email
    language: Language | None = None


class ChallengeView(View):
    """A code was asked for; the same answer whether or not the address is known."""

    challenge_id: UUID
    expires_at: ZonedInstant


class LoginBody(StrictModel):
    """A proof of identity: the code of a challenge.

    `session` `cookie` is for pages: the refresh token is only in a cookie that scripts cannot read.
    """

    challenge_id: Id
    code: LoginCode
    session: Literal["cookie"] | None = None


class StaffLoginBody(StrictModel):
    """A proof of identity of staff: a password and a code of the authenticator. `session` as for patients."""

    email: Email
    password: Password
    totp: FactorCode
    session: Literal["cookie"] | None = None


_BY_CODE, _BY_PASSWORD = f"{ALTERNATIVE}code", f"{ALTERNATIVE}password"
_BY_PASSKEY = f"{ALTERNATIVE}passkey"


def _proof(value: Any) -> str:
    given = value.keys() if isinstance(value, dict) else set()
    if "passkey" in given:
        return _BY_PASSKEY
    return _BY_PASSWORD if {"email", "password", "totp"} & given else _BY_CODE


Proof = Annotated[
    Annotated[LoginBody, Tag(_BY_CODE)]
    | Annotated[StaffLoginBody, Tag(_BY_PASSWORD)]
    | Annotated[PasskeyLoginBody, Tag(_BY_PASSKEY)],
    Discriminator(_proof),
    Body(),
]
"""Any proof of identity that tokens are given for."""


class RefreshBody(StrictModel):
    """The refresh token, unless it is in the cookie."""

    refresh_token: RefreshToken | None = None


class TokensView(View):
    """An access token, and the refresh token for the next one (null: it is in the cookie)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="validity of the access token, seconds")
    refresh_token: str | None = Field(description="good for one `POST /v1/auth/refresh`")


class SessionView(View):
    """A login of the caller that goes on."""

    id: UUID
    role: Role
    methods: list[str] = Field(description="how the person logged in (RFC 8176)")
    begun_at: ZonedInstant
    used_at: ZonedInstant
    ends_at: ZonedInstant = Field(description="unless it is used again before")
    current: bool = Field(description="true for the login of this request")


class SessionList(View):
    """A list of logins, the one used last first."""

    items: list[SessionView]
    next_cursor: str | None


def invalid_factors() -> Problem:
    """The problem with a login of staff: it does not tell which part was wrong."""
    return Problem(Code.INVALID_CODE, "The address, the password or the code is not valid.")


def invalid_code(tries_left: int) -> Problem:
    """The problem with a code that is wrong or no longer valid."""
    advice = "Please try again." if tries_left else "Please ask for a new one."
    return Problem(Code.INVALID_CODE, f"The code is not valid. {advice}", members={"tries_left": tries_left})
