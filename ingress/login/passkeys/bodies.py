"""Bodies and answers about passkeys. What a browser makes is named as WebAuthn names it (section 5.1)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, Strict

from contracts.fields import Id, Model, SingleLineText, StrictModel
from ingress.http.problems import Code, Problem
from ingress.http.views import View, ZonedInstant

Short = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9_-]{1,4096}$")]
Long = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z0-9_-]{1,40000}$")]
"""Base64url without padding (RFC 4648, section 5)."""
PasskeyName = Annotated[SingleLineText, Field(max_length=100), AfterValidator(str.strip)]


class _MadeByBrowser(Model):
    # Fields that a newer browser adds are ignored: no client chose them.

    def json_dict(self) -> dict[str, Any]:
        """The JSON as the browser made it, as far as it counts."""
        return self.model_dump(mode="json", by_alias=True)


class AssertedBody(Model):
    """`AuthenticatorAssertionResponseJSON`."""

    client_data: Short = Field(alias="clientDataJSON")
    authenticator_data: Short = Field(alias="authenticatorData")
    signature: Short
    user_handle: Short | None = Field(default=None, alias="userHandle")


class AssertionBody(_MadeByBrowser):
    """`AuthenticationResponseJSON`: of `navigator.credentials.get()`, by `toJSON()`."""

    id: Short
    raw_id: Short = Field(alias="rawId")
    type: Literal["public-key"]
    response: AssertedBody


class AttestedBody(Model):
    """`AuthenticatorAttestationResponseJSON`."""

    client_data: Short = Field(alias="clientDataJSON")
    attestation: Long = Field(alias="attestationObject")


class RegistrationBody(_MadeByBrowser):
    """`RegistrationResponseJSON`: of `navigator.credentials.create()`, by `toJSON()`."""

    id: Short
    raw_id: Short = Field(alias="rawId")
    type: Literal["public-key"]
    response: AttestedBody


class PasskeyLoginBody(StrictModel):
    """A proof of identity: a passkey's signature of a challenge. `session` as for a code."""

    challenge_id: Id
    passkey: AssertionBody
    session: Literal["cookie"] | None = None


class PasskeyBody(StrictModel):
    """A new passkey, and the name by which its owner tells it from others."""

    challenge_id: Id
    name: PasskeyName
    passkey: RegistrationBody


class PasskeyOptionsView(View):
    """A challenge for an authenticator, good for one answer."""

    challenge_id: UUID
    expires_at: ZonedInstant
    public_key: dict[str, Any] = Field(
        description="for `parseRequestOptionsFromJSON()` or `parseCreationOptionsFromJSON()` of a browser"
    )


class PasskeyView(View):
    """A passkey of the caller."""

    id: UUID
    name: str
    synced: bool = Field(description="it may be copied to other devices of the person")
    created_at: ZonedInstant
    used_at: ZonedInstant | None


class PasskeyList(View):
    """A list of passkeys, the oldest first."""

    items: list[PasskeyView]
    next_cursor: str | None


def invalid_passkey() -> Problem:
    """The problem with a passkey's answer: it does not tell what was wrong."""
    return Problem(Code.INVALID_CODE, "The passkey was not accepted. Please try again, or use another way.")
