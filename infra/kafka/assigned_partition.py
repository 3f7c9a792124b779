"""A partition between its assignment and its revocation: its task and its bounded queue.

An error stops only this partition, with an alert; it is retried until the partition can continue.
"""

import asyncio
import contextlib
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from infra import clock
from infra.errors import MisplacedError, PausedError, StopError
from infra.kafka.aiokafka_fixes import error_of, follows
from infra.kafka.partition import STOPS, Partition, RecordQueue
from infra.kafka.pause import Pause
from infra.kafka.reader import bounds
from infra.metrics import PARTITION_STOPPED
from infra.postgres import CONFLICTS, is_outage, took_too_long

TRIES_MAX = 3
CONFLICT_BACKOFF_S = 0.02
CONFLICTS_MAX = 200
OUTAGE_BACKOFF_S_MIN = 0.1
OUTAGE_BACKOFF_S_MAX = 2.0
LOOK_AGAIN_S_MIN = 1.0
LOOK_AGAIN_S_MAX = 30.0
REMIND_INTERVAL_S = 60.0
CHECK_INTERVAL_S = 5.0

_log = structlog.get_logger(__name__)


class AssignedPartition:
    """Opens the partition and processes its records until it is released."""

    def __init__(self, name: TopicPartition, partition: Partition, client: Any) -> None:
        """`client` is the aiokafka consumer that the partition is assigned to."""
        self.name = name
        self.partition = partition
        self.queue = RecordQueue()
        self.busy = False
        self.stopped: str | None = None
        self.pause = Pause(name, partition)
        self._client = client
        self._released = False
        self._paused = True
        self._stopped_at_open = False
        self._reported_at = 0.0
        self._look_again_s = LOOK_AGAIN_S_MIN
        self._gauge = PARTITION_STOPPED.labels(name.topic, str(name.partition))
        self._gauge.set(0)
        self._check_at = clock.monotonic() + clock.jitter(0, CHECK_INTERVAL_S)
        # For the watch: the last position, and when it last moved or had a known reason to wait.
        self.seen = (-1, clock.monotonic())
        self.task = asyncio.create_task(self._run())

    def enqueue(self, records: list[ConsumerRecord]) -> None:
        """Add polled records to the queue. Must not block."""
        if self._released or self.queue.expected is None:
            return  # read again from the position, once that is known
        for record in records:
            if record.offset < self.queue.expected:
                continue
            if follows(record) > self.queue.expected:
                # Fetched before the position was set, or after a transaction marker.
                with contextlib.suppress(IllegalStateError):
                    self._client.seek(self.name, self.queue.expected)
                break
            self.queue.put(record)
            if error_of(record):
                self._pause()
                break
        if self.queue.full:
            self._pause()
        self.queue.filled.set()

    def release(self) -> None:
        """Start no more batches. One in progress may finish; one that only waits is cancelled."""
        self._released = True
        self.queue.clear()
        if not self.busy or self.partition.waiting:
            self.task.cancel()

    async def close(self) -> None:
        """End for good; `task` is done."""
        await self.partition.close()
        self._gauge.set(0)
        self.pause.over()

    def waited(self) -> None:
        """Note that it waits for a known reason, so that the lack of progress is expected."""
        self.seen = (self.partition.next_offset, clock.monotonic())

    async def _run(self) -> None:
        while not self._released:
            try:
                await self._open()
                if self._stopped_at_open:
                    self._continued()
                await self._work()
            except MisplacedError as error:
                _log.info("seeking", **self._where, next_offset=error.next_offset)
                await asyncio.sleep(CONFLICT_BACKOFF_S)
            except PausedError as error:
                self._pause()
                self.queue.clear()
                await self.pause.last(str(error), self.waited)
            except STOPS as error:
                await self._stopped(str(error))
            except Exception as error:
                _log.error("a partition failed", **self._where, exc_info=error)
                await self._stopped(f"{type(error).__name__}: {error}")

    async def _open(self) -> None:
        self.queue.clear()
        backoff_s = OUTAGE_BACKOFF_S_MIN
        while True:
            try:
                try:
                    await self.partition.open(*await bounds(self._client, self.name))
                except STOPS:
                    # Somebody else may have moved the position beyond the end as it was asked for.
                    await self.partition.open(*await bounds(self._client, self.name))
                next_offset = self.partition.next_offset
                self.queue.expected = next_offset
                self._client.seek(self.name, next_offset)
                self._client.resume(self.name)
                self._paused = False
            except IllegalStateError:
                raise asyncio.CancelledError from None  # it was revoked
            except Exception as error:
                if not _is_temporary(error):
                    raise
                _log.warning("cannot read the position", **self._where, error=repr(error))
                self.waited()
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, OUTAGE_BACKOFF_S_MAX)
            else:
                return

    async def _work(self) -> None:
        while not self._released:
            if not self.queue:
                self.queue.filled.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._check_at - clock.monotonic()):
                        await self.queue.filled.wait()
            if clock.monotonic() >= self._check_at:
                await self._check()
            records = self.queue.take()
            if not records:
                continue
            error = error_of(records[0])
            if isinstance(error, OffsetOutOfRangeError):
                raise MisplacedError(records[0].offset)  # opening it again says what is to be done
            if error is not None and not await self.partition.is_to_skip(records[0].offset):
                raise StopError(f"the log cannot be read at offset {records[0].offset}: {error!r}")
            self.busy = True
            try:
                await self._process(records)
            finally:
                self.busy = False
            self._continued()
            if error is not None:
                raise MisplacedError(self.partition.next_offset)
            if self._paused and not self.queue.full and not self._released:
                self._paused = False
                with contextlib.suppress(IllegalStateError):
                    self._client.resume(self.name)

    async def _check(self) -> None:
        try:
            await self.partition.check()
        except Exception as error:
            if not _is_temporary(error):
                raise
            _log.info("the log cannot be checked", **self._where, error=repr(error))
        self._check_at = clock.monotonic() + CHECK_INTERVAL_S

    async def _process(self, records: list[ConsumerRecord]) -> None:
        tries, conflicts, backoff_s = 0, 0, OUTAGE_BACKOFF_S_MIN
        while True:
            try:
                return await self.partition.process(records)
            except CONFLICTS as error:
                conflicts += 1
                if conflicts == CONFLICTS_MAX:
                    raise StopError(f"{conflicts} conflicts in a row: {error!r}") from error
                _log.info("conflict, trying again", **self._where, error=repr(error))
                await asyncio.sleep(clock.jitter(CONFLICT_BACKOFF_S, 2 * CONFLICT_BACKOFF_S))
            except (*STOPS, MisplacedError, PausedError):
                raise
            except Exception as error:
                if took_too_long(error) and len(records) > 1:
                    _log.info("took too long, fewer at a time", **self._where, records=len(records))
                    middle = len(records) // 2
                    await self._process(records[:middle])
                    return await self._process(records[middle:])
                if is_outage(error):
                    _log.warning("outage, waiting", **self._where, error=repr(error))
                    self.waited()
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(2 * backoff_s, OUTAGE_BACKOFF_S_MAX)
                    continue
                tries += 1
                if tries == TRIES_MAX:
                    raise
                _log.warning("trying again", **self._where, error=repr(error))
                await asyncio.sleep(CONFLICT_BACKOFF_S)

    def _pause(self) -> None:
        self._paused = True
        with contextlib.suppress(IllegalStateError):
            self._client.pause(self.name)

    async def _stopped(self, reason: str) -> None:
        if self._released:
            return
        self._pause()
        if reason != self.stopped or clock.monotonic() - self._reported_at > REMIND_INTERVAL_S:
            _log.critical("partition stopped", **self._where, error=reason)
            self._reported_at = clock.monotonic()
        self.stopped, self._stopped_at_open = reason, self.queue.expected is None
        self._gauge.set(1)
        await asyncio.sleep(self._look_again_s)
        self._look_again_s = min(2 * self._look_again_s, LOOK_AGAIN_S_MAX)

    def _continued(self) -> None:
        if self.stopped is not None:
            _log.warning("partition continues", **self._where)
            self.stopped, self._stopped_at_open = None, False
            self._look_again_s = LOOK_AGAIN_S_MIN
            self._gauge.set(0)

    @property
    def _where(self) -> dict[str, object]:
        return {"topic": self.name.topic, "partition": self.name.partition}


def _is_temporary(error: Exception) -> bool:
    return is_outage(error) or isinstance(error, (KafkaError, *CONFLICTS))
