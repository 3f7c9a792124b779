"""`clinic lag`: how far each service is behind on the topics that it reads."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.fields import rfc3339
from contracts.topics import (
    COMMANDS_TOPIC,
    EVENTS_TOPIC,
    LOGIN_CHALLENGES_TOPIC,
    SECURITY_EVENTS_TOPIC,
    Topic,
)
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.reader import read_on
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from ops.connections import database, log_reader, quiet
from ops.console import console, table


@dataclass(frozen=True)
class Follower:
    """A service and a topic that it follows; `progress` is the table with its positions.

    `consumer` names the two together, for orders of an operator.
    """

    consumer: str
    service: str
    topic: Topic
    progress: str

    def dsn(self, settings: Settings) -> str:
        """The connection string of the service's own role."""
        dsn: str = getattr(settings, f"{self.service}_dsn")
        return dsn


FOLLOWERS = (
    Follower("worker", "worker", COMMANDS_TOPIC, "booking.partition_progress"),
    Follower("auditor", "auditor", EVENTS_TOPIC, "audit.progress"),
    Follower("auditor-security", "auditor", SECURITY_EVENTS_TOPIC, "audit.progress"),
    Follower("notifier", "notifier", EVENTS_TOPIC, "notify.progress"),
    Follower("notifier-codes", "notifier", LOGIN_CHALLENGES_TOPIC, "notify.progress"),
)


@dataclass(frozen=True)
class Lag:
    """The lag of a service in a partition. `seconds` is the age of the next record, 0 if there is none.

    `unpublished` is the number of events that are committed but not known to be on their topic yet.
    `paused_since` (RFC 3339) and `skips` are an operator's orders.
    """

    service: str
    topic: str
    partition: int
    position: int
    end: int
    records: int
    seconds: float
    unpublished: int = 0
    paused_since: str | None = None
    skips: Sequence[int] = ()

    @property
    def orders(self) -> str:
        """An operator's orders, in words."""
        said = [f"paused since {self.paused_since}"] if self.paused_since else []
        return "; ".join(said + [f"skips {offset}" for offset in self.skips])


@dataclass(frozen=True)
class Total:
    """The lag of a service on a topic: the sum of the records, and the highest age of a next record."""

    service: str
    topic: str
    records: int
    seconds: float


def lag(settings: Settings, as_json: bool) -> None:
    """Print every service's lag, partition by partition, and the sums.

    Raises:
        ClinicError: a server is unavailable, or there is no schema or topic yet.
    """
    quiet()
    lags = asyncio.run(all_lags(settings))
    totals = [_total(follower, lags) for follower in FOLLOWERS]
    unpublished = sum(row.unpublished for row in lags)
    if as_json:
        summary = {
            "partitions": [asdict(row) for row in lags],
            "totals": [asdict(total) for total in totals],
            "unpublished_events": unpublished,
        }
        print(json.dumps(summary, indent=2))
        return
    summary_rows = table("service", "topic", "lag", "seconds")
    for total in totals:
        summary_rows.add_row(total.service, total.topic, f"{total.records:,}", _seconds(total.seconds))
    partitions = table("service", "topic", "partition", "position", "end", "lag", "seconds", "")
    for row in sorted(lags, key=lambda row: (-row.seconds, -row.records)):
        numbers = (f"{number:,}" for number in (row.position, row.end, row.records))
        seconds = _seconds(row.seconds)
        partitions.add_row(row.service, row.topic, str(row.partition), *numbers, seconds, row.orders)
    screen = console()
    screen.print(summary_rows)
    screen.print(f"{unpublished:,} committed events are not published yet\n")
    screen.print(partitions)


async def all_lags(settings: Settings) -> list[Lag]:
    """The lags of all services."""
    await topic_ids(settings, sorted({topic_name(settings, follower.topic) for follower in FOLLOWERS}))
    lags = []
    for follower in FOLLOWERS:
        async with log_reader(settings, follower.topic, committed=True) as consumer:
            lags += await _lags(settings, follower, consumer)
    return lags


async def _lags(settings: Settings, follower: Follower, consumer: AIOKafkaConsumer) -> list[Lag]:
    topic = topic_name(settings, follower.topic)
    partitions = [TopicPartition(topic, number) for number in range(follower.topic.partitions)]
    begins = await consumer.beginning_offsets(partitions)
    # Positions before ends, so that no lag is negative.
    async with database(follower.dsn(settings), "clinic-lag", connections_max=1) as pool:
        rows: Sequence[asyncpg.Record] = await pool.fetch(
            f"SELECT * FROM {follower.progress} WHERE topic = $1",  # noqa: S608 (the tables are ours)
            topic,
        )
    by_partition = {row["partition"]: row for row in rows}
    ends = await consumer.end_offsets(partitions)
    lags = []
    for partition in partitions:
        row, end = by_partition.get(partition.partition), ends[partition]
        position = row["next_offset"] if row else 0
        # Expired records do not count.
        records = max(end - max(position, begins[partition]), 0)
        lags.append(
            Lag(
                service=follower.service,
                topic=follower.topic.name,
                partition=partition.partition,
                position=position,
                end=end,
                records=records,
                seconds=await _age_s(consumer, partition, end - records, end) if records else 0.0,
                unpublished=_unpublished(row),
                paused_since=rfc3339(row["paused_at"]) if row and row["paused_at"] else None,
                skips=[offset for offset in row["skips"] if offset >= position] if row else [],
            )
        )
    return lags


def _unpublished(row: asyncpg.Record | None) -> int:
    return row["event_count"] - row["published_count"] if row and "event_count" in row else 0


async def _age_s(consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int) -> float:
    # The age of the next record by its timestamp: the broker's for commands, the decision's for events.
    async with contextlib.aclosing(read_on(consumer, partition, start, end)) as portions:
        async for records in portions:
            appended_s: float = records[0].timestamp / 1000
            return max(round(clock.now().timestamp() - appended_s, 3), 0.0)
    return 0.0  # only transaction markers


def _total(follower: Follower, lags: list[Lag]) -> Total:
    service, topic = follower.service, follower.topic.name
    rows = [row for row in lags if (row.service, row.topic) == (service, topic)]
    return Total(
        service, topic, records=sum(row.records for row in rows), seconds=max(row.seconds for row in rows)
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds else ""
