"""A patient's profile over HTTP: what may be said about it, and how it is shown."""

import re
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, Strict
from pydantic_core import PydanticCustomError

from contracts.fields import Flag, Line, Model
from infra.profiles import E164, Channel, Language, Profile
from ingress.patients import ADDRESS
from ingress.problems import invalid

CAN_BE_TAKEN_AWAY = ("name", "phone")


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise PydanticCustomError("email", "A mail address is needed")
    return value


Email = Annotated[str, Strict(), Field(max_length=254), AfterValidator(_address)]
Phone = Annotated[str, Strict(), Field(pattern=E164)]


class PatientBody(Model):
    """A new patient. Without a language they have the clinic's; text messages (`sms`) need a phone."""

    email: Email
    name: Line | None = None
    phone: Phone | None = None
    language: Language | None = None
    channel: Channel = "mail"
    reminders: Flag = True

    def profile(self, language: Language) -> Profile:
        """The profile; `language` is the clinic's.

        Raises:
            Problem: text messages would go nowhere.
        """
        given = self.model_dump() | {"language": self.language or language}
        return _consistent(Profile(**given), "/channel")


class ProfileChange(Model):
    """What changes; the rest stays. Null takes a name or a phone away."""

    email: Email | None = None
    name: Line | None = None
    phone: Phone | None = None
    language: Language | None = None
    channel: Channel | None = None
    reminders: Flag | None = None

    def changes(self) -> dict[str, Any]:
        """What is set, by field."""
        given = self.model_dump(exclude_unset=True)
        return {
            name: value for name, value in given.items() if value is not None or name in CAN_BE_TAKEN_AWAY
        }

    def of(self, profile: Profile) -> Profile:
        """The profile, changed.

        Raises:
            Problem: text messages would go nowhere.
        """
        changes = self.changes()
        if not changes.keys() & {"phone", "channel"}:
            return replace(profile, **changes)
        return _consistent(replace(profile, **changes), "/channel" if self.channel else "/phone")


class PatientView(Model):
    """A patient, as staff and the patient see it."""

    id: UUID
    email: str
    name: str | None
    phone: str | None
    language: Language
    channel: Channel
    reminders: bool
    created_at: str


class PatientList(Model):
    """Patients; one mail address belongs to at most one."""

    items: list[PatientView]
    next_cursor: str | None


def _consistent(profile: Profile, pointer: str) -> Profile:
    # A phone from before E.164 was asked for is none that a gateway takes.
    if profile.channel == "sms" and not re.fullmatch(E164, profile.phone or ""):
        raise invalid(pointer, "phone_needed", "Text messages need a phone, such as +49301234567")
    return profile
