"""Raw records of a foreign producer, which our own clients would never send."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from infra.kafka.connection import connection
from infra.settings import Settings

BYTES_MAX = 64 * 1024 * 1024
# The position of the checksum in a record batch (version 2); it covers all bytes after it.
_CRC, _CRC_BYTES = 17, 4


@contextlib.asynccontextmanager
async def foreign_producer(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with settings of its own."""
    producer = AIOKafkaProducer(
        **connection(settings), client_id="foreign", acks="all", max_request_size=BYTES_MAX, **options
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


class BentBatch(BatchBuilder):  # type: ignore[misc]
    """A batch with one record whose bytes are changed before it is sent; its checksum is correct."""

    def __init__(self, bend: Callable[[bytes], bytes], record: dict[str, Any]) -> None:
        super().__init__(BYTES_MAX, 0)
        self._bend = bend
        self._bent = bytearray()
        self.append(timestamp=None, **record)
        self.close()

    def _build(self) -> bytearray:
        if not self._bent:
            batch = bytearray(self._bend(bytes(super()._build())))
            checksum = calc_crc32c(batch[_CRC + _CRC_BYTES :])
            batch[_CRC : _CRC + _CRC_BYTES] = checksum.to_bytes(_CRC_BYTES, "big")
            self._bent = self._buffer = batch
        return self._bent
