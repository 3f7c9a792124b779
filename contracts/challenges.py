"""`auth.challenges.v1`: somebody wants to log in, and a code is to be sent.

The topic tells neither the code nor the address. Whoever starts a login does, in this order:

1. `SET <namespace>challenge:<challenge_id> <sealed> EXAT <expires_at>` in Redis, where `<sealed>` is a
   `Secret` in JSON, sealed by `infra.keys.Keys.seal_challenge`. The notifier reads it once it has the
   message; a key that is gone is a code that nobody can use any more.
2. Produce a `LoginChallenge` with `challenge_headers`, keyed by the challenge.

The notifier sends each challenge once, until `expires_at`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationError

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.fields import Instant, Model, rfc3339

TYPE = "clinic.auth.LoginChallenge.v1"
SOURCE = b"/clinic/ingress"
SECRET_PREFIX = "challenge:"  # noqa: S105 (a key's name)


class LoginChallenge(Model):
    """A code is to be sent. Without `patient_id` it goes to the address in the `Secret`: to staff."""

    model_config = ConfigDict(extra="ignore")

    challenge_id: UUID
    patient_id: UUID | None
    expires_at: Instant


class Secret(Model):
    """What the topic does not tell, under `secret_key` in Redis, sealed.

    `email`, `name` and `language` are given where there is no `patient_id`.
    """

    model_config = ConfigDict(extra="ignore")

    code: str = Field(pattern=r"^[0-9]{4,12}$")
    email: str | None = None
    name: str | None = None
    language: Literal["en", "de"] = "en"


def secret_key(namespace: str, challenge_id: UUID) -> str:
    """The key in Redis; `namespace` is the clinic's."""
    return f"{namespace}{SECRET_PREFIX}{challenge_id}"


def challenge_key(challenge: LoginChallenge) -> bytes:
    """The record's key."""
    return str(challenge.challenge_id).encode()


def challenge_headers(challenge: LoginChallenge, now: datetime) -> list[tuple[str, bytes]]:
    """The headers of a challenge (CloudEvents, binary mode)."""
    id_ = str(challenge.challenge_id).encode()
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_),
        ("ce_type", TYPE.encode()),
        ("ce_source", SOURCE),
        ("ce_time", rfc3339(now).encode()),
        ("ce_subject", id_),
        ("content-type", b"application/json"),
    ]


def decode_challenge(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> LoginChallenge:
    """The challenge that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    if dict(headers).get("ce_type") != TYPE.encode():
        raise UndecodableError(DeadLetterReason.UNKNOWN_TYPE, "not a login challenge")
    try:
        return LoginChallenge.model_validate_json(value or b"")
    except ValidationError as error:
        kinds = ", ".join(sorted({item["type"] for item in error.errors(include_input=False)}))
        raise UndecodableError(DeadLetterReason.INVALID_DATA, kinds) from None
