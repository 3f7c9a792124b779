"""Blind indexes: keyed hashes by which sealed values are found."""

import hmac
from collections.abc import Iterable

from infra.crypto.sealing import expanded

TERM_BITS = 12


def address_index(secret: bytes, address: str) -> bytes:
    """The index of a mail address, whole: no two patients have the same."""
    return hmac.digest(secret, address.encode(), "sha256")


def search_terms(secret: bytes, terms: Iterable[str]) -> set[int]:
    """Terms cut to 12 bits, so that many patients share each and none tells what it was made of."""
    key = expanded(secret, "search terms")
    hashes = (hmac.digest(key, term.encode(), "sha256") for term in terms)
    return {int.from_bytes(found[:2], "big") >> (16 - TERM_BITS) for found in hashes}
