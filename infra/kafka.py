"""Connections to Kafka, and the one thing aiokafka cannot ask for: a topic's id."""

import asyncio
import ssl
from collections.abc import Coroutine
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts.topics import Topic
from infra import kafka_connection
from infra.background import all_of
from infra.errors import MisconfiguredError, TransientError
from infra.settings import Settings

REQUEST_TIMEOUT_MS = 10_000
# A batch of this size carries some 100 commands of a partition in one request.
BATCH_BYTES_MAX = 64 * 1024
# A dead letter is a record of the commands' topic (1 MiB at most) with a few headers more.
RECORD_BYTES_MAX = 2 * 1024 * 1024
CUT_OFF_AFTER_S = 1.0

kafka_connection.use()


def topic_name(settings: Settings, topic: Topic) -> str:
    """The topic's name on the servers: the contract's, after the clinic's namespace."""
    return f"{settings.namespace}{topic.name}"


def connection(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client is told: addresses, TLS, SASL."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol in ("SSL", "SASL_SSL"):
        arguments["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return arguments


def faststream_connection(settings: Settings) -> dict[str, Any]:
    """The same for a FastStream broker, which wraps TLS and SASL in objects of its own."""
    arguments = connection(settings)
    tls = arguments.get("ssl_context")
    security: BaseSecurity = BaseSecurity(ssl_context=tls)
    if "sasl_mechanism" in arguments:
        kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        security = kinds[arguments["sasl_mechanism"]](
            arguments["sasl_plain_username"] or "", arguments["sasl_plain_password"] or "", ssl_context=tls
        )
    return {"bootstrap_servers": settings.kafka_bootstrap, "security": security}


async def connect(start: Coroutine[Any, Any, None]) -> None:
    """Await what connects a client of aiokafka: its `start()` or `bootstrap()`.

    Cut off in the middle, aiokafka forgets a connection that it has opened. So who is cancelled here waits
    for the end of it, and a second at most. Stopping the client is left to the caller, whatever happens.
    """
    connecting = asyncio.create_task(start)
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await asyncio.wait([connecting], timeout=CUT_OFF_AFTER_S)
        connecting.cancel()
        raise


async def start_producer(settings: Settings, client_id: str, **more: Any) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas. Keys go where murmur2 sends them, as everywhere.

    `more` goes to aiokafka as it is.

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
        **more,
    )
    try:
        await connect(producer.start())
    except BaseException as error:
        await producer.stop()
        if isinstance(error, KafkaError | OSError):
            raise TransientError(f"Kafka does not answer: {error}") from error
        raise
    return producer


async def bounds(consumer: AIOKafkaConsumer, place: TopicPartition) -> tuple[int, int]:
    """The first offset that a partition still has, and the one behind its last; both asked for at once.

    Raises:
        KafkaError: no broker answers.
    """
    begins, ends = await all_of([consumer.beginning_offsets([place]), consumer.end_offsets([place])])
    return begins[place], ends[place]


async def tail(settings: Settings, topic: str, partition: int, offsets: int) -> list[ConsumerRecord]:
    """The committed records among the last `offsets` offsets of a partition.

    Raises:
        KafkaError: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        **connection(settings), enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        await connect(consumer.start())
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        start, end = await bounds(consumer, place)
        consumer.seek(place, max(start, end - offsets))
        records: list[ConsumerRecord] = []
        # By position, not by count: markers of transactions take offsets, too.
        while await consumer.position(place) < end:
            records += (await consumer.getmany(place, timeout_ms=200)).get(place, [])
        return records
    finally:
        await consumer.stop()


async def topic_ids(settings: Settings, names: list[str]) -> dict[str, UUID]:
    """The ids that Kafka gave to topics (KIP-516): one that is made again gets another.

    Raises:
        MisconfiguredError: a topic does not exist.
        TransientError: no broker answers.
    """
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await connect(client.bootstrap())
        answer = await client.send(client.get_random_node(), _MetadataRequest(names))
    except (KafkaError, OSError) as error:
        raise TransientError(f"Kafka does not answer: {error}") from error
    finally:
        await client.close()
    ids = {}
    for error_code, name, topic_id, *_ in answer.topics:
        if error_code:
            why = for_code(error_code).__name__
            raise MisconfiguredError(f"The topic {name} cannot be used ({why}): run `clinic topics`.")
        ids[name] = UUID(bytes=topic_id)
    return ids


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _MetadataResponseV12(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponseV12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString()), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        topics: list[tuple[Any, ...]] = [(bytes(16), name, {}) for name in self._names]
        return request_struct_class(topics, False, False, {})
