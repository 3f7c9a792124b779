"""Which addresses a mail can be sent to, and how they are written."""

from dataclasses import replace

import pytest

from notifier.content import Kind, compose_mail
from tests.unit.notifier.content.writing import ADA, CLINIC, letter, mailed


class TestAddresses:
    @pytest.mark.parametrize(
        ("given", "written"),
        [
            ("o'brien+tag@example.org", "o'brien+tag@example.org"),
            ("Ada@Example.ORG", "Ada@Example.ORG"),
            ("ada@münchen.example", "ada@xn--mnchen-3ya.example"),
            ("ada@xn--mnchen-3ya.example", "ada@xn--mnchen-3ya.example"),
            ("ada@localhost", "ada@localhost"),
            (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
        ],
    )
    def test_that_can_be_written_to(self, given: str, written: str) -> None:
        mail = mailed(letter(Kind.CONFIRMATION, recipient=replace(ADA, email=given)))

        [to] = mail["To"].addresses
        assert to.addr_spec == written

    @pytest.mark.parametrize(
        "given",
        [
            *("", "ada", "@example.org", "ada@", "a@b@c", "ada @example.org", "<ada@example.org>"),
            *(
                "a..b@example.org",
                ".a@example.org",
                '"a b"@example.org',
                "ada,@example.org",
                "a:b@example.org",
            ),
            *(
                "ada@example..org",
                "ada@-example.org",
                "ada@exa_mple.org",
                "ada@[192.0.2.1]",
                "ada@example.org.",
            ),
            *(f"{'a' * 65}@example.org", f"ada@{'a' * 64}.org", f"ada@{'a.' * 127}org"),
        ],
    )
    def test_that_cannot(self, given: str) -> None:
        with pytest.raises(ValueError, match="the mail address"):
            compose_mail(letter(Kind.CONFIRMATION, recipient=replace(ADA, email=given)), CLINIC)

    def test_that_would_need_smtputf8(self) -> None:
        with pytest.raises(ValueError, match="local part that cannot be written to"):
            compose_mail(letter(Kind.CONFIRMATION, recipient=replace(ADA, email="jörg@example.org")), CLINIC)

    def test_that_the_library_would_take_for_another(self) -> None:
        with pytest.raises(ValueError, match="domain that cannot be written to"):
            compose_mail(
                letter(Kind.CONFIRMATION, recipient=replace(ADA, email="ada@straße.example")), CLINIC
            )

    def test_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="the mail address"):
            compose_mail(letter(Kind.CONFIRMATION, recipient=replace(ADA, email=None)), CLINIC)
