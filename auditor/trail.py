"""Appends entries to a chain, with its signed end and heads, in the transaction that moves the position."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import asyncpg

from auditor.chain.ends import EndError, load_end, moment, save_end
from auditor.chain.hash_chain import ChainEnd
from auditor.chain.heads import save_heads
from auditor.chain.signing import Signer
from auditor.entries.booking import Entry
from auditor.metrics import ENTRIES
from auditor.months import Months
from contracts.audit import Chain, SignedHead
from infra.kafka.event_consumer import ReceivedMessage
from infra.postgres import Connection

COLUMNS = ("chain", "partition", "number", "recorded_at", *Entry._fields, "hash")
M = TypeVar("M")


class Trail(Generic[M]):
    """Appends an entry for each message of a topic, made by `entry_of`."""

    def __init__(
        self,
        chain: Chain,
        entry_of: Callable[[ReceivedMessage[M]], Entry],
        *,
        months: Months,
        signer: Signer,
        head_entries: int,
    ) -> None:
        """A head is signed every `head_entries` entries."""
        self._chain = chain
        self._entry_of = entry_of
        self._months = months
        self._signer = signer
        self._keys = signer.public()
        self._head_entries = head_entries

    async def append(
        self, connection: Connection, partition: int, received: list[ReceivedMessage[M]]
    ) -> None:
        """Append the messages' entries, in the transaction that moves the position (`EventConsumer`).

        Raises:
            EndError: the chain does not end as it was signed, or not at the consumer's position.
        """
        entries = [self._entry_of(message) for message in received]
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
            self._months.forget()  # a month was dropped since; the consumer retries
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
            position = (self._chain.value, end.partition, end.size, now)
            rows.append((*position, *columns, content.decode(), hash_))
            if end.size % self._head_entries == 0:
                heads.append(self._signer.head(end, now))
        return rows, heads
