"""Text from outside, made fit to stand in a letter, or refused. What is refused is never shown."""

import re
import unicodedata

# Dots between atoms (RFC 5322, section 3.2.3).
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
LOCAL_PART_OCTETS_MAX, DOMAIN_OCTETS_MAX = 64, 253
# Embeddings, overrides, isolates and marks: they would turn round what stands beside them.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}


def line(text: str, what: str) -> str:
    """The text, if it is one line of characters that can be written down.

    Raises:
        ValueError: it holds a control character, a line break of any kind, or half a surrogate pair.
    """
    if any(unicodedata.category(character) in _FORBIDDEN for character in text):
        raise ValueError(f"{what} holds control characters")
    return _BIDI.sub("", text)


def mail_address(text: str) -> str:
    """The address in ASCII, as it goes into headers and envelopes: an international domain in Punycode.

    A local part outside ASCII is refused. It takes SMTPUTF8 (RFC 6531) at every server on the way, and there
    is no other spelling to fall back on. So is one that has to be quoted.

    Raises:
        ValueError: it is none, or none that can be written to.
    """
    local_part, at, domain = line(text, "the mail address").rpartition("@")
    if not at or len(local_part) > LOCAL_PART_OCTETS_MAX or not _LOCAL_PART.fullmatch(local_part):
        raise ValueError("the mail address has a local part that cannot be written to")
    return f"{local_part}@{_ascii(domain)}"


def _ascii(domain: str) -> str:
    try:
        encoded = domain.encode("idna").decode("ascii")
        # IDNA 2003 takes some names for others, such as ß for ss: mail would go to a stranger's domain.
        same = encoded.encode().decode("idna") == unicodedata.normalize("NFC", domain).lower()
    except UnicodeError:
        same = False
    if not same and not domain.isascii():
        raise ValueError("the mail address has a domain that cannot be written to")
    encoded = domain if domain.isascii() else encoded
    if len(encoded) > DOMAIN_OCTETS_MAX or not all(_LABEL.fullmatch(part) for part in encoded.split(".")):
        raise ValueError("the mail address has no domain")
    return encoded
