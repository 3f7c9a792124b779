"""What a mail says, to whom, and how it hangs together with others."""

import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from notifier.content import Kind, Letter, compose_mail
from tests.unit.notifier.content.writing import (
    ADA,
    CLINIC,
    HALF_AN_HOUR,
    KATHMANDU,
    KEYS,
    PATIENT,
    VISITS,
    WRITTEN_AT,
    html,
    letter,
    mailed,
    part,
    plain,
    received,
    visit,
)

APPOINTMENT_URL = "https://clinic.example.org/v1/appointments/00000000-0000-0000-0000-000000000007"


class TestWhatItSays:
    def test_a_confirmation(self) -> None:
        mail = mailed(letter(Kind.CONFIRMATION))

        assert mail["Subject"] == "Your appointment on Tuesday, 1 December 2026, 10:00"
        assert plain(mail) == (
            "Hello Ada Keller,\n"
            "\n"
            "your appointment is booked.\n"
            "\n"
            "When: Tuesday, 1 December 2026\n"
            "Time: 10:00 to 10:30, Central European Standard Time (UTC+01:00)\n"
            "Doctor: Dr. Hanna Weiß, General practice\n"
            "Visit: Check-up\n"
            "\n"
            "To move or cancel the appointment, log in and open it.\n"
            "\n"
            f"Open the appointment: {APPOINTMENT_URL}\n"
            "\n"
            "-- \n"
            "Praxis am Park\n"
            "https://clinic.example.org\n"
            "This mail was sent automatically.\n"
        )

    def test_the_same_in_german(self) -> None:
        mail = mailed(letter(Kind.CONFIRMATION, language="de"))

        assert mail["Subject"] == "Ihr Termin am Dienstag, 1. Dezember 2026, 10:00 Uhr"
        assert mail["Content-Language"] == "de"
        text = plain(mail)
        assert text.startswith("Guten Tag Ada Keller,\n\nIhr Termin ist gebucht.\n")
        assert "Uhrzeit: 10:00 bis 10:30 Uhr, Mitteleuropäische Normalzeit (UTC+01:00)\n" in text

    def test_a_move_tells_what_was_before(self) -> None:
        before = visit(
            datetime(2026, 10, 23, 8, tzinfo=UTC), doctor_name="Dr. Ines Aalto", specialty="Neurology"
        )
        one = letter(Kind.RESCHEDULE, visit(version=2), previous=before)

        text = plain(mailed(one))

        assert "your appointment has been moved." in text
        was = "Before: Friday, 23 October 2026, 10:00 to 10:30, Central European Summer Time (UTC+02:00)"
        assert f"{was}, Dr. Ines Aalto, Neurology\n" in text
        assert "When: Tuesday, 1 December 2026\n" in text
        same = plain(mailed(letter(Kind.RESCHEDULE)))
        assert "Before: Tuesday, 1 December 2026, 10:00 to 10:30\n" in same, "only what is another"

    @pytest.mark.parametrize(
        ("by", "told"),
        [
            ("patient", "your appointment is cancelled, as you asked."),
            ("staff", "your appointment has been cancelled by our staff."),
            ("clinic", "unfortunately we had to cancel your appointment"),
        ],
    )
    def test_a_cancellation_tells_who_it_was(self, by: str, told: str) -> None:
        text = plain(mailed(letter(Kind.CANCELLATION, cancelled_by=by)))

        assert told in text
        assert "Find another time: https://clinic.example.org/v1/doctors\n" in text
        assert "/v1/appointments/" not in text

    def test_a_login_code(self) -> None:
        mail = mailed(letter(Kind.LOGIN_CODE))

        assert mail["Subject"] == "Your login code for Praxis am Park"
        assert "\n\n    12345678\n\n" in plain(mail)
        asked = "Wednesday, 25 November 2026, 10:00, Central European Standard Time (UTC+01:00)"
        assert asked in plain(mail)
        assert "In-Reply-To" not in mail
        assert "http" not in plain(mail).partition("\n-- \n")[0], "whoever asks for a click is not the clinic"

    def test_the_time_is_the_doctors_and_the_clinics_where_that_is_another(self) -> None:
        late = visit(datetime(2026, 12, 1, 18, 10, tzinfo=UTC), time_zone=KATHMANDU)

        mail = mailed(letter(Kind.REMINDER, late))

        assert mail["Subject"] == "Reminder: your appointment on Tuesday, 1 December 2026, 23:55"
        assert "Time: 23:55 to Wednesday, 2 December 2026, 00:25, Nepal Time (UTC+05:45)\n" in plain(mail)
        there = "Tuesday, 1 December 2026, 19:10 to 19:40, Central European Standard Time (UTC+01:00)"
        assert f"In the clinic’s time: {there}\n" in plain(mail)

    def test_a_visit_during_which_clocks_are_changed_has_both_zones(self) -> None:
        summer = "Central European Summer Time (UTC+02:00)"
        winter = "Central European Standard Time (UTC+01:00)"
        change = datetime(2026, 10, 25, 1, tzinfo=UTC)
        during, later = visit(change - HALF_AN_HOUR / 2), visit(change + HALF_AN_HOUR, version=2)

        text = plain(mailed(letter(Kind.CONFIRMATION, during)))
        assert f"Time: 02:45 to 02:15, {summer} → {winter}\n" in text
        text = plain(mailed(letter(Kind.RESCHEDULE, later, previous=during)))
        assert f"Time: 02:30 to 03:00, {winter}\n" in text
        assert f"Before: Sunday, 25 October 2026, 02:45 to 02:15, {summer} → {winter}\n" in text

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_nobody_is_greeted_without_a_name(self, kind: Kind, language: str) -> None:
        mail = mailed(letter(kind, recipient=replace(ADA, name=None, language=language)))

        assert plain(mail).startswith({"en": "Hello,\n", "de": "Guten Tag,\n"}[language])
        assert mail["To"] == ADA.email

    def test_a_language_that_we_do_not_have_is_english(self) -> None:
        assert plain(mailed(letter(Kind.REMINDER, language="fr"))).startswith("Hello Ada Keller,")


