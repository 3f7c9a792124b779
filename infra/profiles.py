"""A patient's profile as it lies sealed in `people.patients`. Ingress writes, notifier reads."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal

from infra.keys import DataKey

Language = Literal["en", "de"]
Channel = Literal["mail", "sms"]
CONTEXT = "profile"
E164 = r"^\+[1-9][0-9]{6,14}$"
"""A phone number by ITU-T E.164: `+`, the country's code, the rest, and nothing between."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a patient is called, how they are written to, and whether they want reminders.

    `phone` is E.164, but for profiles from before that was asked. Every field but the address has a default,
    and new ones must have one: old profiles do not name them.
    """

    email: str
    name: str | None = None
    phone: str | None = None
    language: Language = "en"
    channel: Channel = "mail"
    reminders: bool = True


_FIELDS = {field.name for field in fields(Profile)}


def seal_profile(data_key: DataKey, profile: Profile) -> bytes:
    """The profile under its patient's key."""
    return data_key.seal(json.dumps(asdict(profile)).encode(), CONTEXT)


def open_profile(data_key: DataKey, sealed: bytes) -> Profile:
    """The inverse of `seal_profile`; fields that a newer clinic has added are passed over.

    Raises:
        InvalidTag: it was sealed under another key.
    """
    content = json.loads(data_key.open(sealed, CONTEXT))
    return Profile(**{name: value for name, value in content.items() if name in _FIELDS})
