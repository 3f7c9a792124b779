"""A patient's profile over HTTP: request bodies and views."""

import re
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Strict, StrictBool
from pydantic_core import PydanticCustomError

from contracts.fields import Date, Id, SingleLineText, StrictModel
from contracts.security import PATIENTS_MAX
from infra import clock
from infra.settings import Settings
from ingress.http.problems import invalid
from ingress.http.views import View, ZonedInstant
from storage import mail_address
from storage.profiles import E164, Channel, Language, Profile, Registered
from storage.search_terms import Sought

NULLABLE_FIELDS = ("name", "phone", "birth_date")
SEARCH_LIMIT = 50


def _without_separators(value: Any) -> Any:
    return re.sub(r"[ ()/.-]", "", value) if isinstance(value, str) else value


def _not_to_come(value: date) -> date:
    if value > clock.now().date() + timedelta(days=1):  # it is tomorrow already in some zones
        raise PydanticCustomError("birth_date", "Must not be in the future")
    return value


def _address(value: str) -> str:
    try:
        mail_address.written(value, smtputf8=True)
    except ValueError:
        raise PydanticCustomError("email", "Must be an email address") from None
    return value


Email = Annotated[
    str,
    Strict(),
    Field(
        max_length=254,
        description="An email address that mail can be sent to: dots between atoms (RFC 5322), no quotes. "
        "The domain may be internationalized; the part before `@` only if the clinic's mail server offers "
        "SMTPUTF8.",
    ),
    AfterValidator(_address),
]
SearchedEmail = Annotated[
    str,
    Strict(),
    Field(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$", description="the email address"),
]
"""Any address: patients of earlier releases may have one that cannot be written to."""
Phone = Annotated[str, Strict(), Field(pattern=E164)]
SearchedPhone = Annotated[Phone, BeforeValidator(_without_separators)]
BirthDate = Annotated[Date, AfterValidator(_not_to_come), PlainSerializer(date.isoformat)]


class PatientBody(StrictModel):
    """A new patient. The default language is the clinic's; `sms` requires a phone number."""

    email: Email
    name: SingleLineText | None = None
    phone: Phone | None = None
    birth_date: BirthDate | None = None
    language: Language | None = None
    channel: Channel = "mail"
    reminders: StrictBool = True

    def profile(self, settings: Settings) -> Profile:
        """The profile; `settings` are the clinic's.

        Raises:
            Problem: mail or text messages would go nowhere.
        """
        check_writable(self.email, settings)
        given = self.model_dump() | {"language": self.language or settings.language}
        return _consistent(Profile(**given), "/channel")


class PatientSearch(StrictModel):
    """Whom to search for: whoever has all that is given.

    `name` matches the beginnings of words, of three letters or more, in any order. `cursor`: to go on.
    """

    email: SearchedEmail | None = None
    phone: SearchedPhone | None = None
    birth_date: BirthDate | None = None
    name: SingleLineText | None = None
    cursor: Annotated[str, Strict(), Field(max_length=200)] | None = None

    def sought(self) -> Sought:
        """What the patients must have.

        Raises:
            Problem: 422, nothing.
        """
        given = self.model_dump(exclude={"cursor"}, exclude_none=True)
        if not given:
            raise invalid("", "missing", "At least one of email, phone, birth_date and name is required.")
        return Sought(**given)


class PatientLookup(StrictModel):
    """Whom to look up."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=PATIENTS_MAX)]


class OwnProfileChange(StrictModel):
    """Fields of my own to change; omitted fields stay the same. Null removes a name or date of birth."""

    name: SingleLineText | None = None
    birth_date: BirthDate | None = None
    language: Language | None = None
    channel: Channel | None = None
    reminders: StrictBool | None = None

    def changes(self) -> dict[str, Any]:
        """What is set, by field."""
        given = self.model_dump(exclude_unset=True)
        return {name: value for name, value in given.items() if value is not None or name in NULLABLE_FIELDS}

    def of(self, profile: Profile, settings: Settings) -> Profile:
        """The profile, changed.

        Raises:
            Problem: mail or text messages would go nowhere.
        """
        changes = self.changes()
        if not changes.keys() & {"phone", "channel"}:
            return replace(profile, **changes)
        return _consistent(replace(profile, **changes), "/channel" if self.channel else "/phone")


class ProfileChange(OwnProfileChange):
    """Fields to change; omitted fields stay the same. Null removes a name, date of birth or phone number."""

    email: Email | None = None
    phone: Phone | None = None

    def of(self, profile: Profile, settings: Settings) -> Profile:
        """The profile, changed. Raises the same, and if the address cannot be written to."""
        if self.email is not None:
            check_writable(self.email, settings)
        return super().of(profile, settings)


class PatientView(View):
    """A patient."""

    id: UUID
    email: str
    name: str | None
    phone: str | None
    birth_date: Date | None
    language: Language
    channel: Channel
    reminders: bool
    created_at: ZonedInstant

    @classmethod
    def of(cls, patient: Registered) -> "PatientView":
        """The patient as the directory knows them."""
        return cls(id=patient.id, created_at=patient.created_at, **asdict(patient.profile))


class PatientList(View):
    """A list of patients; an email address belongs to at most one."""

    items: list[PatientView]
    next_cursor: str | None


def check_writable(email: str, settings: Settings) -> None:
    """Refuse an address that the clinic's mail server cannot write to.

    Raises:
        Problem: 422.
    """
    try:
        mail_address.written(email, smtputf8=settings.smtp_utf8)
    except ValueError:
        detail = "The part before @ must be ASCII: the clinic's mail server does not offer SMTPUTF8"
        raise invalid("/email", "email", detail) from None


def _consistent(profile: Profile, pointer: str) -> Profile:
    # A phone from before E.164 was asked for is none that a gateway takes.
    if profile.channel == "sms" and not re.fullmatch(E164, profile.phone or ""):
        raise invalid(pointer, "phone_needed", "Text messages require a phone number, such as +49301234567")
    return profile
