"""`clinic topics`: creates the topics of the contract and reports those that differ from it.

Existing topics are never changed: more partitions would move a doctor's commands to another one, and other
settings would not restore deleted records. An operator has to decide that.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import DAY_MS, DEAD_LETTERS_TOPIC, FOREVER, TOPICS, Topic
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.connection import REQUEST_TIMEOUT_MS, connection, no_answer, topic_name
from infra.settings import Settings
from ops.console import console, table

READY_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.1
MESSAGE_BYTES_MAX = 1024 * 1024
# A dead letter is the original record with additional headers.
DEAD_LETTER_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
MINUTE_MS = 60 * 1000
SEGMENT_MS_MAX = 7 * DAY_MS
IN_SYNC_MIN = 2
# Kafka's word for "no limit" in every retention setting.
UNLIMITED = "-1"


@dataclass(frozen=True)
class TopicState:
    """The state of a topic on the servers. `findings` are its differences from the contract."""

    topic: str
    partitions: int
    retention_ms: int
    timestamp_type: str
    created: bool
    findings: tuple[str, ...]

    @property
    def state(self) -> str:
        """A summary for the table."""
        if self.findings:
            return f"differs: {'; '.join(self.findings)}"
        return "created" if self.created else "as it should be"


def topics(settings: Settings, as_json: bool) -> bool:
    """Create missing topics and print all as a table or as JSON. Returns True if there is no finding.

    Raises:
        MisconfiguredError, TransientError: as `ensure_topics`, but findings are printed.
    """
    # aiokafka logs every refused connection; this command prints one sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    states = asyncio.run(_ensure(settings))
    if as_json:
        print(json.dumps([{**asdict(state), "state": state.state} for state in states], indent=2))
        return not any(state.findings for state in states)
    rows = table("topic", "partitions", "kept", "timestamp", "state")
    for state in states:
        colour = "red" if state.findings else "green"
        kept, text = _duration(state.retention_ms), f"[{colour}]{state.state}[/]"
        rows.add_row(state.topic, str(state.partitions), kept, state.timestamp_type, text)
    console().print(rows)
    return not any(state.findings for state in states)


async def ensure_topics(settings: Settings) -> list[str]:
    """Create missing topics, wait until all have leaders, and check the existing ones.

    Idempotent, also if several processes do it at once. Returns the names of the created topics.

    Raises:
        MisconfiguredError: a topic is not what the contract says (all findings in one message; it is left as
            it is), or the cluster refuses to make one.
        TransientError: no broker answers, or partitions have no leader in time.
    """
    states = await _ensure(settings)
    findings = [f"{state.topic} {finding}" for state in states for finding in state.findings]
    if findings:
        raise MisconfiguredError(f"Topics differ from the contract: {'; '.join(findings)}.")
    return [state.topic for state in states if state.created]


async def _ensure(settings: Settings) -> list[TopicState]:
    wanted = {topic_name(settings, topic): topic for topic in TOPICS}
    async with _admin(settings) as admin:
        missing = wanted.keys() - (await _leaders(admin)).keys()
        created = await _create(admin, settings, {name: wanted[name] for name in sorted(missing)})
        async with asyncio.timeout(READY_TIMEOUT_S):
            partitions = await _all_have_leaders(admin, wanted)
        configs = await _configs(admin, list(wanted))
    return [
        TopicState(
            topic=name,
            partitions=len(partitions[name]),
            retention_ms=int(configs[name]["retention.ms"]),
            timestamp_type=configs[name]["message.timestamp.type"],
            created=name in created,
            findings=tuple(
                findings_of(topic, partitions[name], configs[name], settings.kafka_replication_factor)
            ),
        )
        for name, topic in wanted.items()
    ]


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    except TimeoutError as error:
        raise TransientError("Kafka did not make the topics ready in time; try again.") from error
    except KafkaConnectionError:
        raise TransientError(f"Kafka does not answer at {settings.kafka_bootstrap}.") from None
    except (KafkaError, OSError) as error:
        raise no_answer(error) from error
    finally:
        await admin.close()


async def _leaders(admin: AIOKafkaAdminClient) -> dict[str, list[tuple[int, int]]]:
    """The leader of each partition, -1 if there is none, and the number of its replicas."""
    # Of all topics: a request by name could create the topic, if the servers create topics automatically.
    described = await admin.describe_topics()
    return {
        topic["topic"]: [
            (partition["leader"], len(partition["replicas"])) for partition in topic["partitions"]
        ]
        for topic in described
        if not topic["error_code"]
    }


async def _all_have_leaders(admin: AIOKafkaAdminClient, wanted: dict[str, Topic]) -> dict[str, list[int]]:
    """Returns the number of replicas of each partition, by topic."""
    while True:
        leaders = await _leaders(admin)
        if all(leaders.get(name) and min(leaders[name])[0] >= 0 for name in wanted):
            return {name: [replicas for _, replicas in leaders[name]] for name in wanted}
        await asyncio.sleep(POLL_INTERVAL_S)


async def _create(admin: AIOKafkaAdminClient, settings: Settings, missing: dict[str, Topic]) -> set[str]:
    """Returns the names of the topics that this process created, not those of a concurrent one."""
    if not missing:
        return set()
    factor = settings.kafka_replication_factor
    answer = await admin.create_topics(
        [
            NewTopic(name, topic.partitions, factor, topic_configs=_wanted_configs(topic, factor))
            for name, topic in missing.items()
        ]
    )
    created = set()
    for name, code, message in answer.topic_errors:
        error = for_code(code)
        if code == 0:
            created.add(name)
        elif error is not TopicAlreadyExistsError:
            kind = TransientError if error.retriable else MisconfiguredError
            raise kind(f"Kafka did not make the topic {name}: {message or error.__name__}")
    return created


def _wanted_configs(topic: Topic, replication_factor: int) -> dict[str, str]:
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": UNLIMITED,
        "message.timestamp.type": topic.timestamp_type,
        "max.message.bytes": str(_message_bytes_max(topic)),
        "min.insync.replicas": str(_in_sync_min(replication_factor)),
        "unclean.leader.election.enable": "false",
    }
    if topic.retention_ms != FOREVER:
        # Kafka deletes whole segments: one that is open for a week would retain 15 minutes for a week.
        configs["segment.ms"] = str(min(topic.retention_ms // 3, SEGMENT_MS_MAX))
    return configs


def _message_bytes_max(topic: Topic) -> int:
    return DEAD_LETTER_BYTES_MAX if topic is DEAD_LETTERS_TOPIC else MESSAGE_BYTES_MAX


def _in_sync_min(replication_factor: int) -> int:
    return min(replication_factor, IN_SYNC_MIN)


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code:
                why = message or for_code(code).__name__
                raise MisconfiguredError(f"Kafka does not show the settings of the topic {name}: {why}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def findings_of(
    topic: Topic, replicas: list[int], configs: dict[str, str], replication_factor: int
) -> list[str]:
    """What differs from the contract, or would let a broker acknowledge what it may lose.

    `replicas` are the numbers of replicas of each partition.
    """
    findings = []
    if len(replicas) != topic.partitions:
        findings.append(f"has {len(replicas)} partitions and should have {topic.partitions}")
    if min(replicas) < replication_factor:
        findings.append(f"has {min(replicas)} replicas of a partition and should have {replication_factor}")
    must = {"message.timestamp.type": topic.timestamp_type, "unclean.leader.election.enable": "false"}
    if topic.retention_ms == FOREVER:
        # The operator may choose the retention of other topics; for these, any limit loses the log.
        must |= {"retention.ms": UNLIMITED, "retention.bytes": UNLIMITED, "cleanup.policy": "delete"}
    findings += [
        f"has {name}={configs[name]} and should have {value}"
        for name, value in must.items()
        if configs[name] != value
    ]
    at_least = {
        "min.insync.replicas": _in_sync_min(replication_factor),
        "max.message.bytes": _message_bytes_max(topic),
    }
    findings += [
        f"has {name}={configs[name]} and should have {value} or more"
        for name, value in at_least.items()
        if int(configs[name]) < value
    ]
    return findings


def _duration(duration_ms: int) -> str:
    if duration_ms == FOREVER:
        return "for ever"
    return f"{duration_ms / DAY_MS:g} days" if duration_ms >= DAY_MS else f"{duration_ms / MINUTE_MS:g} min"
