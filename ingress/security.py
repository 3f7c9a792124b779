"""Security events: what is told of who came in, who was kept out, and who saw or changed what.

Everywhere but in the patients' directory a patient is only an id, so the directory is what is told about, and
what asks for one patient; the rest of the book can be read while the log is away. See
`docs/decisions/0011-what-is-recorded-of-reads.md`.
"""

import asyncio
import signal
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from fastapi import Request

from contracts.commands import Actor
from contracts.security import SecurityEvent, decode_security_event, security_headers, security_key
from infra import clock
from infra.errors import LogUnavailableError
from ingress.metrics import SECURITY_EVENTS, SECURITY_EVENTS_LOST
from ingress.tracing import request_id

WAITING_MAX = 1_000
DRAIN_TIMEOUT_S = 1.0

_log = structlog.get_logger(__name__)


class Told(TypedDict):
    """What every security event has."""

    event_id: UUID
    occurred_at: datetime
    actor: Actor | None
    request_id: str


def told(request: Request, actor: Actor | None, event_id: UUID | None = None) -> Told:
    """What every security event has, of this request. Its id is a new one, unless one is given."""
    return {
        "event_id": event_id or clock.new_id(),
        "occurred_at": clock.now(),
        "actor": actor,
        "request_id": request_id(request),
    }


class SecurityLog:
    """Appends to `security.events.v1`: at once and for certain (`record`), or when it can (`offer`)."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, ack_timeout_ms: int) -> None:
        self._producer = producer
        self._topic = topic
        self._ack_timeout_s = ack_timeout_ms / 1000
        self._waiting: asyncio.Queue[SecurityEvent] = asyncio.Queue(WAITING_MAX)

    async def record(self, event: SecurityEvent) -> None:
        """Return once all replicas have it. What must not go unrecorded waits for this before it answers.

        Raises:
            LogUnavailableError: they have not in time. It may or may not be in the log.
            UndecodableError: a bug. Nothing was sent that its readers would refuse.
        """
        key, value, headers = security_key(event), event.model_dump_json().encode(), security_headers(event)
        decode_security_event(key, value, headers)
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                acknowledged = await self._producer.send(self._topic, value, key=key, headers=headers)
                # Shielded: what was handed over is sent, whether or not somebody still waits.
                await asyncio.shield(acknowledged)
        except TimeoutError as error:
            raise LogUnavailableError(f"no acknowledgement in {self._ack_timeout_s:g} s") from error
        except KafkaError as error:
            if not error.retriable and not isinstance(error, TopicAuthorizationFailedError):
                # An idempotent producer that lost count never sends again: see `ingress.log`.
                _log.critical("the producer is broken, restarting", error=repr(error))
                signal.raise_signal(signal.SIGTERM)
            raise LogUnavailableError(f"Kafka refused the record: {error}") from error
        SECURITY_EVENTS.labels(type(event).__name__).inc()

    def offer(self, event: SecurityEvent) -> None:
        """Record it soon, unless the log is away or too much waits; that is counted. Must not block."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            SECURITY_EVENTS_LOST.labels("overflow").inc()

    async def run(self) -> None:
        """Record what was offered, until cancelled."""
        while True:
            await self._record_or_count(await self._waiting.get())

    async def drain(self) -> None:
        """Record what still waits, for a moment; the rest is counted."""
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while not self._waiting.empty():
                    await self._record_or_count(self._waiting.get_nowait())
        except TimeoutError:
            SECURITY_EVENTS_LOST.labels("unavailable").inc(self._waiting.qsize())

    async def _record_or_count(self, event: SecurityEvent) -> None:
        try:
            await self.record(event)
        except LogUnavailableError as error:
            why = {"error": str(error), "request_id": event.request_id}
            _log.warning("a refusal of access is not recorded", **why)
            SECURITY_EVENTS_LOST.labels("unavailable").inc()
