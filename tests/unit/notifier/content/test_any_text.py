"""No name, however unusual, breaks a header, the HTML or the calendar, or gets lost."""

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from notifier.content import Clinic, Kind, compose_mail, compose_sms
from notifier.content.text import single_line
from tests.unit.notifier.content.writing import (
    ADA,
    CLINIC,
    KEYS,
    NAMES,
    calendar,
    html,
    mailed,
    notification,
    part,
    person,
    plain,
    visit,
)

HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "Content-Language", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
]  # fmt: skip


class Shown(HTMLParser):
    """The elements of a document, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(text: str) -> str:
    """A text with its white space as a reader sees it."""
    return " ".join(text.split())


def components(mail: EmailMessage) -> list[bytes]:
    """The components of a mail's calendar."""
    found = part(mail, "text/calendar")
    assert found is not None
    content = found.get_payload(decode=True)
    assert isinstance(content, bytes)
    return [line for line in content.split(b"\r\n") if line.startswith(b"BEGIN:")]


ORDINARY_CALENDAR = components(mailed(notification(Kind.CONFIRMATION)))
ORDINARY = Shown(html(mailed(notification(Kind.RESCHEDULE)))).tags


@settings(max_examples=100, deadline=None)
@given(name=NAMES, doctor=NAMES, specialty=NAMES, visit_type=NAMES, kind=some.sampled_from(list(Kind)))
def test_no_text_breaks_a_mail(name: str, doctor: str, specialty: str, visit_type: str, kind: Kind) -> None:
    about = visit(doctor_name=doctor, specialty=specialty, visit_type_name=visit_type, version=2)
    composed = notification(kind, about, recipient=replace(ADA, name=name))

    content = compose_mail(composed, CLINIC).content

    assert content.isascii()
    assert re.search(rb"[^\r]\n|\r[^\n]", content) is None
    assert max(map(len, content.split(b"\r\n"))) <= 998, "RFC 5322, section 2.1.1"
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert not mail.defects
    assert [header for header in mail if header not in HEADERS] == []
    assert len(set(mail.keys())) == len(mail.keys())
    assert person(mail, "To") == (single_line(name, "").strip(), ADA.email)
    if not kind.is_urgent:
        for text in (doctor, specialty, visit_type):
            assert single_line(text, "") in plain(mail)
            assert seen(single_line(text, "")) in seen(Shown(html(mail)).text)


@settings(max_examples=60, deadline=None)
@given(name=NAMES, doctor=NAMES, visit_type=NAMES)
def test_no_text_adds_an_element_to_the_html(name: str, doctor: str, visit_type: str) -> None:
    about = visit(doctor_name=doctor, visit_type_name=visit_type, version=2)

    document = html(mailed(notification(Kind.RESCHEDULE, about, recipient=replace(ADA, name=name))))

    assert Shown(document).tags == ORDINARY


@settings(max_examples=60, deadline=None)
@given(name=NAMES, doctor=NAMES, visit_type=NAMES)
@example(name="Ada\\", doctor="\\", visit_type='"')
@example(name='Ada "Ünlü"; b:c, ^n', doctor="", visit_type="a")
@example(name="a", doctor="b\u00a0", visit_type="\\n\\,;:^n^'")
def test_no_text_breaks_the_calendar(name: str, doctor: str, visit_type: str) -> None:
    about = visit(doctor_name=doctor, visit_type_name=visit_type)
    mail = mailed(notification(Kind.CONFIRMATION, about, recipient=replace(ADA, name=name)))

    _, event = calendar(mail)

    assert components(mail) == ORDINARY_CALENDAR
    assert event["SUMMARY"] == f"{single_line(visit_type, '')}, {single_line(doctor, '')}"
    assert event["ATTENDEE"] == f"mailto:{ADA.email}"
    assert set(event["ATTENDEE"].params) == {"CN", "CUTYPE", "PARTSTAT", "ROLE", "RSVP"}
    shown = single_line(name, "").strip().replace("\\", "/")
    assert event["ATTENDEE"].params["CN"] == shown


@settings(max_examples=40, deadline=None)
@given(name=NAMES.map(str.strip).filter(lambda name: single_line(name, "").strip()))
def test_no_name_of_a_clinic_breaks_a_mail(name: str) -> None:
    clinic = replace(CLINIC, name=name)

    mail = mailed(notification(Kind.LOGIN_CODE), clinic)

    assert person(mail, "From") == (single_line(name, "").strip(), CLINIC.sender)
    assert seen(single_line(name, "")) in seen(mail["Subject"])


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\r\nBcc: all@example.org", "\0", "\x7f", "\x85", "\u2028", "\ud800"]
)
class TestControlCharacters:
    def test_are_refused_in_names_and_addresses(self, character: str) -> None:
        bad = f"Ada{character}Keller"
        for refused in (
            notification(Kind.CONFIRMATION, recipient=replace(ADA, name=bad)),
            notification(Kind.CONFIRMATION, recipient=replace(ADA, email=f"ada{character}@example.org")),
            notification(Kind.CONFIRMATION, recipient=replace(ADA, email=f"ada@example{character}.org")),
            notification(Kind.CONFIRMATION, visit(doctor_name=bad)),
            notification(Kind.CONFIRMATION, visit(specialty=bad)),
            notification(Kind.CONFIRMATION, visit(visit_type_name=bad)),
            notification(Kind.RESCHEDULE, previous=visit(doctor_name=bad)),
            notification(Kind.LOGIN_CODE, code=f"1234{character}"),
        ):
            with pytest.raises(ValueError, match=r".") as caught:
                compose_mail(refused, CLINIC)
            assert "Ada" not in str(caught.value), "the refused text is not shown"

    def test_are_refused_in_text_messages(self, character: str) -> None:
        for bad in (
            notification(Kind.CONFIRMATION, visit(doctor_name=f"Dr.{character}")),
            notification(Kind.CONFIRMATION, recipient=replace(ADA, phone=f"+49301234567{character}")),
            notification(Kind.LOGIN_CODE, code=f"1234{character}"),
        ):
            with pytest.raises(ValueError, match=r"."):
                compose_sms(bad, CLINIC)

    def test_are_refused_in_the_clinics_name(self, character: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Clinic(f"Clinic{character}", CLINIC.time_zone, CLINIC.url, CLINIC.sender, KEYS)
        with pytest.raises(ValueError, match=r"."):
            Clinic(CLINIC.name, CLINIC.time_zone, CLINIC.url, f"clinic@example.org{character}", KEYS)
        with pytest.raises(ValueError, match=r"."):
            Clinic(CLINIC.name, CLINIC.time_zone, f"https://example.org/{character}", CLINIC.sender, KEYS)


def test_bidirectional_controls_are_left_out() -> None:
    mail = mailed(notification(Kind.CONFIRMATION, visit(doctor_name="Dr. \u202eEvil\u2066")))

    assert "Dr. Evil, General practice" in plain(mail)
