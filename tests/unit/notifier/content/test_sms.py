"""Text messages: one line, one message where that is possible."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from notifier.content import Kind, compose_sms
from notifier.content.sms import is_one_message
from tests.unit.notifier.content.writing import ADA, CLINIC, NAMES, VISITS, letter, visit


def test_what_they_say() -> None:
    said = {kind: compose_sms(letter(kind), CLINIC) for kind in Kind}

    when, us = "Tue 1 Dec 2026, 10:00 CET, Dr. Hanna Weiß.", "Praxis am Park"
    assert said == {
        Kind.CONFIRMATION: f"{us}: your appointment is booked: {when}",
        Kind.RESCHEDULE: f"{us}: your appointment has been moved to {when}",
        Kind.CANCELLATION: f"{us}: your appointment is cancelled, as you asked: {when}",
        Kind.REMINDER: f"{us}: reminder of your appointment: {when}",
        Kind.LOGIN_CODE: f"{us}: your login code is 12345678. Tell it to nobody.",
    }


@pytest.mark.parametrize("by", ["staff", "clinic"])
def test_the_clinic_says_that_it_was_the_clinic(by: str) -> None:
    assert "we had to cancel" in compose_sms(letter(Kind.CANCELLATION, cancelled_by=by), CLINIC)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_is_one_message(kind: Kind, language: str) -> None:
    text = compose_sms(letter(kind, language=language), CLINIC)

    assert is_one_message(text)
    assert "Check-up" not in text, "what for is nobody's business who sees the phone"
    assert "General practice" not in text


@pytest.mark.parametrize("kind", VISITS)
@pytest.mark.parametrize("doctor", ["Dr. " + "x" * 150, "Dr. Łukasz Wiśniewski", "Dr. 🩺"])
def test_a_doctor_who_does_not_fit_is_left_out(kind: Kind, doctor: str) -> None:
    text = compose_sms(letter(kind, visit(doctor_name=doctor)), CLINIC)

    assert is_one_message(text)
    assert doctor not in text
    assert text.endswith("10:00 CET.")


@settings(max_examples=60, deadline=None)
@given(doctor=NAMES, kind=some.sampled_from(list(Kind)), language=some.sampled_from(["en", "de"]))
def test_whatever_the_doctor_is_called(doctor: str, kind: Kind, language: str) -> None:
    text = compose_sms(letter(kind, visit(doctor_name=doctor), language=language), CLINIC)

    assert is_one_message(text)
    assert not any(unicodedata.category(character) == "Cc" for character in text)


def test_what_fits_into_one_message() -> None:
    assert is_one_message("a" * 160)
    assert not is_one_message("a" * 161)
    assert is_one_message("€" * 80), "counts twice"
    assert not is_one_message("€" * 81)
    assert not is_one_message("ç")
    assert is_one_message("@£$äöüß")


@pytest.mark.parametrize(
    "phone", [None, "", "030 1234567", "+49 30 1234567", "+0301234567", "+49", "+" + "1" * 16]
)
def test_a_phone_that_cannot_be_reached(phone: str | None) -> None:
    with pytest.raises(ValueError, match="phone"):
        compose_sms(letter(Kind.REMINDER, recipient=replace(ADA, phone=phone)), CLINIC)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_letter_that_lacks_something(kind: Kind) -> None:
    with pytest.raises(ValueError, match="the letter"):
        compose_sms(replace(letter(kind), visit=None, code=None), CLINIC)
