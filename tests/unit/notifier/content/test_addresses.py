"""The addresses that a mail can be sent to, and how they are written."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest

from notifier.content import Kind, compose_mail
from tests.unit.notifier.content.writing import ADA, CLINIC, calendar, mailed, notification


class TestAddresses:
    @pytest.mark.parametrize(
        ("given", "written"),
        [
            ("o'brien+tag@example.org", "o'brien+tag@example.org"),
            ("Ada@Example.ORG", "Ada@Example.ORG"),
            ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
            ("ada@straße.example", "ada@xn--strae-oqa.example"),
            ("ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example"),
            ("ada@localhost", "ada@localhost"),
            (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
        ],
    )
    def test_that_can_be_written_to(self, given: str, written: str) -> None:
        mail = mailed(notification(Kind.CONFIRMATION, recipient=replace(ADA, email=given)))

        [to] = mail["To"].addresses
        assert to.addr_spec == written

    @pytest.mark.parametrize(
        "given",
        [
            "", "ada", "@example.org", "ada@", "a@b@c", "ada @example.org", "<ada@example.org>",
            "a..b@example.org", ".a@example.org", '"a b"@example.org', "ada,@example.org", "a:b@example.org",
            "ada@example..org", "ada@-example.org", "ada@exa_mple.org", "ada@[192.0.2.1]", "ada@example.org.",
            f"{'a' * 65}@example.org", f"ada@{'a' * 64}.org", f"ada@{'a.' * 127}org",
        ],
    )  # fmt: skip
    def test_that_cannot(self, given: str) -> None:
        with pytest.raises(ValueError, match="the mail address"):
            compose_mail(notification(Kind.CONFIRMATION, recipient=replace(ADA, email=given)), CLINIC)

    def test_that_needs_smtputf8(self) -> None:
        """RFC 6531 and RFC 6532: the envelope and the headers are UTF-8; a calendar has a URI (RFC 6068)."""
        ada = replace(ADA, email="jo\u0308rg@bücher.example")

        mail = compose_mail(notification(Kind.CONFIRMATION, recipient=ada), CLINIC)

        assert (mail.needs_smtputf8, mail.recipient) == (True, "jörg@xn--bcher-kva.example")
        assert '\r\nTo: "Ada Keller" <jörg@xn--bcher-kva.example>\r\n' in mail.content.decode()
        message = email.message_from_bytes(mail.content, EmailMessage, policy=email.policy.SMTPUTF8)
        _, event = calendar(message)
        assert event["ATTENDEE"] == "mailto:j%C3%B6rg@xn--bcher-kva.example"

    def test_in_a_calendar_is_a_uri(self) -> None:
        mail = mailed(notification(Kind.CONFIRMATION, recipient=replace(ADA, email="a%41+b/c@example.org")))

        _, event = calendar(mail)

        assert event["ATTENDEE"] == "mailto:a%2541+b%2Fc@example.org"

    def test_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="the mail address"):
            compose_mail(notification(Kind.CONFIRMATION, recipient=replace(ADA, email=None)), CLINIC)
