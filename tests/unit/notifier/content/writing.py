"""Notifications to compose, and mails as their recipients read them."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as some
from icalendar import Calendar

from infra.keys import Keys
from notifier.content import Clinic, Kind, Mail, Notification, Recipient, Visit, compose_mail, notification_id

KEYS = Keys(bytes(32))
BERLIN, KATHMANDU = "Europe/Berlin", "Asia/Kathmandu"
CLINIC = Clinic("Praxis am Park", BERLIN, "https://clinic.example.org", "clinic@example.org", KEYS)
APPOINTMENT, PATIENT = UUID(int=7), UUID(int=3)
ADA = Recipient(PATIENT, "Ada Keller", "ada.keller@example.com", "+49301234567", "en", "mail")
WRITTEN_AT = datetime(2026, 11, 25, 9, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)
AS_IT_IS = email.policy.SMTP.clone(refold_source="none")
AS_IT_IS = email.policy.SMTP.clone(refold_source="none")
VISITS = [Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.CANCELLATION, Kind.REMINDER]


def visit(
    starts_at: datetime = datetime(2026, 12, 1, 9, tzinfo=UTC), version: int = 1, **fields: Any
) -> Visit:
    """A visit of half an hour, by default at 10:00 in Berlin."""
    given = {"starts_at": starts_at, "ends_at": starts_at + HALF_AN_HOUR, **fields}
    plain = {"doctor_name": "Dr. Hanna Weiß", "specialty": "General practice", "visit_type_name": "Check-up"}
    return Visit(appointment_id=APPOINTMENT, version=version, **{**plain, "time_zone": BERLIN, **given})


def notification(
    kind: Kind, about: Visit | None = None, *, language: str = "en", **fields: Any
) -> Notification:
    """A notification to Ada."""
    has_code = kind in (Kind.LOGIN_CODE, Kind.ADDRESS_CODE)
    about = None if kind.is_urgent else about or visit(version=1 if kind is Kind.CONFIRMATION else 2)
    hours = 24 if kind is Kind.REMINDER else None
    id_ = (
        uuid5(PATIENT, "login") if about is None else notification_id(APPOINTMENT, about.version, kind, hours)
    )
    given = {
        "id": id_,
        "recipient": replace(ADA, language=language),
        "previous": visit() if kind is Kind.RESCHEDULE else None,
        "cancelled_by": "patient" if kind is Kind.CANCELLATION else None,
        "hours_before": hours,
        "code": "12345678" if has_code else None,
        "undo": "token" if kind is Kind.ADDRESS_CHANGED else None,
        "created_at": WRITTEN_AT,
        **fields,
    }
    return Notification(kind=kind, visit=about, **given)


def received(composed: Mail) -> EmailMessage:
    """The mail as it arrives, parsed from its bytes alone."""
    return email.message_from_bytes(composed.content, policy=email.policy.default)


def mailed(sent: Notification, clinic: Clinic = CLINIC) -> EmailMessage:
    """The mail of a notification, as it arrives."""
    return received(compose_mail(sent, clinic))


def person(mail: EmailMessage, header: str) -> tuple[str, str]:
    """Name and address in To or From.

    By the library's older parser: the newer one keeps the space between two encoded words in names, which RFC
    2047, section 6.2, drops.
    """
    raw = email.message_from_bytes(mail.as_bytes(policy=AS_IT_IS), policy=email.policy.compat32)[header]
    name, address = parseaddr("".join(raw.splitlines()))
    return str(make_header(decode_header(name))), address


def plain(mail: EmailMessage) -> str:
    """Its plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")


def html(mail: EmailMessage) -> str:
    """Its HTML."""
    body = mail.get_body(("html",))
    assert body is not None
    content: str = body.get_content()
    return content


def part(mail: EmailMessage, content_type: str) -> EmailMessage | None:
    """The only part of this type."""
    found = [candidate for candidate in mail.walk() if candidate.get_content_type() == content_type]
    assert len(found) <= 1
    only = found[0] if found else None
    assert only is None or isinstance(only, EmailMessage)
    return only


def calendar(mail: EmailMessage) -> tuple[Any, Any]:
    """The attached calendar and its only event."""
    found = part(mail, "text/calendar")
    assert found is not None
    payload: Any = found.get_payload(decode=True)
    content: Any = Calendar.from_ical(payload)
    [event] = content.walk("VEVENT")
    assert not event.errors
    return content, event


TEXTS = some.text(
    some.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200
).filter(str.strip)
"""What the ingress lets pass as a name: any one line (`contracts.fields.Line`)."""

NASTY = some.sampled_from(
    [
        "=?utf-8?q?a=0D=0ABcc:_all@example.org?=",
        '"; DROP <script>alert(1)</script> & "',
        "a, b <c@example.org>, d",
        "END:VEVENT\\nBEGIN:VALARM;CN=x:y",
        "{{ 7 * 7 }} {% if %} %(name)s %s ${x}",
        "\\" * 100 + '"' * 100,
        "𝕏" * 200,
        "ä" * 200,
        "a" * 200,
        "ab " * 60 + "c",
        "-- ",
        ".",
    ]
)
NAMES = TEXTS | NASTY
