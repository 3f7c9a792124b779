"""Requests the id of a topic (KIP-516), which aiokafka cannot."""

from io import BytesIO
from typing import Any
from uuid import UUID

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

from infra.errors import MisconfiguredError
from infra.kafka.connection import REQUEST_TIMEOUT_MS, connect, connection, no_answer
from infra.settings import Settings


async def topic_ids(settings: Settings, names: list[str]) -> dict[str, UUID]:
    """The ids of topics (KIP-516). A recreated topic has another id.

    Raises:
        MisconfiguredError: a topic does not exist.
        TransientError: no broker answers.
    """
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await connect(client.bootstrap())
        return await ask_topic_ids(client, names)
    except (KafkaError, OSError) as error:
        raise no_answer(error) from error
    finally:
        await client.close()


async def ask_topic_ids(client: AIOKafkaClient, names: list[str]) -> dict[str, UUID]:
    """The same through an already connected client, such as a producer's.

    Raises:
        MisconfiguredError: a topic does not exist.
        TransientError: no broker answers.
    """
    try:
        answer = await client.send(client.get_random_node(), _MetadataRequest(names))
    except (KafkaError, OSError) as error:
        raise no_answer(error) from error
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
