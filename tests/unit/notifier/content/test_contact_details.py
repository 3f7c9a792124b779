"""Codes for new contact details, notices to the former ones, and notices of what was done to an account."""

from dataclasses import replace

import pytest

from contracts.challenges import Secret
from notifier.content import Kind, compose_sms
from notifier.deliver.builder import Builder
from tests.unit.notifier.content.writing import (
    ADA,
    CLINIC,
    KEYS,
    PATIENT,
    WRITTEN_AT,
    html,
    mailed,
    notification,
    plain,
)

LINK = "https://clinic.example.org/v1/undo/token"
STRANGER = replace(ADA, name=None)


@pytest.mark.parametrize(
    ("language", "subject"),
    [("en", "Your confirmation code for Praxis am Park"), ("de", "Ihr Bestätigungscode für Praxis am Park")],
)
def test_a_code_is_in_the_text_and_not_in_the_subject(language: str, subject: str) -> None:
    mail = mailed(notification(Kind.ADDRESS_CODE, language=language))

    assert mail["Subject"] == subject
    assert "12345678" in plain(mail)
    assert "12345678" in html(mail)
    assert "/v1/" not in plain(mail)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_notice_has_the_link_and_no_code(language: str) -> None:
    mail = mailed(notification(Kind.ADDRESS_CHANGED, language=language))

    assert LINK in plain(mail)
    assert f'href="{LINK}"' in html(mail)
    assert "List-Unsubscribe" not in mail
    english = "undo the change" in plain(mail)
    assert english is (language == "en"), "every sentence is translated"


@pytest.mark.parametrize(
    ("kind", "language", "lead"),
    [
        (Kind.PASSKEY_ADDED, "en", "A passkey was added to your account at Praxis am Park on Wednesday"),
        (Kind.PASSKEY_ADDED, "de", "zu Ihrem Konto bei Praxis am Park wurde am Mittwoch"),
        (Kind.PASSKEY_REMOVED, "en", "A passkey was removed from your account at Praxis am Park on"),
        (Kind.PASSKEY_REMOVED, "de", "aus Ihrem Konto bei Praxis am Park wurde am Mittwoch"),
        (Kind.CALENDAR_LINK_MADE, "en", "A calendar link was made with your account at Praxis am Park on"),
        (Kind.CALENDAR_LINK_MADE, "de", "mit Ihrem Konto bei Praxis am Park wurde am Mittwoch"),
    ],
)
def test_a_notice_says_when_and_has_no_link(kind: Kind, language: str, lead: str) -> None:
    mail = mailed(notification(kind, language=language))

    said = " ".join(plain(mail).split())
    assert lead in said
    assert "10:00" in said
    assert "://" not in said
    assert "href" not in html(mail)
    assert ("call the clinic" in said, "rufen Sie in der Praxis an" in said) == (
        language == "en",
        language == "de",
    )


def test_text_messages() -> None:
    code = compose_sms(notification(Kind.ADDRESS_CODE, recipient=STRANGER), CLINIC)
    assert code == "Praxis am Park: your confirmation code is 12345678. Do not share it."
    notice = compose_sms(notification(Kind.ADDRESS_CHANGED, language="de"), CLINIC)
    assert notice.endswith(f"Falls Sie es nicht waren: {LINK}")


ROW = {
    "id": PATIENT, "late": False, "challenge_id": PATIENT, "kind": "login_code", "patient_id": None,
    "appointment_id": None, "cancelled_by": None, "hours_before": None, "dated": WRITTEN_AT,
}  # fmt: skip


@pytest.mark.parametrize(
    ("secret", "kind", "channel"),
    [
        (Secret(code="12345678", email="a@example.org"), Kind.LOGIN_CODE, "mail"),
        (Secret(code="12345678", email="a@example.org", person_id=PATIENT), Kind.ADDRESS_CODE, "mail"),
        (
            Secret(code="12345678", email="a@example.org", phone="+4930123456", person_id=PATIENT),
            Kind.ADDRESS_CODE,
            "sms",
        ),
        (Secret(email="a@example.org", undo="token"), Kind.ADDRESS_CHANGED, "mail"),
        (Secret(email="a@example.org", passkey_added=True), Kind.PASSKEY_ADDED, "mail"),
        (Secret(email="a@example.org", passkey_removed=True), Kind.PASSKEY_REMOVED, "mail"),
        (Secret(email="a@example.org", calendar_link_made=True), Kind.CALENDAR_LINK_MADE, "mail"),
    ],
)
def test_the_secret_decides_what_is_written(secret: Secret, kind: Kind, channel: str) -> None:
    built = Builder(KEYS).build(ROW, secret)  # type: ignore[arg-type]  # a row of the table

    assert getattr(built, "kind", None) is kind
    recipient = getattr(built, "recipient", None)
    assert recipient is not None
    assert (recipient.name, recipient.channel) == (None, channel)
