"""The commands' log, as the ingress writes it."""

import asyncio
import signal
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError

from contracts.commands import Command
from contracts.envelope import command_headers, command_key
from contracts.receipt import Receipt
from infra import clock
from infra.errors import LogUnavailableError
from ingress.backlog import Backlog
from ingress.metrics import COMMANDS_ACCEPTED

_log = structlog.get_logger(__name__)
_TIMEOUTS = (TimeoutError, KafkaTimeoutError, RequestTimedOutError)


class CommandLog:
    """Appends commands to `booking.commands.v1` and waits for all replicas to have them."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, ack_timeout_ms: int, backlog: Backlog) -> None:
        self._producer = producer
        self._topic = topic
        self._ack_timeout_s = ack_timeout_ms / 1000
        self._backlog = backlog

    async def append(self, command: Command, traceparent: str | None) -> Receipt:
        """The receipt of the command, once the broker has acknowledged it.

        Raises:
            LogUnavailableError: it did not in time. The command may or may not be in the log.
            Problem: 503 `busy`, too much waits to be decided.
        """
        self._backlog.check(command_key(command))
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                acknowledged = await self._producer.send(
                    self._topic,
                    command.model_dump_json().encode(),
                    key=command_key(command),
                    headers=command_headers(command, clock.now(), traceparent),
                )
                # Shielded: what was handed over is sent, whether or not somebody still waits.
                record = await asyncio.shield(acknowledged)
        except _TIMEOUTS as error:
            raise LogUnavailableError(f"no acknowledgement in {self._ack_timeout_s:g} s") from error
        except KafkaError as error:
            if not error.retriable:
                self._give_up(error)
            raise LogUnavailableError(f"Kafka refused the record: {error}") from error
        self._backlog.appended(record.partition, record.offset)
        COMMANDS_ACCEPTED.labels(type(command).__name__).inc()
        submitted_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        return Receipt.of(command, record.partition, record.offset, submitted_at)

    async def ping(self) -> None:
        """Ask a broker for the topic's partitions. Raises what aiokafka raises."""
        await self._producer.client.fetch_all_metadata()

    def _give_up(self, error: KafkaError) -> None:
        # An idempotent producer that lost count never sends again. A new process gets a new producer id.
        _log.critical("the producer is broken, restarting", error=repr(error))
        signal.raise_signal(signal.SIGTERM)