class TestItsForm:
    @pytest.mark.parametrize("kind", list(Kind))
    def test_text_and_html_are_alternatives_that_say_the_same(self, kind: Kind) -> None:
        mail = mailed(letter(kind, language="de"))

        alternative = (
            mail
            if mail.get_content_type() == "multipart/alternative"
            else part(mail, "multipart/alternative")
        )
        assert alternative is not None
        types = [one.get_content_type() for one in alternative.iter_parts()]
        assert types[:2] == ["text/plain", "text/html"]
        for one in plain(mail).split("\n"):
            for value in one.split(": "):
                assert value.strip().rstrip("-") in html(mail)

    @pytest.mark.parametrize("kind", list(Kind))
    def test_the_html_loads_nothing_and_follows_nobody(self, kind: Kind) -> None:
        document = html(mailed(letter(kind)))

        for loads in ("<img", "<link", "<script", "src=", "url(", "@import", "<iframe", "<form"):
            assert loads not in document
        assert '<html lang="en"' in document
        assert 'scope="row"' in document or kind is Kind.LOGIN_CODE

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("policy", [email.policy.SMTP, email.policy.SMTP.clone(cte_type="7bit"), None])
    def test_composed_again_it_is_the_same(self, kind: Kind, policy: email.policy.Policy | None) -> None:
        first, again = (compose_mail(letter(kind), CLINIC) for _ in range(2))

        assert first.as_bytes(policy=policy) == again.as_bytes(policy=policy)

    @pytest.mark.parametrize("kind", list(Kind))
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_no_encoded_line_is_longer_than_76(self, kind: Kind, language: str) -> None:
        long = replace(ADA, name="Zoë " * 40, language=language)

        for one in compose_mail(letter(kind, recipient=long), CLINIC).walk():
            if not one.is_multipart():
                assert max(map(len, str(one.get_payload()).splitlines())) <= 76

    def test_headers_are_as_they_were_set(self) -> None:
        composed = compose_mail(
            letter(Kind.REMINDER, recipient=replace(ADA, name="Zoë, née O'Brien")), CLINIC
        )

        assert composed["To"].addresses[0].addr_spec == ADA.email
        assert composed["To"].addresses[0].display_name == "Zoë, née O'Brien"
        for name, value in received(composed).items():
            assert name in ("Content-Type", "MIME-Version") or str(composed[name]) == value


