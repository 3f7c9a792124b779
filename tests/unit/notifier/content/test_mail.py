"""The text and form of each mail."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifier.content import Kind, Notification, compose_mail
from tests.unit.notifier.content.writing import (
    ADA,
    APPOINTMENT,
    CLINIC,
    HALF_AN_HOUR,
    KATHMANDU,
    VISITS,
    html,
    mailed,
    notification,
    part,
    person,
    plain,
    visit,
)


class TestWhatItSays:
    def test_a_confirmation(self) -> None:
        mail = mailed(notification(Kind.CONFIRMATION))

        assert mail["Subject"] == "Appointment confirmed: Tuesday, 1 December 2026, 10:00"
        assert plain(mail) == (
            "Hello Ada Keller,\n"
            "\n"
            "Your appointment is confirmed.\n"
            "\n"
            "Date: Tuesday, 1 December 2026\n"
            "Time: 10:00 to 10:30, Central European Standard Time (UTC+01:00)\n"
            "Doctor: Dr. Hanna Weiß, General practice\n"
            "Visit: Check-up\n"
            "\n"
            f"Reschedule or cancel: https://clinic.example.org/en/appointments/{APPOINTMENT}\n"
            "\n"
            "-- \n"
            "Praxis am Park\n"
            "This is an automated message.\n"
        )

    def test_the_same_in_german(self) -> None:
        mail = mailed(notification(Kind.CONFIRMATION, language="de"))

        assert mail["Subject"] == "Terminbestätigung: Dienstag, 1. Dezember 2026, 10:00 Uhr"
        assert mail["Content-Language"] == "de"
        text = plain(mail)
        assert text.startswith("Guten Tag Ada Keller,\n\nIhr Termin ist bestätigt.\n")
        assert "Uhrzeit: 10:00 bis 10:30 Uhr, Mitteleuropäische Normalzeit (UTC+01:00)\n" in text

    def test_it_leads_to_the_page_in_a_language_that_the_clinic_has(self) -> None:
        only_german, both = replace(CLINIC, languages=("de",)), CLINIC
        for kind in (Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.REMINDER):
            for language, clinic, path in (("de", both, "de"), ("en", both, "en"), ("en", only_german, "de")):
                mail = mailed(notification(kind, language=language), clinic)
                link = f"https://clinic.example.org/{path}/appointments/{APPOINTMENT}"
                assert f": {link}\n" in plain(mail)
                assert f'href="{link}"' in html(mail)

    def test_a_reschedule_names_the_previous_time(self) -> None:
        before = visit(
            datetime(2026, 10, 23, 8, tzinfo=UTC), doctor_name="Dr. Ines Aalto", specialty="Neurology"
        )
        sent = notification(Kind.RESCHEDULE, visit(version=2), previous=before)

        text = plain(mailed(sent))

        assert "Your appointment has been rescheduled." in text
        was = "Previously: Friday, 23 October 2026, 10:00 to 10:30, Central European Summer Time (UTC+02:00)"
        assert f"{was}, Dr. Ines Aalto, Neurology\n" in text
        assert "Date: Tuesday, 1 December 2026\n" in text
        same = plain(mailed(notification(Kind.RESCHEDULE)))
        assert "Previously: Tuesday, 1 December 2026, 10:00 to 10:30\n" in same, "only what is different"

    @pytest.mark.parametrize(
        ("by", "sentence"),
        [
            ("patient", "Your appointment has been cancelled, as you requested."),
            ("staff", "Your appointment has been cancelled by the clinic."),
            ("clinic", "We had to cancel your appointment: the doctor is unavailable at that time."),
        ],
    )
    def test_a_cancellation_names_who_cancelled(self, by: str, sentence: str) -> None:
        text = plain(mailed(notification(Kind.CANCELLATION, cancelled_by=by)))

        assert sentence in text
        assert "Book another appointment: https://clinic.example.org/en\n" in text

    def test_a_login_code(self) -> None:
        mail = mailed(notification(Kind.LOGIN_CODE))

        assert mail["Subject"] == "Your login code for Praxis am Park"
        assert "\n\n    12345678\n\n" in plain(mail)
        asked = "Wednesday, 25 November 2026 at 10:00, Central European Standard Time (UTC+01:00)"
        assert asked in plain(mail)
        assert "In-Reply-To" not in mail
        assert "http" not in plain(mail).partition("\n-- \n")[0], (
            "a mail that asks for a click is not from the clinic"
        )

    def test_the_time_is_the_doctors_and_the_clinics_if_that_is_different(self) -> None:
        late = visit(datetime(2026, 12, 1, 18, 10, tzinfo=UTC), time_zone=KATHMANDU)

        mail = mailed(notification(Kind.REMINDER, late))

        assert mail["Subject"] == "Reminder: your appointment on Tuesday, 1 December 2026, 23:55"
        assert "Time: 23:55 to Wednesday, 2 December 2026, 00:25, Nepal Time (UTC+05:45)\n" in plain(mail)
        clinic_time = "Tuesday, 1 December 2026, 19:10 to 19:40, Central European Standard Time (UTC+01:00)"
        assert f"Clinic time: {clinic_time}\n" in plain(mail)

    def test_a_visit_during_a_clock_change_has_both_zones(self) -> None:
        summer = "Central European Summer Time (UTC+02:00)"
        winter = "Central European Standard Time (UTC+01:00)"
        change = datetime(2026, 10, 25, 1, tzinfo=UTC)
        during, later = visit(change - HALF_AN_HOUR / 2), visit(change + HALF_AN_HOUR, version=2)

        text = plain(mailed(notification(Kind.CONFIRMATION, during)))
        assert f"Time: 02:45 to 02:15, {summer} → {winter}\n" in text
        text = plain(mailed(notification(Kind.RESCHEDULE, later, previous=during)))
        assert f"Time: 02:30 to 03:00, {winter}\n" in text
        assert f"Previously: Sunday, 25 October 2026, 02:45 to 02:15, {summer} → {winter}\n" in text

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_without_a_name_the_greeting_has_none(self, kind: Kind, language: str) -> None:
        mail = mailed(notification(kind, recipient=replace(ADA, name=None, language=language)))

        assert plain(mail).startswith({"en": "Hello,\n", "de": "Guten Tag,\n"}[language])
        assert mail["To"] == ADA.email

    def test_an_unsupported_language_falls_back_to_english(self) -> None:
        assert plain(mailed(notification(Kind.REMINDER, language="fr"))).startswith("Hello Ada Keller,")


class TestItsForm:
    @pytest.mark.parametrize("kind", list(Kind))
    def test_text_and_html_are_alternatives_that_say_the_same(self, kind: Kind) -> None:
        mail = mailed(notification(kind, language="de"))

        alternative = (
            mail
            if mail.get_content_type() == "multipart/alternative"
            else part(mail, "multipart/alternative")
        )
        assert alternative is not None
        types = [alternative_part.get_content_type() for alternative_part in alternative.iter_parts()]
        assert types[:2] == ["text/plain", "text/html"]
        for line in plain(mail).split("\n"):
            for value in line.split(": "):
                assert value.strip().rstrip("-") in html(mail)

    @pytest.mark.parametrize("kind", list(Kind))
    def test_the_html_loads_nothing_and_tracks_nobody(self, kind: Kind) -> None:
        document = html(mailed(notification(kind)))

        for loads in ("<img", "<link", "<script", "src=", "url(", "@import", "<iframe", "<form"):
            assert loads not in document
        assert '<html lang="en"' in document
        assert 'scope="row"' in document or kind.is_urgent

    @pytest.mark.parametrize("kind", list(Kind))
    def test_composing_again_gives_the_same_mail(self, kind: Kind) -> None:
        first, again = (compose_mail(notification(kind), CLINIC) for _ in range(2))

        assert first == again

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_no_encoded_line_is_longer_than_76(self, kind: Kind, language: str) -> None:
        long = replace(ADA, name="Zoë " * 40, language=language)

        for body in mailed(notification(kind, recipient=long)).walk():
            if not body.is_multipart():
                assert max(map(len, str(body.get_payload()).splitlines())) <= 76

    def test_headers_are_read_as_they_were_set(self) -> None:
        mail = mailed(notification(Kind.REMINDER, recipient=replace(ADA, name="Zoë, née O'Brien")))

        assert person(mail, "To") == ("Zoë, née O'Brien", ADA.email)


@pytest.mark.parametrize(
    "broken",
    [
        *(replace(notification(kind), visit=None) for kind in VISITS),
        replace(notification(Kind.RESCHEDULE), previous=None),
        replace(notification(Kind.LOGIN_CODE), code=None),
        replace(notification(Kind.ADDRESS_CODE), code=None),
        replace(notification(Kind.ADDRESS_CHANGED), undo=None),
        replace(notification(Kind.LOGIN_CODE), code="１２３４"),
        notification(Kind.REMINDER, visit(time_zone="Mars/Olympus_Mons")),
        notification(Kind.REMINDER, visit(time_zone="../../etc/passwd")),
    ],
)
def test_an_incomplete_notification_cannot_be_sent(broken: Notification) -> None:
    with pytest.raises(ValueError, match=r"."):
        compose_mail(broken, CLINIC)


@pytest.mark.parametrize(
    "url", ["", "clinic.example.org", "ftp://example.org", "https://a b", 'https://a"b', "https://a>"]
)
def test_a_clinics_url_must_fit_into_a_header(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        replace(CLINIC, url=url)
