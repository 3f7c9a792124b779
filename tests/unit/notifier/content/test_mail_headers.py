"""The headers of a mail, and how mails about one appointment refer to each other."""

from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from notifier.content import Kind, compose_mail
from tests.unit.notifier.content.writing import (
    CLINIC,
    KEYS,
    PATIENT,
    WRITTEN_AT,
    html,
    mailed,
    notification,
    plain,
)


class TestItsHeaders:
    def test_sender_date_and_that_no_answer_is_expected(self) -> None:
        mail = mailed(notification(Kind.CONFIRMATION))

        assert (mail["From"], mail["To"]) == (
            "Praxis am Park <clinic@example.org>",
            "Ada Keller <ada.keller@example.com>",
        )
        assert parsedate_to_datetime(mail["Date"]) == WRITTEN_AT
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_the_message_id_comes_from_the_notification(self) -> None:
        sent = notification(Kind.REMINDER)

        assert mailed(sent)["Message-ID"] == f"<{sent.id}@example.org>"

    def test_later_mails_reply_to_the_confirmation(self) -> None:
        first = mailed(notification(Kind.CONFIRMATION))
        assert "In-Reply-To" not in first
        assert "References" not in first

        for kind in (Kind.RESCHEDULE, Kind.CANCELLATION, Kind.REMINDER):
            later = mailed(notification(kind))
            assert later["In-Reply-To"] == later["References"] == first["Message-ID"]
            assert later["Message-ID"] != first["Message-ID"]

    @pytest.mark.parametrize("kind", list(Kind))
    def test_only_reminders_can_be_ended_by_one_click(self, kind: Kind) -> None:
        mail = mailed(notification(kind))

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
        sent = notification(Kind.REMINDER)

        lines = compose_mail(sent, clinic).content.split(b"\r\n")

        assert f"Message-ID: <{sent.id}@{domain}>".encode() in lines
        [link] = [line for line in lines if line.startswith(b"List-Unsubscribe: ")]
        assert link.startswith(f"List-Unsubscribe: <https://{domain}/clinic/v1/unsubscribe/".encode())
        assert link.endswith(b">")