class TestItsHeaders:
    def test_who_writes_when_and_that_nobody_should_answer(self) -> None:
        mail = mailed(letter(Kind.CONFIRMATION))

        assert (mail["From"], mail["To"]) == (
            "Praxis am Park <clinic@example.org>",
            "Ada Keller <ada.keller@example.com>",
        )
        assert parsedate_to_datetime(mail["Date"]) == WRITTEN_AT
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_the_message_id_is_the_letters(self) -> None:
        one = letter(Kind.REMINDER)

        assert mailed(one)["Message-ID"] == f"<{one.id}@example.org>"

    def test_later_mails_answer_the_confirmation(self) -> None:
        first = mailed(letter(Kind.CONFIRMATION))
        assert "In-Reply-To" not in first
        assert "References" not in first

        for kind in (Kind.RESCHEDULE, Kind.CANCELLATION, Kind.REMINDER):
            later = mailed(letter(kind))
            assert later["In-Reply-To"] == later["References"] == first["Message-ID"]
            assert later["Message-ID"] != first["Message-ID"]

    @pytest.mark.parametrize("kind", list(Kind))
    def test_reminders_alone_can_be_ended_by_one_click(self, kind: Kind) -> None:
        mail = mailed(letter(kind))

        link = mail["List-Unsubscribe"]
        if kind is not Kind.REMINDER:
            assert link is mail["List-Unsubscribe-Post"] is None
            assert "unsubscribe" not in plain(mail) + html(mail)
            return
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        start = "<https://clinic.example.org/v1/unsubscribe/"
        assert link.startswith(start)
        assert KEYS.open_unsubscribe(link.removeprefix(start).removesuffix(">")) == PATIENT
        assert link[1:-1] in plain(mail)
        assert f'href="{link[1:-1]}"' in html(mail)

    def test_identifiers_and_links_are_never_folded_or_encoded(self) -> None:
        domain = ".".join(["long"] * 40) + ".example.org"
        clinic = replace(CLINIC, sender=f"clinic@{domain}", url=f"https://{domain}/clinic")
        one = letter(Kind.REMINDER)

        lines = compose_mail(one, clinic).as_bytes(policy=email.policy.SMTP).split(b"\r\n")

        assert f"Message-ID: <{one.id}@{domain}>".encode() in lines
        [link] = [one for one in lines if one.startswith(b"List-Unsubscribe: ")]
        assert link.startswith(f"List-Unsubscribe: <https://{domain}/clinic/v1/unsubscribe/".encode())
        assert link.endswith(b">")


@pytest.mark.parametrize(
    "broken",
    [
        *(replace(letter(kind), visit=None) for kind in VISITS),
        replace(letter(Kind.RESCHEDULE), previous=None),
        replace(letter(Kind.LOGIN_CODE), code=None),
        replace(letter(Kind.LOGIN_CODE), code="１２３４"),
        letter(Kind.REMINDER, visit(time_zone="Mars/Olympus_Mons")),
        letter(Kind.REMINDER, visit(time_zone="../../etc/passwd")),
    ],
)
def test_a_letter_that_lacks_something_cannot_be_sent(broken: Letter) -> None:
    with pytest.raises(ValueError, match=r"."):
        compose_mail(broken, CLINIC)


@pytest.mark.parametrize(
    "url", ["", "clinic.example.org", "ftp://example.org", "https://a b", 'https://a"b', "https://a>"]
)
def test_a_clinic_has_a_url_that_can_stand_in_a_header(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        replace(CLINIC, url=url)
