"""The one kind of producer: idempotent, acknowledged by all replicas."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerFenced, RequestTimedOutError
from aiokafka.structs import RecordMetadata

from infra.errors import LogUnavailableError, NotSentError
from infra.kafka.aiokafka_fixes import SEQUENCE_LOST
from infra.kafka.connection import REQUEST_TIMEOUT_MS, connect, connection, no_answer
from infra.settings import Settings

# A batch of this size holds about 100 commands of a partition.
BATCH_BYTES_MAX = 64 * 1024
# A dead letter is a record of the commands' topic (at most 1 MiB) with additional headers.
RECORD_BYTES_MAX = 2 * 1024 * 1024


async def start_producer(settings: Settings, client_id: str, **options: Any) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas. Keys are partitioned by murmur2, as in every
    client.

    `options` are passed to aiokafka.

    Raises:
        TransientError: no broker answers.
    """
    producer = AIOKafkaProducer(
        **connection(settings),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        **options,
    )
    try:
        await connect(producer.start())
    except BaseException as error:
        await producer.stop()
        if isinstance(error, KafkaError | OSError):
            raise no_answer(error) from error
        raise
    return producer


def is_broken(producer: AIOKafkaProducer, error: BaseException) -> bool:
    """True if the producer can never send again, so that the process must be restarted.

    All other errors of the broker (access was revoked, a record is too large) are temporary or about one
    record.
    """
    return isinstance(error, (*SEQUENCE_LOST, ProducerFenced)) or producer._sender.sender_task.done()


async def append(
    producer: AIOKafkaProducer,
    topic: str,
    value: bytes,
    *,
    key: bytes,
    headers: list[tuple[str, bytes]],
    timeout_s: float,
    fail: Callable[[Exception], None],
    partition: int | None = None,
) -> RecordMetadata:
    """Send a record and return once all replicas have it. `fail` ends the process if the producer is broken.

    Raises:
        NotSentError: the producer did not take it: it is not in the log.
        LogUnavailableError: it was refused, or not acknowledged in time: it may or may not be in the log.
    """
    acknowledged = None
    try:
        async with asyncio.timeout(timeout_s):
            acknowledged = await producer.send(topic, value, key=key, headers=headers, partition=partition)
            # Shielded: a record that was handed over is sent even if the caller is cancelled.
            return await asyncio.shield(acknowledged)
    except (TimeoutError, KafkaTimeoutError, RequestTimedOutError) as error:
        raise _unavailable(acknowledged, f"no acknowledgement in {timeout_s:g} s") from error
    except KafkaError as error:
        if is_broken(producer, error):
            fail(error)
        raise _unavailable(acknowledged, f"Kafka refused the record: {error}") from error


def _unavailable(acknowledged: object | None, why: str) -> LogUnavailableError:
    return NotSentError(why) if acknowledged is None else LogUnavailableError(why)
