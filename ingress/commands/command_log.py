"""The commands' log, as the ingress writes it."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaProducer

from contracts.cloudevents import command_headers, command_key
from contracts.commands import Command
from contracts.receipt import Receipt
from infra import clock
from infra.errors import LogUnavailableError
from infra.kafka.partitioner import partition_of
from infra.kafka.producer import append
from infra.kafka.tracing import OFFSET, TracedRecord, record_span
from infra.telemetry import SpanKind
from ingress.commands.backpressure import Backlog
from ingress.http.metrics import COMMANDS_ACCEPTED

_log = structlog.get_logger(__name__)


class CommandLog:
    """Appends commands to `booking.commands.v1` and waits for all replicas to have them."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        ack_timeout_ms: int,
        backlog: Backlog,
        fail: Callable[[Exception], None],
    ) -> None:
        """`fail` ends the process when the producer can never send again."""
        self._producer = producer
        self._topic = topic
        self._ack_timeout_s = ack_timeout_ms / 1000
        self._backlog = backlog
        self._fail = fail

    async def append(self, command: Command, traceparent: str | None) -> Receipt:
        """The receipt of the command, once the broker has acknowledged it.

        Raises:
            LogUnavailableError: it did not in time: the command may or may not be in the log. Or the log has
                lost its end, so that the command stands where another one was decided.
            Problem: 503 `busy`, too much waits to be decided.
        """
        partition = partition_of(command_key(command))
        self._backlog.check(partition)
        decided_before = self._backlog.next_offset(partition)
        ids = {"clinic.command.id": str(command.command_id), "clinic.command.type": type(command).__name__}
        sent = TracedRecord(traceparent, partition, None, ids)
        with record_span(SpanKind.PRODUCER, self._topic, sent) as span:
            record = await append(
                self._producer,
                self._topic,
                command.model_dump_json().encode(),
                key=command_key(command),
                headers=command_headers(command, clock.now(), span.traceparent),
                timeout_s=self._ack_timeout_s,
                fail=self._fail,
                partition=partition,
            )
            span.note({OFFSET: record.offset})
        if record.offset < decided_before:
            where = {"partition": partition, "offset": record.offset, "next_offset": decided_before}
            _log.critical("the commands' log has lost records: nothing is accepted here", **where)
            raise LogUnavailableError("the log ends before the position")
        self._backlog.appended(record.partition, record.offset)
        COMMANDS_ACCEPTED.labels(type(command).__name__).inc()
        submitted_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        return Receipt.of(command, record.partition, record.offset, submitted_at)

    async def ping(self) -> None:
        """Ask a broker for the topic's partitions. Raises what aiokafka raises."""
        await self._producer.client.fetch_all_metadata()
