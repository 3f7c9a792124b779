"""Records of the events' topic, as `infra.event_consumer.EventConsumer` asks for them."""

from aiokafka import ConsumerRecord

from contracts.envelope import Event, decode_event


def decode(record: ConsumerRecord) -> Event:
    """The event. Raises `UndecodableError`."""
    return decode_event(record.value, record.headers)


def sequence_of(record: ConsumerRecord) -> int | None:
    """The number that the worker gave to the event; None for what no worker wrote."""
    digits = dict(record.headers).get("ce_sequence") or b""
    return int(digits) if digits.isdigit() and len(digits) <= 18 else None
