"""`auth.challenges.v1`: challenges, each of which asks for a code to be sent.

The code is for a login, or proves that a new address or phone number is the patient's. Notices that one was
changed, or that something by which an account can be used was added or removed, have a `Secret` too, but are
planned with the change: `storage.notices`. Only earlier releases sent them on this topic.

Neither the code nor the address is on the topic. A login starts in this order:

1. `SET <namespace>challenge:<challenge_id> <sealed> EXAT <expires_at>` in Redis, where `<sealed>` is a
   `Secret` in JSON, sealed by `infra.keys.Keys.seal_challenge`. The notifier reads it once it has the
   message. Once the key has expired, so has the code.
2. Produce a `LoginChallenge` with `contracts.cloudevents.challenge_headers`, keyed by the challenge.

The notifier sends each challenge once, until `expires_at`.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from contracts.fields import Instant, Model

SECRET_PREFIX = "challenge:"  # noqa: S105 (a key's name)


def _known_language(value: Any) -> Any:
    return value if value in ("en", "de") else "en"


Language = Annotated[Literal["en", "de"], BeforeValidator(_known_language)]
"""The language of the message; English for a language that only a newer release knows."""


class LoginChallenge(Model):
    """A request to send a code. Without `patient_id`, it goes to the address in the `Secret`.

    Whether that is a patient's is not known until the code has come back.
    """

    challenge_id: UUID
    patient_id: UUID | None
    expires_at: Instant


class Secret(Model):
    """The confidential parts, not on the topic but encrypted in Redis under `secret_key`.

    `email`, `name` and `language` are given where there is no `patient_id`. `person_id` is the patient who
    wants to be reached there from now on; None for a login. With `phone`, that is where the message goes if
    there is a gateway for text messages. With `undo`, a link's token, it is a notice to the former address;
    with one of the flags, one of what was done to the account.
    """

    code: str | None = Field(default=None, pattern=r"^[0-9]{4,12}$")
    email: str | None = None
    name: str | None = None
    language: Language = "en"
    person_id: UUID | None = None
    phone: str | None = None
    undo: str | None = None
    passkey_added: bool = False
    passkey_removed: bool = False
    calendar_link_made: bool = False


def secret_key(namespace: str, challenge_id: UUID) -> str:
    """The key in Redis; `namespace` is the clinic's."""
    return f"{namespace}{SECRET_PREFIX}{challenge_id}"
