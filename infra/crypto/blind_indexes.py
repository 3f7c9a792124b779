"""Blind indexes: keyed hashes by which sealed values are found. Each goes with the key of its epoch."""

import hmac
from collections.abc import Collection, Iterable

from infra.crypto.epochs import FORMER_EPOCH, Epochs, missing_key
from infra.crypto.sealing import expanded

CUT_BITS = 12


def address_bucket(secret: bytes, address: str) -> int:
    """The hash of a mail address cut to 12 bits, so that many patients share it."""
    return _cut(expanded(secret, "address buckets"), address)


def address_index(secret: bytes, address: str) -> bytes:
    """The whole hash, by which earlier releases find a mail address: no two patients have the same."""
    return hmac.digest(secret, address.encode(), "sha256")


def search_terms(secret: bytes, terms: Iterable[str]) -> set[int]:
    """Terms cut to 12 bits, so that many patients share each and none tells what it was made of."""
    key = expanded(secret, "search terms")
    return {_cut(key, term) for term in terms}


def _cut(key: bytes, text: str) -> int:
    return int.from_bytes(hmac.digest(key, text.encode(), "sha256")[:2], "big") >> (16 - CUT_BITS)


class BlindIndexes:
    """The indexes of all epochs. Mail addresses are in their comparable form (`storage.mail_address`).

    A method that takes an epoch raises `MisconfiguredError` if its key does not exist.
    """

    def __init__(self, epochs: Epochs, former: bytes | None) -> None:
        """`former`: the key of `FORMER_EPOCH`, as long as it exists."""
        self._epochs = epochs
        self._former = former

    def address_bucket(self, address: str, epoch: int) -> int:
        """The number by which a patient with this address is found in an epoch."""
        return address_bucket(self._secret(epoch), address)

    def address_buckets(self, address: str) -> dict[int, int]:
        """The same in all epochs, by epoch."""
        return {epoch: address_bucket(secret, address) for epoch, secret in self._secrets().items()}

    def address_index(self, address: str, epoch: int) -> bytes:
        """A keyed hash by which earlier releases find a mail address."""
        return address_index(self._secret(epoch), address)

    def address_indexes(self, addresses: Iterable[str]) -> set[bytes]:
        """All such indexes by which these addresses may be found at present."""
        secrets = self._secrets().values()
        return {address_index(secret, address) for address in addresses for secret in secrets}

    def search_terms(self, terms: Iterable[str], epoch: int) -> list[int]:
        """Terms of a patient (`storage.search_terms`) as they are stored."""
        return sorted(search_terms(self._secret(epoch), terms))

    def all_search_terms(self, terms: Collection[str]) -> list[int]:
        """All that stands for these terms at present."""
        found = (search_terms(secret, terms) for secret in self._secrets().values())
        return sorted(set().union(*found))

    def _secrets(self) -> dict[int, bytes]:
        secrets = {epoch.number: epoch.addresses for epoch in self._epochs.all()}
        return secrets if self._former is None else secrets | {FORMER_EPOCH: self._former}

    def _secret(self, epoch: int) -> bytes:
        secret = self._secrets().get(epoch)
        if secret is None:
            raise missing_key(epoch)
        return secret
