"""Mail addresses: which can be written to, how they are written, and when two are the same."""

import re
import unicodedata

import idna

LOCAL_PART_OCTETS_MAX, DOMAIN_OCTETS_MAX = 64, 253
# Dots between atoms (RFC 5322, section 3.2.3), which may go beyond ASCII (RFC 6531, section 3.3).
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~\x80-\U0010ffff-]+(\.[\w!#$%&'*+/=?^`{|}~\x80-\U0010ffff-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_ASCII_LOWER = str.maketrans({chr(upper): chr(upper + 32) for upper in range(ord("A"), ord("Z") + 1)})


def written(address: str, *, smtputf8: bool) -> str:
    """The address as headers and envelopes have it: the domain in A-labels (RFC 5890), the local part in NFC.

    A local part beyond ASCII needs a server with SMTPUTF8 (RFC 6531): there is no other spelling to fall back
    on. One that has to be quoted is refused, as many sites refuse it. The message never names the address.

    Raises:
        ValueError: it is no mail address, or none that can be written to.
    """
    local_part, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("the mail address has no @")
    local_part = unicodedata.normalize("NFC", local_part)
    if not _LOCAL_PART.fullmatch(local_part) or not _is_plain(local_part):
        raise ValueError("the mail address has a local part that cannot be written to")
    if len(local_part.encode()) > LOCAL_PART_OCTETS_MAX:
        raise ValueError("the mail address has a local part that is too long")
    if not local_part.isascii() and not smtputf8:
        raise ValueError("the mail address needs a mail server with SMTPUTF8")
    return f"{local_part}@{_a_labels(domain)}"


def comparable(address: str) -> str:
    """The same text for two addresses exactly if they are one.

    Domains are compared by their A-labels, local parts by their NFC (RFC 6532, section 3.1). Upper and lower
    case of ASCII letters are one, although a server may tell them apart (RFC 5321, section 2.4): few do.
    """
    local_part, at, domain = address.rpartition("@")
    try:
        domain = _a_labels(domain)
    except ValueError:
        domain = unicodedata.normalize("NFC", domain)
    return (unicodedata.normalize("NFC", local_part) + at + domain).translate(_ASCII_LOWER)


def is_same(address: str, other: str) -> bool:
    """True if two addresses are one."""
    return comparable(address) == comparable(other)


def formerly_comparable(address: str) -> str:
    """How earlier releases compared addresses: the same as today unless there are characters beyond ASCII."""
    return unicodedata.normalize("NFKC", address).casefold()


def _is_plain(local_part: str) -> bool:
    """No spaces, controls, formats or surrogates, and nothing unassigned."""
    return all(unicodedata.category(character)[0] not in "CZ" for character in local_part)


def _a_labels(domain: str) -> str:
    if not domain.isascii():
        try:
            # By UTS #46 without its transitional mappings: ß is a letter of its own.
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("the mail address has a domain that cannot be written to") from None
    if len(domain) > DOMAIN_OCTETS_MAX or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise ValueError("the mail address has no domain")
    return domain
