"""Spans of planning, by OpenTelemetry's semantic conventions for messaging."""

import contextlib
import re
from collections.abc import Iterator

from aiokafka import ConsumerRecord

from contracts.cloudevents import Event, UnknownEvent
from contracts.events import UnknownFact
from contracts.topics import EVENTS_TOPIC
from infra import telemetry
from infra.kafka.event_consumer import ReceivedMessage
from infra.telemetry import Span, SpanKind

# W3C Trace Context, sections 3.2.2.1 to 3.2.2.4.
_VALID = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_of(record: ConsumerRecord) -> str | None:
    """The `traceparent` that came with the record; None without one, and if no traces are collected."""
    if not telemetry.is_on():
        return None
    header = dict(record.headers).get("traceparent") or b""
    return header.decode() if _VALID.fullmatch(header) else None


@contextlib.contextmanager
def processing(received: list[ReceivedMessage[Event | UnknownEvent]]) -> Iterator[None]:
    """A span for each event that came with a trace, while inside."""
    with contextlib.ExitStack() as spans:
        for _, event, record in received if telemetry.is_on() else ():
            if (trace := trace_of(record)) is not None:
                spans.enter_context(_span(event, record, trace))
        yield


def _span(event: Event | UnknownEvent, record: ConsumerRecord, trace: str) -> Span:
    fact = event.fact
    return Span(
        f"process {EVENTS_TOPIC.name}",
        SpanKind.CONSUMER,
        trace,
        {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "clinic.event.type": fact.type_name if isinstance(fact, UnknownFact) else type(fact).__name__,
        },
    )
