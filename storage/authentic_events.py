"""Tells the events that a worker wrote from records that anybody else wrote to `booking.events.v1`.

An event is authentic if its MAC fits, or if it is the one in `booking.events`, where only workers write. The
second also covers events of releases that added no MAC, and of another key. Everything else is foreign: it is
passed over, with an alert.
"""

from collections import defaultdict
from typing import NamedTuple

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from contracts.envelope import MAC_HEADER, sequence_of
from contracts.topics import EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.metrics import FOREIGN_EVENTS
from infra.postgres import Connection
from storage.rows import EventRow

_COLUMNS = ", ".join(EventRow._fields)
# These are written in another form than in earlier releases, and compared by their meaning.
_FORMS = {"ce_sequence", "ce_source", MAC_HEADER}

_log = structlog.get_logger(__name__)


class EarlierEvents(NamedTuple):
    """Events of releases that added no MAC, which a database lacks that is older than the topic.

    `first` is the partition's first record with a MAC, from where the database ends; None if there is none.
    """

    first: ConsumerRecord | None

    def include(self, record: ConsumerRecord) -> bool:
        """True for an event before the first one with a MAC, by its place and by its number."""
        if self.first is None:
            return True
        if record.offset > self.first.offset:
            return False
        sequence, first = sequence_of(record) or 0, sequence_of(self.first) or 0
        # Its publisher may have crashed before it was counted; then a newer worker published it again.
        return sequence < first or (sequence == first and record.value == self.first.value)


class AuthenticEvents:
    """Picks the authentic events of one topic; reports each foreign record once."""

    def __init__(self, mac: EventMac, *, compare_repeats: bool = True) -> None:
        """`compare_repeats`: with the table, whatever their MAC. Not where the table is what may be wrong."""
        self.mac = mac
        self._compare_repeats = compare_repeats
        self.foreign = 0
        for partition in range(EVENTS_TOPIC.partitions):
            # From 0 on: Prometheus' `increase` does not see a series begin with 1.
            FOREIGN_EVENTS.labels(mac.topic, str(partition))
        self._reported: defaultdict[int, int] = defaultdict(lambda: -1)

    async def among(
        self,
        database: asyncpg.Pool | Connection,
        partition: int,
        records: list[ConsumerRecord],
        *,
        known: int = 0,
        earlier: EarlierEvents | None = None,
    ) -> list[ConsumerRecord]:
        """The records of a partition without foreign events; those without a sequence are left to the caller.

        `known`: events up to this number are repeats, which are compared with the table whatever their MAC.
        `earlier`: what may be believed without a MAC although the table lacks it.

        Raises:
            MisconfiguredError: an event with a MAC is not the one that the table has under its number.
        """
        fits, doubtful = set[int](), set[int]()
        for record in records:
            sequence = sequence_of(record)
            if self.mac.fits(record):
                fits.add(record.offset)
            is_repeat = sequence is not None and sequence <= known and self._compare_repeats
            if sequence and (record.offset not in fits or is_repeat):
                doubtful.add(sequence)
            elif sequence:
                known = sequence
        rows = await self._rows(database, partition, doubtful) if doubtful else {}
        found, foreign = [], []
        for record in records:
            sequence = sequence_of(record)
            row = rows.get(sequence) if sequence else None
            if sequence is None or (row is not None and _is_of(record, row)):
                found.append(record)
            elif record.offset in fits:
                if row is not None:
                    raise MisconfiguredError(
                        f"{record.topic}, partition {partition}: event {sequence} at offset {record.offset} "
                        "is not the one in the database: they tell different histories."
                    )
                found.append(record)
            elif row is None and earlier is not None and earlier.include(record):
                found.append(record)
            else:
                foreign.append(record)
        self._report(partition, foreign)
        return found

    async def _rows(
        self, database: asyncpg.Pool | Connection, partition: int, sequences: set[int]
    ) -> dict[int, EventRow]:
        query = f"SELECT {_COLUMNS} FROM booking.events WHERE partition = $1 AND sequence = ANY($2)"  # noqa: S608
        rows = await database.fetch(query, partition, sorted(sequences))
        return {row["sequence"]: EventRow(**row) for row in rows}

    def _report(self, partition: int, foreign: list[ConsumerRecord]) -> None:
        new = [record for record in foreign if record.offset > self._reported[partition]]
        if not new:
            return
        self.foreign += len(new)
        self._reported[partition] = new[-1].offset
        topic = new[0].topic
        FOREIGN_EVENTS.labels(topic, str(partition)).inc(len(new))
        _log.critical(
            "events that no worker wrote are passed over: somebody else writes to the topic",
            topic=topic,
            partition=partition,
            offset=new[0].offset,
            records=len(new),
        )


def _is_of(record: ConsumerRecord, row: EventRow) -> bool:
    message = row.message()
    return (record.key, record.value, _fixed(record)) == (message.key, message.value, _fixed(message))


def _fixed(record: ConsumerRecord) -> dict[str, bytes | None]:
    return {name: value for name, value in record.headers if name not in _FORMS}
