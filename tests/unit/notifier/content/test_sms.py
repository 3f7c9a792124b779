"""Text messages: one line, and one message if possible."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from notifier.content import Kind, compose_sms
from notifier.content.notification import ACCOUNT_NOTICES
from notifier.content.sms import is_one_message
from tests.unit.notifier.content.writing import ADA, CLINIC, NAMES, VISITS, notification, visit

# A link that undoes a change is longer than a message.
BRIEF = [kind for kind in Kind if kind is not Kind.ADDRESS_CHANGED]


def test_their_texts() -> None:
    said = {kind: compose_sms(notification(kind), CLINIC) for kind in Kind}

    when, us = "Tue 1 Dec 2026, 10:00 CET, Dr. Hanna Weiß.", "Praxis am Park"
    assert said == {
        Kind.CONFIRMATION: f"{us}: your appointment is confirmed for {when}",
        Kind.RESCHEDULE: f"{us}: your appointment has been rescheduled to {when}",
        Kind.CANCELLATION: f"{us}: your appointment has been cancelled, as you requested: {when}",
        Kind.REMINDER: f"{us}: reminder of your appointment on {when}",
        Kind.LOGIN_CODE: f"{us}: your login code is 12345678. Do not share it.",
        Kind.ADDRESS_CODE: f"{us}: your confirmation code is 12345678. Do not share it.",
        Kind.ADDRESS_CHANGED: f"{us}: your contact details have changed. If it was not you: "
        "https://clinic.example.org/v1/undo/token",
        Kind.PASSKEY_ADDED: f"{us}: a passkey was added to your account. If it was not you, call us.",
        Kind.PASSKEY_REMOVED: f"{us}: a passkey was removed from your account. If it was not you, call us.",
        Kind.CALENDAR_LINK_MADE: f"{us}: a calendar link was made with your account. "
        "If it was not you, call us.",
    }


@pytest.mark.parametrize("by", ["staff", "clinic"])
def test_a_cancellation_by_the_clinic_says_so(by: str) -> None:
    assert "we had to cancel" in compose_sms(notification(Kind.CANCELLATION, cancelled_by=by), CLINIC)


@pytest.mark.parametrize("kind", BRIEF)
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_is_one_message(kind: Kind, language: str) -> None:
    text = compose_sms(notification(kind, language=language), CLINIC)

    assert is_one_message(text)
    assert "Check-up" not in text, "somebody who sees the phone must not learn the reason"
    assert "General practice" not in text


@pytest.mark.parametrize("kind", VISITS)
@pytest.mark.parametrize("doctor", ["Dr. " + "x" * 150, "Dr. Łukasz Wiśniewski", "Dr. 🩺"])
def test_a_doctor_who_does_not_fit_is_left_out(kind: Kind, doctor: str) -> None:
    text = compose_sms(notification(kind, visit(doctor_name=doctor)), CLINIC)

    assert is_one_message(text)
    assert doctor not in text
    assert text.endswith("10:00 CET.")


@settings(max_examples=60, deadline=None)
@given(doctor=NAMES, kind=some.sampled_from(BRIEF), language=some.sampled_from(["en", "de"]))
def test_with_any_doctors_name(doctor: str, kind: Kind, language: str) -> None:
    text = compose_sms(notification(kind, visit(doctor_name=doctor), language=language), CLINIC)

    assert is_one_message(text)
    assert not any(unicodedata.category(character) == "Cc" for character in text)


def test_the_length_of_a_message() -> None:
    assert is_one_message("a" * 160)
    assert not is_one_message("a" * 161)
    assert is_one_message("€" * 80), "counts twice"
    assert not is_one_message("€" * 81)
    assert not is_one_message("ç")
    assert is_one_message("@£$äöüß")


@pytest.mark.parametrize(
    "phone", [None, "", "030 1234567", "+49 30 1234567", "+0301234567", "+49", "+" + "1" * 16]
)
def test_an_unreachable_phone_number(phone: str | None) -> None:
    with pytest.raises(ValueError, match="phone"):
        compose_sms(notification(Kind.REMINDER, recipient=replace(ADA, phone=phone)), CLINIC)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in ACCOUNT_NOTICES])
def test_an_incomplete_notification(kind: Kind) -> None:
    with pytest.raises(ValueError, match="the notification"):
        compose_sms(replace(notification(kind), visit=None, code=None, undo=None), CLINIC)
