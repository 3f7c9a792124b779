"""Security events: who was refused, and who read or changed patient data.

Outside of the patient directory a patient is only an id. So uses of the directory are recorded, and requests
for one patient's appointments, before the answer; other reads of the book soon after it, also where they show
the reasons of visits, so that the clinic's day can be seen while the log is unavailable. See
`docs/decisions/0011-recorded-reads-and-changes.md`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypedDict
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer
from fastapi import Request

from contracts.cloudevents import decode_security_event, security_headers, security_key
from contracts.commands import Actor, ActorKind
from contracts.envelope import Message
from contracts.security import PATIENTS_MAX, BookRead, SecurityEvent
from infra import clock
from infra.errors import LogUnavailableError
from infra.kafka.producer import append
from ingress.http.metrics import SECURITY_EVENTS, SECURITY_EVENTS_LOST
from ingress.http.tracing import own_request_id, request_id

WAITING_MAX = 1_000
DRAIN_TIMEOUT_S = 1.0

_log = structlog.get_logger(__name__)


class EventContext(TypedDict):
    """The fields that every security event has."""

    event_id: UUID
    occurred_at: datetime
    actor: Actor | None
    request_id: str
    own_request_id: str


def event_context(request: Request, actor: Actor | None, event_id: UUID | None = None) -> EventContext:
    """The fields that every security event has, for this request; `event_id` is random unless given."""
    return {
        "event_id": event_id or clock.new_id(),
        "occurred_at": clock.now(),
        "actor": actor,
        "request_id": request_id(request),
        "own_request_id": own_request_id(request),
    }


class SecurityLog:
    """Appends to `security.events.v1`: before the answer (`record`), or as soon as possible (`offer`)."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, ack_timeout_ms: int, fail: Callable[[Exception], None]
    ) -> None:
        """`fail` ends the process when the producer can never send again."""
        self._producer = producer
        self._topic = topic
        self._ack_timeout_s = ack_timeout_ms / 1000
        self._fail = fail
        self._waiting: asyncio.Queue[SecurityEvent] = asyncio.Queue(WAITING_MAX)

    async def record(self, event: SecurityEvent) -> None:
        """Return once all replicas have it. A request that must be recorded is answered after that.

        Raises:
            LogUnavailableError: not in time. It may or may not be in the log.
            UndecodableError: a bug; readers could not decode it, and nothing was sent.
        """
        key, value, headers = security_key(event), event.model_dump_json().encode(), security_headers(event)
        decode_security_event(Message(key, value, headers))
        await append(
            self._producer,
            self._topic,
            value,
            key=key,
            headers=headers,
            timeout_s=self._ack_timeout_s,
            fail=self._fail,
        )
        SECURITY_EVENTS.labels(type(event).__name__).inc()

    def offer(self, event: SecurityEvent) -> None:
        """Record it soon. What is lost because the log is unavailable or the queue full is counted."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            SECURITY_EVENTS_LOST.labels("overflow").inc()

    def offer_book_read(
        self,
        request: Request,
        caller: Actor,
        view: str,
        *,
        patient_ids: Iterable[UUID] = (),
        doctor_id: UUID | None = None,
        appointment_id: UUID | None = None,
    ) -> None:
        """Record soon that staff saw appointments: `patient_ids` has the patient of each.

        One event, or several where one cannot name so many patients.
        """
        if caller.kind is not ActorKind.STAFF:
            return
        times = Counter(patient_ids)
        patients = list(times)
        for first in range(0, max(len(patients), 1), PATIENTS_MAX):
            named = patients[first : first + PATIENTS_MAX]
            event = BookRead(
                **event_context(request, caller),
                view=view,
                doctor_id=doctor_id,
                appointment_id=appointment_id,
                patient_ids=tuple(named),
                shown=sum(times[patient] for patient in named),
            )
            self.offer(event)

    async def run(self) -> None:
        """Record offered events until cancelled."""
        while True:
            await self._record_or_count(await self._waiting.get())

    async def drain(self) -> None:
        """Record the events that still wait, for a moment; count the rest as lost."""
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
            _log.warning("a security event is not recorded", **why)
            SECURITY_EVENTS_LOST.labels("unavailable").inc()
