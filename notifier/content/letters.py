"""What there is to say, to whom, and in whose name."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from infra.keys import Keys
from notifier.content.text import line, mail_address

NAME_MAX = 200
URL = re.compile(r"https?://[!#-;=?-Z_a-z~%\[\]]{1,500}", re.ASCII)


class Kind(StrEnum):
    """What a letter is about."""

    CONFIRMATION = "confirmation"
    RESCHEDULE = "reschedule"
    CANCELLATION = "cancellation"
    REMINDER = "reminder"
    LOGIN_CODE = "login_code"


@dataclass(frozen=True, slots=True)
class Clinic:
    """Who writes.

    `time_zone` is an IANA zone, `url` where the clinic's ingress answers, `sender` a mail address. `keys`
    sign the links that end reminders.

    Raises:
        ValueError: no letter could be written in its name.
    """

    name: str
    time_zone: str
    url: str
    sender: str
    keys: Keys = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 < len(line(self.name, "the clinic's name").strip()) <= NAME_MAX:
            raise ValueError(f"the clinic's name has 1 to {NAME_MAX} characters")
        if not URL.fullmatch(self.url):
            raise ValueError("the clinic's URL is none")
        mail_address(self.sender)
        ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom to write to.

    A `phone` is E.164. `language` is "en" or "de"; in any other they get English. `channel` is "mail" or
    "sms": what they chose, not what they can be reached by.
    """

    patient_id: UUID
    name: str | None
    email: str | None
    phone: str | None
    language: str
    channel: str


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment in one of its versions. Instants are UTC; `time_zone` is the doctor's."""

    appointment_id: UUID
    version: int
    doctor_name: str
    specialty: str
    visit_type_name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing to say.

    Every kind but a login code has a `visit`; a reschedule has what was `previous`, a cancellation who
    `cancelled_by` ("patient", "staff" or "clinic"), a reminder its `hours_before`, a login code its `code`.
    `id` and `created_at` (UTC) are the same each time the letter is sent: then so is every byte of it.
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
