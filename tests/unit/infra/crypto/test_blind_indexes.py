"""Indexes of addresses collide, and tell nothing without their keys."""

from collections import Counter
from pathlib import Path

import pytest

from infra import clock
from infra.crypto.blind_indexes import CUT_BITS
from infra.crypto.epochs import Epochs, epoch_file
from infra.errors import MisconfiguredError
from infra.keys import Keys
from ops.keys import new_epoch, write_private

KEYS, OTHER_KEYS = Keys(bytes(32)), Keys(b"\x01" * 32)


class TestIndexesOfAddresses:
    ADDRESSES = tuple(f"{number}@example.org" for number in range(4_096))

    def test_buckets_are_shared(self) -> None:
        buckets = Counter(KEYS.indexes.address_bucket(address, 0) for address in self.ADDRESSES)

        assert 0 <= min(buckets) < max(buckets) < 2**CUT_BITS
        assert len(buckets) < 0.7 * len(self.ADDRESSES)
        assert max(buckets.values()) < 12

    def test_nobody_can_compute_them_without_the_key(self) -> None:
        same = [
            address
            for address in self.ADDRESSES
            if KEYS.indexes.address_bucket(address, 0) == OTHER_KEYS.indexes.address_bucket(address, 0)
        ]
        assert len(same) < 12
        assert KEYS.indexes.address_index("a@b.c", 0) != OTHER_KEYS.indexes.address_index("a@b.c", 0)

    def test_a_whole_index_does_not_tell_the_bucket(self) -> None:
        begin_alike = [
            address
            for address in self.ADDRESSES
            if int.from_bytes(KEYS.indexes.address_index(address, 0)[:2], "big") >> 4
            == KEYS.indexes.address_bucket(address, 0)
        ]
        assert len(begin_alike) < 12

    def test_locks_are_the_same_in_each_epoch(self, tmp_path: Path) -> None:
        earlier = Keys(bytes(32), Epochs(tmp_path)).address_lock("a@b.c")
        write_private(epoch_file(tmp_path, 1), new_epoch(1, clock.now()).to_json())

        assert Keys(bytes(32), Epochs(tmp_path)).address_lock("a@b.c") == earlier
        assert OTHER_KEYS.address_lock("a@b.c") != earlier != KEYS.address_lock("b@b.c")
        assert -(2**63) <= earlier < 2**63

    def test_an_epoch_without_its_key_has_none(self) -> None:
        with pytest.raises(MisconfiguredError, match="epoch 7"):
            KEYS.indexes.address_bucket("a@b.c", 7)
