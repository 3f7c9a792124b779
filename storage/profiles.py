"""A patient's profile, encrypted in `people.patients`. The ingress writes it, the notifier reads it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from infra.crypto.sealing import Column, DataKey
from infra.keys import Keys

Language = Literal["en", "de"]
Channel = Literal["mail", "sms"]
DEFAULT_CHANNEL: Channel = "mail"
"""Every patient has a mail address."""
PROFILE = Column("people.patients", "profile", "profile")
E164 = r"^\+[1-9][0-9]{6,14}$"
"""A phone number by ITU-T E.164: `+`, country code and subscriber number, without separators."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A patient's name, contact details and preferences.

    `phone` is E.164, except in profiles from before that was required. `undone_at` (RFC 3339): when a change
    of contact details was undone last. `birth_date` is a date of ISO 8601. Every field but `email` has a
    default, and so must every new field: stored profiles lack it. `others`: what only a newer release knows,
    kept as it is.
    """

    email: str
    name: str | None = None
    phone: str | None = None
    birth_date: str | None = None
    language: Language = "en"
    channel: Channel = "mail"
    reminders: bool = True
    undone_at: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usable_channel(self) -> Channel:
        """The chosen channel, or mail if there is no address for the chosen one."""
        addresses: dict[Channel, str | None] = {"mail": self.email, "sms": self.phone}
        return self.channel if addresses[self.channel] else DEFAULT_CHANNEL


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered patient."""

    id: UUID
    profile: Profile
    created_at: datetime


_FIELDS = {known.name for known in fields(Profile)} - {"others"}


def seal_profile(data_key: DataKey, patient_id: UUID, profile: Profile) -> bytes:
    """The profile, sealed by its patient's key."""
    content = asdict(profile)
    return data_key.seal(json.dumps(content.pop("others") | content).encode(), PROFILE, patient_id)


def open_profile(data_key: DataKey, patient_id: UUID, sealed: bytes) -> Profile:
    """The inverse of `seal_profile`.

    Raises:
        InvalidTag: it was sealed by another key, or for another patient.
    """
    content = json.loads(data_key.open(sealed, PROFILE, patient_id))
    others = {name: content.pop(name) for name in content.keys() - _FIELDS}
    return Profile(**content, others=others)


def opened(keys: Keys, row: asyncpg.Record) -> Registered:
    """The patient of a row of `people.patients`, who is not forgotten."""
    data_key = keys.unwrap(row["id"], row["data_key"])
    return Registered(row["id"], open_profile(data_key, row["id"], row["profile"]), row["created_at"])
