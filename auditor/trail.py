"""Entries into the trail: chained, with the chain's end and its heads, in the transaction of the position."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import asyncpg

from auditor.chain import ChainEnd
from auditor.entries import Entry
from auditor.merkle import Tree
from auditor.metrics import ENTRIES, HEADS
from auditor.months import Months
from auditor.signing import Signer
from contracts.audit import Chain, SignedHead
from infra import clock
from infra.event_consumer import Received
from infra.postgres import Connection

COLUMNS = (
    *("chain", "partition", "number", "occurred_at", "recorded_at", "action", "actor_kind", "actor_id"),
    *("doctor_id", "appointment_id", "patient_id", "command_id", "content", "hash"),
)
M = TypeVar("M")


class Trail(Generic[M]):
    """Keeps the messages of a topic; `entry_of` tells what of each."""

    def __init__(
        self,
        chain: Chain,
        entry_of: Callable[[Received[M]], Entry],
        *,
        months: Months,
        signer: Signer,
        head_entries: int,
    ) -> None:
        """`head_entries`: a head is signed whenever the chain has another so many entries."""
        self._chain = chain
        self._entry_of = entry_of
        self._months = months
        self._signer = signer
        self._head_entries = head_entries

    async def keep(self, connection: Connection, partition: int, received: list[Received[M]]) -> None:
        """Add an entry for each; inside the transaction that moves the position (`EventConsumer`)."""
        entries = [self._entry_of(one) for one in received]
        await self._months.ensure(entry.occurred_at for entry in entries)
        end = await load_end(connection, self._chain, partition)
        if end.size != received[0].sequence - 1:
            first = received[0].sequence
            raise RuntimeError(f"{self._chain}/{partition} ends at {end.size}, not before {first}")
        rows, heads = self._chained(end, entries, clock.now())
        try:
            await connection.copy_records_to_table(
                "entries", schema_name="audit", columns=COLUMNS, records=rows
            )
        except asyncpg.CheckViolationError:
            self._months.forget()  # one was dropped meanwhile; the consumer tries again
            raise
        await _save_end(connection, end)
        await save_heads(connection, heads)
        ENTRIES.labels(self._chain).inc(len(rows))

    def _chained(
        self, end: ChainEnd, entries: Sequence[Entry], now: datetime
    ) -> tuple[list[tuple[Any, ...]], list[SignedHead]]:
        rows, heads = [], []
        for entry in entries:
            hash_ = end.append(entry.content)
            *columns, content = entry
            occurred_at, *others = columns
            row = (self._chain.value, end.partition, end.size, occurred_at, now, *others)
            rows.append((*row, content.decode(), hash_))
            if end.size % self._head_entries == 0:
                heads.append(self._signer.head(end, now))
        return rows, heads


async def load_end(connection: Connection, chain: Chain, partition: int) -> ChainEnd:
    """Where the chain ends; locked until the transaction does."""
    row = await connection.fetchrow(
        "SELECT size, last_hash, frontier FROM audit.chains WHERE chain = $1 AND partition = $2 FOR UPDATE",
        *(chain, partition),
    )
    if row is None:
        return ChainEnd.empty(chain, partition)
    return ChainEnd(chain, partition, row["last_hash"], Tree(row["size"], row["frontier"]))


async def _save_end(connection: Connection, end: ChainEnd) -> None:
    await connection.execute(
        """
        INSERT INTO audit.chains (chain, partition, size, last_hash, frontier) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (chain, partition) DO UPDATE
        SET size = excluded.size, last_hash = excluded.last_hash, frontier = excluded.frontier
        """,
        *(end.chain, end.partition, end.size, end.last_hash, end.tree.frontier()),
    )


async def save_heads(connection: Connection, heads: Sequence[SignedHead]) -> None:
    """Keep heads that were signed."""
    for head in heads:
        await connection.execute(
            """
            INSERT INTO audit.heads (chain, partition, size, root, last_hash, signed_at, key_id, signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            *(head.chain, head.partition, head.size, bytes.fromhex(head.root), bytes.fromhex(head.last_hash)),
            *(head.signed_at, head.key_id, bytes.fromhex(head.signature)),
        )
        HEADS.labels(head.chain).inc()
