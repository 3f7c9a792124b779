"""The spans of records, named and described as OpenTelemetry's semantic conventions for messaging have it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from aiokafka import ConsumerRecord

from contracts.cloudevents import Event, UnknownEvent
from infra import clock, telemetry
from infra.telemetry import Span, SpanKind, Value

OFFSET = "messaging.kafka.offset"
_OPERATIONS = {SpanKind.PRODUCER: "send", SpanKind.CONSUMER: "process"}


class TracedRecord(NamedTuple):
    """A record for its span. `traceparent` is the span's parent; `offset` is None if it is not known."""

    traceparent: str | None
    partition: int
    offset: int | None
    attributes: Mapping[str, Value]


def traceparent_of(record: ConsumerRecord) -> str | None:
    """The W3C trace context that came with a record."""
    for name, value in record.headers:
        if name == "traceparent" and value:
            text: str = value.decode("ascii", "ignore").replace("\x00", "")
            return text
    return None


def traced_event(event: Event | UnknownEvent, record: ConsumerRecord) -> TracedRecord:
    """The record of an event, for the span of processing it."""
    ids = {
        "messaging.message.id": str(event.id),
        "clinic.command.id": str(event.context.command_id),
        "clinic.command.type": event.context.command_type,
        "clinic.event.type": event.event_type,
    }
    return TracedRecord(traceparent_of(record), record.partition, record.offset, ids)


def record_span(kind: SpanKind, topic: str, record: TracedRecord, at: datetime | None = None) -> Span:
    """The span of sending a record (PRODUCER) or processing it (CONSUMER), begun `at` that time or now."""
    operation = _OPERATIONS[kind]
    attributes: dict[str, Value] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(record.partition),
        **record.attributes,
    }
    if record.offset is not None:
        attributes[OFFSET] = record.offset
    return Span(f"{operation} {topic}", kind, record.traceparent, attributes, at=at)


@contextlib.asynccontextmanager
async def record_spans(
    kind: SpanKind, topic: str, records: Callable[[], Iterable[TracedRecord | None]]
) -> AsyncIterator[None]:
    """Spans of records that are sent or processed together, from the beginning of the block to its end.

    They are made at the end, when they hold up nothing; `records` is called then, and only if spans are
    collected. A record that is None or has no trace has no span.
    """
    began, failure = clock.now(), None
    try:
        yield
    except BaseException as error:
        failure = type(error).__qualname__
        raise
    finally:
        if telemetry.is_on():
            ended = clock.now()
            for record in records():
                if record is not None and telemetry.continues(record.traceparent):
                    span = record_span(kind, topic, record, began)
                    if failure:
                        span.fail(failure)
                    span.end(ended)
