"""Set aside what can never be decided: published before the position moves, so that none is lost."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from booking_worker.incoming import Incoming
from contracts.dead_letters import UndecodableError, dead_letter_headers
from infra.errors import TransientError

_log = structlog.get_logger(__name__)


class DeadLetters:
    """Writes `booking.dlq.v1`: the original key, value and headers, and why."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    async def publish(self, letters: list[tuple[Incoming, UndecodableError]]) -> None:
        """Return when the broker has all of them.

        Raises:
            TransientError: it did not acknowledge; the batch has to be tried again.
        """
        try:
            await asyncio.gather(*[await self._send(*letter) for letter in letters])
        except KafkaError as error:
            raise TransientError(f"dead letters were not acknowledged: {error}") from error
        for item, why in letters:
            _log.error("dead letter", partition=item.record.partition, offset=item.offset, reason=why.reason)

    async def _send(self, item: Incoming, error: UndecodableError) -> asyncio.Future[object]:
        record = item.record
        origin = dead_letter_headers(error, record.topic, record.partition, record.offset)
        acknowledged: asyncio.Future[object] = await self._producer.send(
            self._topic,
            # A record without key and value cannot be sent; the headers tell what it was.
            record.value if record.value is not None or record.key is not None else b"",
            key=record.key,
            partition=record.partition,
            headers=[*record.headers, *origin],
        )
        return acknowledged
