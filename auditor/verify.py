"""Verifies a chain from its first entry, together with its heads and stubs.

Everything is recomputed. The first mismatch is reported, and verification of that chain ends there. The times
of a chain and its heads never go back (`auditor.chain.ends.moment`), so heads also bound `recorded_at`.
Entries of bookings are also compared with the workers' events. Somebody who can write the whole database can
forge a consistent chain: only a head that was kept elsewhere reveals that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from auditor.chain.ends import EndError, read_end
from auditor.chain.hash_chain import ENTRY_PREFIX, ChainEnd
from auditor.chain.merkle import HASH_BYTES
from auditor.chain.signing import TrustedKeys, stub_of
from auditor.origin import first_difference, skipped_entries
from auditor.reading import ENTRIES, blocks, read_in_order, stub_from
from contracts.audit import NUMBER_MAX, Chain, SignedHead
from infra.postgres import Connection

Heads = Mapping[int, Sequence[SignedHead]]
"""Heads by their sizes."""


@dataclass(frozen=True)
class ChainReport:
    """The result for one chain: numbers of `entries` read, of entries `dropped` (covered by stubs) and of
    `heads`; `skipped` entries stand for events that an operator told the auditor to leave out; `number` is
    the entry, or the size of the head, of the first mismatch."""

    chain: Chain
    partition: int
    entries: int
    dropped: int
    heads: int
    skipped: int = 0
    number: int | None = None
    finding: str | None = None


class _BrokenError(Exception):
    def __init__(self, number: int, finding: str) -> None:
        super().__init__(finding)
        self.number = number
        self.finding = finding


async def verify_chain(
    connection: Connection,
    chain: Chain,
    partition: int,
    topic: str,
    keys: TrustedKeys,
    kept: Iterable[SignedHead] = (),
) -> ChainReport:
    """Verify the current state of the chain for `topic`. `kept` are its heads that were kept elsewhere."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await read_in_order(connection)
        verification = _Verification(connection, ChainEnd.empty(chain, partition), keys, list(kept))
        broken: _BrokenError | None = None
        try:
            await verification.run()
            await verification.check_end(topic)
            await verification.check_skipped()
            if chain is Chain.BOOKING:
                await verification.check_origin()
        except _BrokenError as error:
            broken = error
        except ValidationError:
            broken = _BrokenError(
                verification.end.size, f"a head or stub near entry {verification.end.size} cannot be read"
            )
    return ChainReport(
        chain,
        partition,
        entries=verification.end.size - verification.dropped,
        dropped=verification.dropped,
        heads=verification.heads,
        skipped=verification.skipped,
        number=broken.number if broken else None,
        finding=broken.finding if broken else None,
    )


