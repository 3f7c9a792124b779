"""Headers as they go out: ASCII, folded by us, so that no text can leave its header (RFC 5322, RFC 2047).

The library would encode an identifier or a link that is too long for a line, and has unquoted names when it
folds them; so each kind of header here says itself how it is written.
"""

import email.policy
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry, UniqueAddressHeader, UniqueUnstructuredHeader
from email.message import EmailMessage
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

if TYPE_CHECKING:
    from email.policy import EmailPolicy

LINE_MAX = 78
BODY_LINE_MAX = 76  # quoted-printable (RFC 2045, section 6.7)
ENCODED_WORD = "=?"


def encoded(text: str, name: str, *, fold: bool) -> str:
    """The text in encoded words (RFC 2047), or as it is where it is plain and fits into a line."""
    if text.isascii() and ENCODED_WORD not in text and len(name) + 2 + len(text) <= LINE_MAX:
        return text
    header = Header(text, "utf-8", header_name=name, maxlinelen=LINE_MAX - 2 if fold else 10_000)
    return header.encode(linesep="\r\n" if fold else "")


def address(name: str | None, mail_address: str) -> str:
    """A value for To or From. `mail_address` is ASCII and has no name."""
    if not name:
        return mail_address
    return f"{_phrase(name, '', fold=False)} <{mail_address}>"


def subject(text: str) -> str:
    """A value for Subject."""
    return encoded(text, "", fold=False)


class Address(UniqueAddressHeader):
    """One address, with or without a name."""

    name: str

    def fold(self, *, policy: Any) -> str:
        """As it goes out."""
        [one] = self.addresses
        if not one.display_name:
            return f"{self.name}: {one.addr_spec}{policy.linesep}"
        phrase, address = _phrase(one.display_name, self.name, fold=True), f"<{one.addr_spec}>"
        fits = len(f"{self.name}: {phrase} {address}") <= LINE_MAX
        return f"{self.name}: {phrase}{'' if fits else policy.linesep} {address}{policy.linesep}"


class Subject(UniqueUnstructuredHeader):
    """Free text."""

    name: str

    def fold(self, *, policy: Any) -> str:
        """As it goes out."""
        return f"{self.name}: {encoded(str(self), self.name, fold=True)}{policy.linesep}"


class Verbatim:
    """Identifiers and links, which nobody may change or break."""

    max_count: ClassVar[Literal[1]] = 1
    name: str

    @staticmethod
    def parse(value: str, kwds: dict[str, Any]) -> None:
        """Take it as it is."""
        if not value.isascii() or not value.isprintable():
            raise ValueError("not an identifier")
        kwds["decoded"], kwds["parse_tree"] = value, None

    def init(self, name: str, *, parse_tree: None, defects: list[Any]) -> None:
        """Called by the registry, which makes the class a header."""
        super().init(name, parse_tree=parse_tree, defects=defects)  # type: ignore[misc]

    def fold(self, *, policy: Any) -> str:
        """As it goes out."""
        return f"{self.name}: {self}{policy.linesep}"


def _phrase(name: str, header: str, *, fold: bool) -> str:
    text = encoded(name, header, fold=fold)
    if text != name:
        return text
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


class _Registry(HeaderRegistry):
    """The library's makes a class anew for each header, and parses the same ones again and again."""

    @lru_cache(maxsize=64)  # noqa: B019 (there is one registry)
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)

    def __call__(self, name: str, value: Any) -> BaseHeader:
        if name.lower() in ALIKE:
            return self._parsed(name, value)
        return super().__call__(name, value)

    @lru_cache(maxsize=256)  # noqa: B019
    def _parsed(self, name: str, value: str) -> BaseHeader:
        return super().__call__(name, value)


def _policy() -> "EmailPolicy[EmailMessage]":
    registry = _Registry()
    for kind, names in KINDS.items():
        for name in names:
            # The registry makes a header of the class; its type does not say so.
            registry.map_to_type(name, cast(type[BaseHeader], kind))
    return email.policy.SMTP.clone(header_factory=registry, max_line_length=BODY_LINE_MAX)


KINDS = {
    Address: ("to", "from"),
    Subject: ("subject",),
    Verbatim: ("message-id", "in-reply-to", "references", "list-unsubscribe", "list-unsubscribe-post"),
}
# What says the same in thousands of mails. A parsed header is never changed.
ALIKE = {"mime-version", "content-type", "content-transfer-encoding", "content-disposition", "from"}
POLICY = _policy()
"""What messages are made with. They may be written out with any other."""
