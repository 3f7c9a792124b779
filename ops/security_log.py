"""Records what an operator does in the security log, before it is done."""

from contracts.cloudevents import security_headers, security_key
from contracts.security import SecurityEvent
from contracts.topics import SECURITY_EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.producer import append, start_producer
from infra.settings import Settings
from ops.connections import readable_failures


async def record(settings: Settings, event: SecurityEvent) -> None:
    """Append the event, and return once all replicas have it.

    Raises:
        TransientError: Kafka does not answer.
    """
    async with readable_failures():
        producer = await start_producer(settings, "clinic-record")
        try:
            await append(
                producer,
                topic_name(settings, SECURITY_EVENTS_TOPIC),
                event.model_dump_json().encode(),
                key=security_key(event),
                headers=security_headers(event),
                timeout_s=settings.kafka_ack_timeout_ms / 1000,
                fail=_ignore,
            )
        finally:
            await producer.stop()


def _ignore(error: Exception) -> None:
    """The command ends anyway: `append` raises what it cannot send."""