class _Verification:
    def __init__(
        self, connection: Connection, end: ChainEnd, keys: TrustedKeys, kept: Sequence[SignedHead]
    ) -> None:
        self.end = end
        self.dropped = 0
        self.heads = 0
        self.skipped = 0
        self._connection = connection
        self._keys = keys
        self._kept = _by_size(kept)
        self._largest_kept = max((head.size for head in kept), default=0)
        self._where = (end.chain, end.partition)

    async def run(self) -> None:
        async for rows in blocks(self._connection, ENTRIES, *self._where, 1, NUMBER_MAX):
            heads = await self._heads_between(rows[0]["number"], rows[-1]["number"])
            at = 0
            while at < len(rows):
                await self._bridge_to(rows[at]["number"])
                at = self._link(rows, at, heads)
        await self._bridge_to(None)

    def _link(self, rows: Sequence[Any], at: int, heads: Heads) -> int:
        """Verify entries until a number is missing. Returns the index of the first unverified row."""
        expected, last, append = self.end.size + 1, self.end.last_hash, self.end.tree.append
        for number, content, stored, agree, recorded_at in rows[at:] if at else rows:
            if number != expected:
                if number < expected:
                    raise _BrokenError(number, f"entry {number} exists twice")
                break
            last = sha256(ENTRY_PREFIX + last + content).digest()
            if last != stored:
                raise _BrokenError(
                    number, f"the hash of entry {number} is not that of its content and the entry before"
                )
            if not agree:
                raise _BrokenError(number, f"the columns of entry {number} differ from its content")
            if recorded_at < self.end.signed_at:
                raise _BrokenError(
                    number, f"entry {number} claims to be recorded before the entry or head that precedes it"
                )
            append(last)
            self.end.last_hash, self.end.signed_at = last, recorded_at
            if number in heads or number in self._kept:
                self._check_heads(heads)
            expected += 1
            at += 1
        return at

    async def _bridge_to(self, number: int | None) -> None:
        """Skip dropped entries up to `number`, or all that follow if it is None, by their stubs."""
        while number is None or self.end.size + 1 < number:
            first = self.end.size + 1
            stub = await stub_from(self._connection, *self._where, first)
            if stub is None:
                if number is None:
                    return
                raise _BrokenError(first, f"entry {first} is missing")
            signed = stub_of(*self._where, first, stub["hashes"], str(stub["month"]), stub["signed_at"])
            if not self._keys.signed(signed, stub["key_id"], stub["signature"]):
                raise _BrokenError(first, f"no trusted key signed the stub that begins with entry {first}")
            heads = await self._heads_between(first, signed.last_number)
            for start in range(0, len(stub["hashes"]), HASH_BYTES):
                self.end.last_hash = stub["hashes"][start : start + HASH_BYTES]
                self.end.tree.append(self.end.last_hash)
                self._check_heads(heads)
            self.dropped += signed.last_number - first + 1

    async def _heads_between(self, first: int, last: int) -> Heads:
        rows = await self._connection.fetch(
            "SELECT * FROM audit.heads WHERE chain = $1 AND partition = $2 AND size BETWEEN $3 AND $4",
            *self._where,
            first,
            last,
        )
        return _by_size(map(SignedHead.from_row, rows))

    def _check_heads(self, stored: Heads) -> None:
        """Check the heads that end at the current entry."""
        for head in stored.get(self.end.size, ()):
            self._check_head(head)
            if head.signed_at < self.end.signed_at:
                raise _BrokenError(head.size, f"entry {head.size} claims to be recorded after {_named(head)}")
            self.end.signed_at = head.signed_at
        for head in self._kept.get(self.end.size, ()):
            self._check_head(head)  # not its time: the trail may have been rebuilt since

    def _check_head(self, head: SignedHead) -> None:
        if not self._keys.signed_head(head):
            raise _BrokenError(head.size, f"no trusted key signed {_named(head)}")
        if head.last_hash != self.end.last_hash.hex() or head.root != self.end.tree.root().hex():
            raise _BrokenError(head.size, f"the first {head.size} entries are not those of {_named(head)}")
        self.heads += 1

    async def check_end(self, topic: str) -> None:
        """Check that the chain's end is signed, and that the auditor's position is that of the last entry."""
        size = self.end.size
        longest = await self._connection.fetchval(
            "SELECT max(size) FROM audit.heads WHERE chain = $1 AND partition = $2", *self._where
        )
        row = await self._connection.fetchrow(
            "SELECT * FROM audit.chains WHERE chain = $1 AND partition = $2", *self._where
        )
        position = await self._connection.fetchval(
            "SELECT last_sequence FROM audit.progress WHERE topic = $1 AND partition = $2",
            topic,
            self._where[1],
        )
        signed = max(longest or 0, self._largest_kept)
        if signed > size:
            raise _BrokenError(size + 1, f"entry {size + 1} is missing: there is a head of {signed} entries")
        try:
            end = read_end(row, *self._where, self._keys)
        except EndError:
            raise _BrokenError(size, "no trusted key signed the chain's end") from None
        if end.size > size:
            raise _BrokenError(size + 1, f"entry {size + 1} is missing: there were {end.size}")
        if end.size < size:
            raise _BrokenError(end.size + 1, f"the chain is signed only up to entry {end.size}")
        if (end.last_hash, end.tree.root()) != (self.end.last_hash, self.end.tree.root()):
            raise _BrokenError(size, f"the first {size} entries are not those of the chain's signed end")
        if end.signed_at < self.end.signed_at:
            raise _BrokenError(size, f"entry {size} claims to be recorded after the chain's end was signed")
        if (position or 0) != size:
            raise _BrokenError(
                size, f"the chain ends with entry {size}, but the auditor's position is {position or 0}"
            )

    async def check_skipped(self) -> None:
        """Check that an operator ordered each event to be left out that was."""
        ordered = await skipped_entries(self._connection, *self._where)
        self.skipped = len(ordered)
        for number in (number for number, known in ordered.items() if not known):
            raise _BrokenError(
                number,
                f"entry {number} says that its event was skipped, and there is no order of an operator",
            )

    async def check_origin(self) -> None:
        """Check that every entry is of the event that the database has under its number."""
        if difference := await first_difference(self._connection, self._where[1]):
            raise _BrokenError(*difference)


def _by_size(heads: Iterable[SignedHead]) -> Heads:
    by_size: dict[int, list[SignedHead]] = {}
    for head in heads:
        by_size.setdefault(head.size, []).append(head)
    return by_size


def _named(head: SignedHead) -> str:
    return f"the head of {head.size} entries, signed at {head.signed_at:%Y-%m-%d %H:%M:%S} UTC"
