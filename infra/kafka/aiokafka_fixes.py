"""Fixes for aiokafka 0.14: each class replaces the one that it extends.

- `Connection`: uvloop raises RuntimeError where asyncio drops data written to a connection that was just
  lost. The background task of aiokafka in which this happens ends permanently (its issue 1038).
- `ProduceHandler`: a batch that the broker rejects uses up sequence numbers, so that the broker rejects
  everything after it as well (OutOfOrderSequenceNumber).
- `TransactionManager`, `MessageBatch`: a failure that each send raises is noted at the transaction and the
  batch as well, where nobody has to ask for it. asyncio reported it when the memory was collected.
- `PartitionRecords`, `Fetcher`: a record that cannot be read raises an error out of a poll of all
  partitions, and the readable records that were fetched before it are lost: the next poll continues after
  them. Here they are returned, and the error follows them as a record of its partition alone (`error_of`).
  A record whose header names are not UTF-8 is readable.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiokafka import ConsumerRecord, conn
from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import (
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    KafkaConnectionError,
    NoError,
    OutOfOrderSequenceNumber,
    UnknownProducerId,
    for_code,
)
from aiokafka.producer import message_accumulator, producer, sender, transaction_manager
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.structs import TopicPartition

# After these errors the sequence numbers of a producer are unusable.
SEQUENCE_LOST = (OutOfOrderSequenceNumber, UnknownProducerId, InvalidProducerEpoch)


class Connection(conn.AIOKafkaConnection):
    """A closed connection raises the same error under every event loop, so that aiokafka reconnects."""

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Raises `KafkaConnectionError`: it is closed."""
        return self._or_broken(super().send, request, expect_response)

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Awaitable[Any]:
        return self._or_broken(super()._send_sasl_token, payload, expect_response)

    def _or_broken(self, send: Callable[..., Awaitable[Any]], *arguments: Any) -> Awaitable[Any]:
        try:
            return send(*arguments)
        except RuntimeError as error:
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


class ProduceHandler(sender.SendProduceReqHandler):
    """The next batch reuses the sequence numbers of a batch that the broker has rejected."""

    def handle_response(self, response: Any) -> None:
        """Settle the batches of the request."""
        super().handle_response(response)
        manager = self._sender._txn_manager
        for topic, partitions in response.topics:
            for partition, error_code, *_ in partitions:
                batch = self._batches.get(TopicPartition(topic, partition))
                error = for_code(error_code)
                if manager is None or batch is None or issubclass(error, (NoError, *SEQUENCE_LOST)):
                    continue
                if error is not DuplicateSequenceNumber and not self._can_retry(error(), batch):
                    manager.increment_sequence_number(batch.tp, -batch.record_count)


class TransactionManager(transaction_manager.TransactionManager):
    """The result of a transaction that failed may be left unread."""

    def error_transaction(self, exc: Exception) -> None:
        """Only aborting is possible from now on."""
        super().error_transaction(exc)
        self._transaction_waiter.exception()

    def fatal_error(self, exc: Exception) -> None:
        """Nothing is possible from now on."""
        super().fatal_error(exc)
        self._transaction_waiter.exception()


class MessageBatch(message_accumulator.MessageBatch):
    """The failure of a batch is known from its records; nobody has to wait for the batch itself."""

    def failure(self, exception: Exception) -> None:
        """Its records are not sent."""
        super().failure(exception)
        if self._drain_waiter.done():
            self._drain_waiter.exception()


def follows(record: ConsumerRecord) -> int:
    """The offset after the previous record: offsets in between hold no records, or aborted ones."""
    offset: int = getattr(record, "follows", record.offset)
    return offset


def error_of(record: ConsumerRecord) -> Exception | None:
    """The reason why the log cannot be read from this offset on; None for an ordinary record."""
    error: Exception | None = getattr(record, "error", None)
    return error


def _unreadable(partition: TopicPartition, offset: int, error: Exception) -> ConsumerRecord:
    record = ConsumerRecord(*partition, offset, -1, 0, None, None, None, -1, -1, ())
    record.follows, record.error = offset, error
    return record


class Records:
    """The record batches of a fetch, with their bytes."""

    def __init__(self, data: bytes) -> None:
        records = MemoryRecords(data)
        self.data = data
        self.has_next = records.has_next
        self.next_batch = records.next_batch
        self.size_in_bytes = records.size_in_bytes


class LenientRecords(_MemoryRecordsPy):
    """Record batches whose header names need not be UTF-8; other bytes appear as `\\xNN`."""

    def next_batch(self) -> Any:
        """The next batch, None after the last."""
        data = self._next_slice
        batch = super().next_batch()
        return LenientBatch(data) if isinstance(data, memoryview) and data[self.MAGIC_OFFSET] >= 2 else batch


class LenientBatch(_DefaultRecordBatchPy):
    """A record batch whose header names need not be UTF-8."""

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer: bytearray = _LenientBytes(self._buffer)
        return self


class _LenientBytes(bytearray):
    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _LenientBytes(found) if isinstance(index, slice) else found

    def decode(self, *_: object) -> str:
        return bytes(self).decode("utf-8", "backslashreplace")


class PartitionRecords(fetcher.PartitionRecords):
    """The records of a fetch; if they cannot all be read, the last one has an `error_of`."""

    def __init__(
        self,
        tp: TopicPartition,
        records: Records,
        aborted: list[Any] | None,
        fetch_offset: int,
        *others: Any,
    ) -> None:
        aborted = list(aborted or ())
        super().__init__(tp, records, aborted, fetch_offset, *others)
        self._aborted, self._data = aborted, records.data
        self._lenient = self._ended = False
        self._read_to = fetch_offset

    def __next__(self) -> ConsumerRecord:
        if self._ended:
            raise StopIteration
        try:
            record = super().__next__()
        except StopIteration:
            raise
        except Exception as error:
            if self._lenient:
                self._ended = True
                return _unreadable(self._tp, self.next_fetch_offset, error)
            self._read_leniently()
            return next(self)
        record.follows = self._read_to
        self._read_to = record.offset + 1
        return record

    def _read_leniently(self) -> None:
        # Again from the start of the fetch: records that were read before are skipped by their offsets.
        self._lenient = True
        self._records = LenientRecords(self._data)
        self._aborted_transactions = sorted(self._aborted, key=lambda transaction: transaction[1])
        self._aborted_producers: set[int] = set()
        self._records_iterator = self._unpack_records()


class _OneError:
    def __init__(self, record: ConsumerRecord) -> None:
        self.next_fetch_offset = record.offset
        self._records = iter([record])

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self

    def __next__(self) -> ConsumerRecord:
        return next(self._records)


class Fetcher(fetcher.Fetcher):
    """An error of one partition is a record of that partition."""

    def _set_error(self, tp: TopicPartition, error: Exception) -> None:
        assignment = self._subscriptions.subscription.assignment
        if not assignment.state_value(tp).has_valid_position:
            super()._set_error(tp, error)
            return
        record = _unreadable(tp, assignment.state_value(tp).position, error)
        self._records[tp] = fetcher.FetchResult(
            tp, assignment=assignment, partition_records=_OneError(record), backoff=self._prefetch_backoff
        )


def use() -> None:
    """Let aiokafka use these classes."""
    conn.AIOKafkaConnection = Connection
    sender.SendProduceReqHandler = ProduceHandler
    producer.TransactionManager = TransactionManager
    message_accumulator.MessageBatch = MessageBatch
    fetcher.MemoryRecords = Records
    fetcher.PartitionRecords = PartitionRecords
    consumer.Fetcher = Fetcher
