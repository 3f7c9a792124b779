"""The value that a message to a patient is written from: its subject matter, recipient and sender."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from contracts.promise import Promise
from infra.keys import Keys
from notifier.content.text import single_line
from storage import mail_address

NAME_MAX = 200
NAMESPACE = UUID("6f7c2b0e-2f0f-5f0a-9a55-0d6a3f1f4c11")
"""The name space of the notifications' ids (RFC 9562, version 5)."""
FIRST_VERSION = 1
URL = re.compile(r"https?://[!#-;=?-Z_a-z~%\[\]]{1,500}", re.ASCII)


class Kind(StrEnum):
    """The kinds of notification."""

    CONFIRMATION = "confirmation"
    RESCHEDULE = "reschedule"
    CANCELLATION = "cancellation"
    REMINDER = "reminder"
    LOGIN_CODE = "login_code"
    ADDRESS_CODE = "address_code"
    ADDRESS_CHANGED = "address_changed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    CALENDAR_LINK_MADE = "calendar_link_made"

    @property
    def is_urgent(self) -> bool:
        """Somebody waits for it: it goes before the others."""
        return self in (Kind.LOGIN_CODE, Kind.ADDRESS_CODE, Kind.ADDRESS_CHANGED, *ACCOUNT_NOTICES)


ACCOUNT_NOTICES = (Kind.PASSKEY_ADDED, Kind.PASSKEY_REMOVED, Kind.CALENDAR_LINK_MADE)
"""The kinds that tell what was done to an account; a `Secret` has a flag of the same name for each."""


@dataclass(frozen=True, slots=True)
class Clinic:
    """The sender.

    `time_zone` is an IANA zone, `url` where the clinic's ingress answers, `sender` a mail address. `keys`
    sign the links that end reminders. `languages` are those of the pages, the clinic's own first.

    Raises:
        ValueError: no notification could be sent in its name.
    """

    name: str
    time_zone: str
    url: str
    sender: str
    keys: Keys = field(repr=False)
    languages: tuple[str, ...] = ("en", "de")

    def __post_init__(self) -> None:
        if not 0 < len(single_line(self.name, "the clinic's name").strip()) <= NAME_MAX:
            raise ValueError(f"the clinic's name has 1 to {NAME_MAX} characters")
        if not URL.fullmatch(self.url):
            raise ValueError("the clinic's URL is none")
        mail_address.written(self.sender, smtputf8=False)
        ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class Recipient:
    """The person who is written to.

    A `phone` is E.164. `language` is "en" or "de"; with any other they get English. `channel` is "mail" or
    "sms": their choice; they can also be reached by the other.
    """

    patient_id: UUID
    name: str | None
    email: str | None
    phone: str | None
    language: str
    channel: str


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment in one of its versions. Instants are UTC; `time_zone` is the doctor's.

    `promise` is the local time that the patient was told; None if an earlier release booked the visit.
    """

    appointment_id: UUID
    version: int
    doctor_name: str
    specialty: str
    visit_type_name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    promise: Promise | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification, ready to be written.

    Every kind but the urgent ones has a `visit`; a reschedule has what was `previous`, a cancellation who
    `cancelled_by` ("patient", "staff" or "clinic"), a reminder its `hours_before`, a code its `code`, a
    notice that an address was changed the token to `undo` it.
    `id` and `created_at` (UTC) are the same each time the notification is sent, and so is every byte of it.
    """

    id: UUID
    kind: Kind
    recipient: Recipient
    visit: Visit | None
    previous: Visit | None
    cancelled_by: str | None
    hours_before: int | None
    code: str | None
    created_at: datetime
    undo: str | None = None


def notification_id(appointment_id: UUID, version: int, kind: str, hours: int | None) -> UUID:
    """The id of the one notification of this kind about this version of the appointment.

    Derived, so that a notification keeps its id however often it is planned or sent.
    """
    return uuid5(NAMESPACE, f"{appointment_id} {version} {kind} {hours or ''}")


def confirmation_id(appointment_id: UUID) -> UUID:
    """The id of the first notification about the appointment, to which the later ones reply."""
    return notification_id(appointment_id, FIRST_VERSION, Kind.CONFIRMATION, None)


def login_code_id(challenge_id: UUID) -> UUID:
    """The id of the one notification with this login challenge's code."""
    return uuid5(NAMESPACE, f"{Kind.LOGIN_CODE} {challenge_id}")
