"""`clinic topics`: make the topics of the contract, and report those that are not what it says.

Nothing here ever changes a topic that exists: more partitions would send a doctor's next command elsewhere,
and other settings would not bring back what they have already deleted. That is for an operator to decide.
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
from rich.console import Console
from rich.table import Table

from contracts.topics import DAY_MS, DEAD_LETTERS, FOREVER, TOPICS, Topic
from infra.errors import MisconfiguredError, TransientError
from infra.kafka import REQUEST_TIMEOUT_MS, connection, topic_name
from infra.settings import Settings

READY_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.1
MESSAGE_BYTES_MAX = 1024 * 1024
# A dead letter is the original record and some headers: what fitted there has to fit here.
DEAD_LETTER_BYTES_MAX = 2 * MESSAGE_BYTES_MAX
MINUTE_MS = 60 * 1000
SEGMENT_MS_MAX = 7 * DAY_MS
REPLICATED = 3
# Kafka's word for "no limit" in every retention setting.
UNLIMITED = "-1"


@dataclass(frozen=True)
class TopicState:
    """A topic as it is on the servers. `findings` say what it has and what it should have."""

    topic: str
    partitions: int
    retention_ms: int
    timestamp_type: str
    created: bool
    findings: tuple[str, ...]

    @property
    def state(self) -> str:
        """In a few words, for the table."""
        if self.findings:
            return f"differs: {'; '.join(self.findings)}"
        return "created" if self.created else "as it should be"


def topics(settings: Settings, as_json: bool) -> bool:
    """Make what is missing and print all topics as a table or as JSON. Returns whether there is no finding.

    Raises:
        MisconfiguredError, TransientError: as `ensure_topics`, but findings are printed.
    """
    # aiokafka logs every refused connection; here that is one sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    states = asyncio.run(_ensure(settings))
    if as_json:
        print(json.dumps([{**asdict(state), "state": state.state} for state in states], indent=2))
        return not any(state.findings for state in states)
    table = Table("topic", "partitions", "kept", "timestamp", "state", box=None, pad_edge=False)
    for state in states:
        colour = "red" if state.findings else "green"
        kept, text = _duration(state.retention_ms), f"[{colour}]{state.state}[/]"
        table.add_row(state.topic, str(state.partitions), kept, state.timestamp_type, text)
    Console().print(table)
    return not any(state.findings for state in states)


async def ensure_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing, wait until all have leaders, and check those that were there.

    Idempotent, also when several processes do it at once. Returns the names of the topics that were made.

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
            partitions=partitions[name],
            retention_ms=int(configs[name]["retention.ms"]),
            timestamp_type=configs[name]["message.timestamp.type"],
            created=name in created,
            findings=tuple(_findings(topic, partitions[name], configs[name])),
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
        raise TransientError(f"Kafka does not answer: {error}") from error
    finally:
        await admin.close()


async def _leaders(admin: AIOKafkaAdminClient) -> dict[str, list[int]]:
    # Of all topics: asking for one by name would make it, where the servers make topics automatically.
    described = await admin.describe_topics()
    return {
        topic["topic"]: [partition["leader"] for partition in topic["partitions"]]
        for topic in described
        if not topic["error_code"]
    }


async def _all_have_leaders(admin: AIOKafkaAdminClient, wanted: dict[str, Topic]) -> dict[str, int]:
    while True:
        leaders = await _leaders(admin)
        if all(leaders.get(name) and min(leaders[name]) >= 0 for name in wanted):
            return {name: len(leaders[name]) for name in wanted}
        await asyncio.sleep(POLL_INTERVAL_S)


async def _create(admin: AIOKafkaAdminClient, settings: Settings, missing: dict[str, Topic]) -> set[str]:
    """Returns the names of those that this process made, and no other at the same time."""
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
    is_dead_letters = topic is DEAD_LETTERS
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": UNLIMITED,
        "message.timestamp.type": topic.timestamp_type,
        "max.message.bytes": str(DEAD_LETTER_BYTES_MAX if is_dead_letters else MESSAGE_BYTES_MAX),
        "min.insync.replicas": "2" if replication_factor >= REPLICATED else "1",
    }
    if topic.retention_ms != FOREVER:
        # Kafka deletes whole segments: one that stays open for a week would keep 15 minutes for a week.
        configs["segment.ms"] = str(min(topic.retention_ms // 3, SEGMENT_MS_MAX))
    return configs


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


def _findings(topic: Topic, partitions: int, configs: dict[str, str]) -> list[str]:
    findings = []
    if partitions != topic.partitions:
        findings.append(f"has {partitions} partitions and should have {topic.partitions}")
    must = {"message.timestamp.type": topic.timestamp_type}
    if topic.retention_ms == FOREVER:
        # How long the others are kept is the operator's choice; for these, less is the loss of the log.
        must |= {"retention.ms": UNLIMITED, "retention.bytes": UNLIMITED, "cleanup.policy": "delete"}
    findings += [
        f"has {name}={configs[name]} and should have {value}"
        for name, value in must.items()
        if configs[name] != value
    ]
    return findings


def _duration(duration_ms: int) -> str:
    if duration_ms == FOREVER:
        return "for ever"
    return f"{duration_ms / DAY_MS:g} days" if duration_ms >= DAY_MS else f"{duration_ms / MINUTE_MS:g} min"
