"""Letters to compose, and mails as they are read at the other end."""

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
from notifier.content import Clinic, Kind, Letter, Recipient, Visit, compose_mail
from notifier.identity import notification_id

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


def visit(starts_at: datetime = datetime(2026, 12, 1, 9, tzinfo=UTC), version: int = 1, **more: Any) -> Visit:
    """A visit of half an hour; at 10:00 in Berlin unless told."""
    given = {"starts_at": starts_at, "ends_at": starts_at + HALF_AN_HOUR, **more}
    plain = {"doctor_name": "Dr. Hanna Weiß", "specialty": "General practice", "visit_type_name": "Check-up"}
    return Visit(appointment_id=APPOINTMENT, version=version, **{**plain, "time_zone": BERLIN, **given})


def letter(kind: Kind, about: Visit | None = None, *, language: str = "en", **more: Any) -> Letter:
    """A letter to Ada."""
    is_login = kind is Kind.LOGIN_CODE
    about = None if is_login else about or visit(version=1 if kind is Kind.CONFIRMATION else 2)
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
        "code": "12345678" if is_login else None,
        "created_at": WRITTEN_AT,
        **more,
    }
    return Letter(kind=kind, visit=about, **given)


def received(composed: EmailMessage) -> EmailMessage:
    """The mail as it arrives, read by its bytes alone."""
    return email.message_from_bytes(composed.as_bytes(policy=email.policy.SMTP), policy=email.policy.default)


def mailed(one: Letter, clinic: Clinic = CLINIC) -> EmailMessage:
    """What arrives of a letter."""
    return received(compose_mail(one, clinic))


def person(mail: EmailMessage, header: str) -> tuple[str, str]:
    """Name and address in To or From.

    By the library's older reader: the newer one leaves the space between two encoded words in names, which
    RFC 2047, section 6.2, drops.
    """
    raw = email.message_from_bytes(mail.as_bytes(policy=AS_IT_IS), policy=email.policy.compat32)[header]
    name, address = parseaddr("".join(raw.splitlines()))
    return str(make_header(decode_header(name))), address


def plain(mail: EmailMessage) -> str:
    """Its text."""
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
    """The one part of this type."""
    found = [one for one in mail.walk() if one.get_content_type() == content_type]
    assert len(found) <= 1
    one = found[0] if found else None
    assert one is None or isinstance(one, EmailMessage)
    return one


def calendar(mail: EmailMessage) -> tuple[Any, Any]:
    """The calendar that it brings, and the calendar's one event."""
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
