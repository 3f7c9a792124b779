"""Entries into the trail: chained, with the chain's end and its heads, in the transaction of the position."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import asyncpg

from auditor.chain import ChainEnd
from auditor.ends import EndError, load_end, moment, save_end
from auditor.entries import Entry
from auditor.heads import save_heads
from auditor.metrics import ENTRIES
from auditor.months import Months
from auditor.signing import Signer
from contracts.audit import Chain, SignedHead
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
        self._keys = signer.public()
        self._head_entries = head_entries

    async def keep(self, connection: Connection, partition: int, received: list[Received[M]]) -> None:
        """Add an entry for each; inside the transaction that moves the position (`EventConsumer`).

        Raises:
            EndError: the chain does not end as it was signed, or not where the position is.
        """
        entries = [self._entry_of(one) for one in received]
        await self._months.ensure(entry.occurred_at for entry in entries)
        end = await load_end(connection, self._chain, partition, self._keys)
        first = received[0].sequence
        if end.size != first - 1:
            raise EndError(
                f"{self._chain}/{partition} ends with entry {end.size}, and event {first} is next."
            )
        now = moment(end)
        rows, heads = self._chained(end, entries, now)
        try:
            await connection.copy_records_to_table(
                "entries", schema_name="audit", columns=COLUMNS, records=rows
            )
        except asyncpg.CheckViolationError:
            self._months.forget()  # one was dropped meanwhile; the consumer tries again
            raise
        await save_end(connection, end, self._signer.head(end, now))
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
