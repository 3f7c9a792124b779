"""The interface between the consumer and the code that processes a partition, and the queue between them."""

import asyncio
from collections import deque
from datetime import datetime
from typing import Protocol

from aiokafka import ConsumerRecord

from infra.errors import MisconfiguredError, StopError
from infra.kafka.aiokafka_fixes import error_of, follows

QUEUE_RECORDS_MAX = 2_000
QUEUE_BYTES_MAX = 1024 * 1024
BATCH_RECORDS_MAX = 1_000

STOPS = (StopError, MisconfiguredError)


class Partition(Protocol):
    """Processes the records of one partition while this process owns it."""

    next_offset: int
    # It waits for a known reason, such as an outage: no progress is expected.
    waiting: bool

    async def open(self, log_start: int, log_end: int) -> None:
        """Set `next_offset` from the database. Called before the first record, and again after each stop.

        Raises:
            StopError, MisconfiguredError: the log, which goes from `log_start` to `log_end`, does not fit.
            PausedError: an operator paused it.
        """

    async def process(self, records: list[ConsumerRecord]) -> None:
        """Process all of the records, in order, and move `next_offset`.

        Raises:
            StopError, MisconfiguredError: the partition cannot continue.
            MisplacedError: the database is at another position.
            PausedError: an operator paused it.
        """

    async def check(self) -> None:
        """Called from time to time, between records.

        Raises:
            StopError, MisconfiguredError: the partition cannot continue.
            MisplacedError: it has to be opened again.
            PausedError: an operator paused it.
        """

    async def paused_at(self) -> datetime | None:
        """When an operator paused the partition; None if it may go on.

        Raises:
            OUTAGES: Postgres is unavailable.
        """

    async def is_to_skip(self, offset: int) -> bool:
        """True if an operator wants to go on behind this record, which cannot be read.

        Raises:
            OUTAGES: Postgres is unavailable.
        """

    async def close(self) -> None:
        """Stop using the partition, which another process may own from now on."""


def is_next(records: list[ConsumerRecord], next_offset: int) -> bool:
    """True if the first record is the one that comes next. Offsets may have gaps: markers of transactions,
    aborted records, compaction."""
    return bool(follows(records[0]) <= next_offset <= records[0].offset)


class RecordQueue:
    """Records that were fetched and not processed yet, without a gap."""

    def __init__(self) -> None:
        self._records: deque[ConsumerRecord] = deque()
        self._bytes = 0
        # The offset behind the last record; None while nothing is to be read.
        self.expected: int | None = None
        self.filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def full(self) -> bool:
        """True if fetching should pause."""
        return len(self._records) >= QUEUE_RECORDS_MAX or self._bytes >= QUEUE_BYTES_MAX

    def put(self, record: ConsumerRecord) -> None:
        """Append a record. One with an error is the last until the queue is cleared."""
        self._records.append(record)
        self._bytes += _size(record)
        if not error_of(record):
            self.expected = record.offset + 1

    def take(self) -> list[ConsumerRecord]:
        """The next records up to one that cannot be read, or that one alone if it is the first."""
        taken: list[ConsumerRecord] = []
        while self._records and len(taken) < BATCH_RECORDS_MAX and not (taken and error_of(self._records[0])):
            taken.append(self._records.popleft())
            self._bytes -= _size(taken[-1])
            if error_of(taken[-1]):
                break
        return taken

    def clear(self) -> None:
        """Drop the records, and accept no more until `expected` is set."""
        self._records.clear()
        self._bytes = 0
        self.expected = None


def _size(record: ConsumerRecord) -> int:
    return len(record.value or b"") + len(record.key or b"")
