"""Topics are created as the contract says; differences are reported and left alone."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, TOPICS, Topic
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.connection import connection, topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.topics import ensure_topics
from tests.ops.conftest import clinic_command


@pytest.fixture(scope="module")
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    yield admin
    await admin.close()


async def partitions(admin: AIOKafkaAdminClient, name: str) -> int:
    [topic] = [topic for topic in await admin.describe_topics() if topic["topic"] == name]
    return len(topic["partitions"])


async def configs(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    [(code, _, _, _, entries)] = answer.resources
    assert code == 0
    return {entry[0]: entry[1] for entry in entries}


async def create(admin: AIOKafkaAdminClient, name: str, partitions: int, **settings: str) -> None:
    topic_configs = {key.replace("_", "."): value for key, value in settings.items()}
    await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=topic_configs)])


@pytest.fixture(scope="module")
async def made(settings: Settings) -> Settings:
    own = settings.model_copy(update={"namespace": "made."})
    assert await ensure_topics(own) == [topic_name(own, topic) for topic in TOPICS]
    return own


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
async def test_each_topic_is_what_the_contract_says(
    made: Settings, admin: AIOKafkaAdminClient, topic: Topic
) -> None:
    name = topic_name(made, topic)

    assert await partitions(admin, name) == topic.partitions
    has = await configs(admin, name)
    assert has["cleanup.policy"] == "delete"
    assert has["retention.ms"] == str(topic.retention_ms)
    assert has["retention.bytes"] == "-1"
    assert has["message.timestamp.type"] == topic.timestamp_type
    assert has["min.insync.replicas"] == "1"
    assert has["unclean.leader.election.enable"] == "false"
    # Only closed segments are deleted, so a segment must not stay open much longer than the retention.
    assert topic.retention_ms == -1 or int(has["segment.ms"]) < topic.retention_ms


async def test_a_second_run_creates_nothing(made: Settings) -> None:
    assert await ensure_topics(made) == []


async def test_two_processes_may_create_them_at_once(own: Settings) -> None:
    first, second = await asyncio.gather(ensure_topics(own), ensure_topics(own))

    assert sorted(first + second) == sorted(topic_name(own, topic) for topic in TOPICS)
    assert await ensure_topics(own) == []


async def test_a_producer_can_start_at_once(own: Settings) -> None:
    await ensure_topics(own)

    producer = await start_producer(own, "test")
    try:
        for partition in range(COMMANDS_TOPIC.partitions):
            record = await producer.send_and_wait(topic_name(own, COMMANDS_TOPIC), b"x", partition=partition)
            assert record.offset == 0
    finally:
        await producer.stop()


async def test_a_dead_letter_may_be_longer_than_any_original(
    made: Settings, admin: AIOKafkaAdminClient
) -> None:
    limits = {
        topic.name: int((await configs(admin, topic_name(made, topic)))["max.message.bytes"])
        for topic in TOPICS
    }
    assert limits.pop("booking.dlq.v1") > max(limits.values())


async def test_all_differences_are_reported_in_one_message_and_left_alone(
    own: Settings, admin: AIOKafkaAdminClient
) -> None:
    commands, events = topic_name(own, COMMANDS_TOPIC), topic_name(own, EVENTS_TOPIC)
    await create(admin, commands, 3)
    await create(admin, events, 12, retention_ms="604800000")

    with pytest.raises(MisconfiguredError) as caught:
        await ensure_topics(own)

    message = str(caught.value)
    assert "\n" not in message
    assert f"{commands} has 3 partitions and should have 12" in message
    assert f"{commands} has message.timestamp.type=CreateTime and should have LogAppendTime" in message
    assert f"{events} has retention.ms=604800000 and should have -1" in message
    assert await partitions(admin, commands) == 3
    assert (await configs(admin, commands))["message.timestamp.type"] == "CreateTime"
    assert (await configs(admin, events))["retention.ms"] == "604800000"


async def test_the_retention_of_other_topics_is_the_operators_choice(
    own: Settings, admin: AIOKafkaAdminClient
) -> None:
    size = {"max_message_bytes": str(2 * 1024 * 1024)}
    await create(admin, topic_name(own, TOPICS[2]), 12, retention_ms="604800000", **size)

    await ensure_topics(own)


async def test_a_request_that_the_cluster_refuses_is_one_sentence(own: Settings) -> None:
    with pytest.raises(MisconfiguredError, match=r"^Kafka did not make the topic .* replication"):
        await ensure_topics(own.model_copy(update={"kafka_replication_factor": 3}))


async def test_no_broker_is_one_sentence(own: Settings) -> None:
    with pytest.raises(TransientError, match=r"^Kafka does not answer at 127\.0\.0\.1:1\.$"):
        await ensure_topics(own.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))


async def test_the_command_shows_a_finding_and_ends_with_status_1(
    own: Settings, admin: AIOKafkaAdminClient
) -> None:
    await create(admin, topic_name(own, EVENTS_TOPIC), 3, retention_ms="-1")

    answer = clinic_command(own, "topics", "--json")

    assert answer.returncode == 1
    states = {row["topic"]: row["state"] for row in json.loads(answer.stdout)}
    assert states.pop(topic_name(own, EVENTS_TOPIC)) == "differs: has 3 partitions and should have 12"
    assert set(states.values()) == {"created"}


def test_the_command_says_that_everything_is_correct(made: Settings) -> None:
    answer = clinic_command(made, "topics")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("as it should be") == len(TOPICS)


def test_the_command_without_a_broker_says_one_sentence(own: Settings) -> None:
    answer = clinic_command(own.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}), "topics")

    assert answer.returncode == 1
    assert answer.stderr == "Kafka does not answer at 127.0.0.1:1.\n"
