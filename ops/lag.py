"""`clinic lag`: how far each service is behind the topics it follows."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from booking_worker.event_log import read_on
from contracts.topics import COMMANDS, EVENTS, LOGIN_CHALLENGES, SECURITY_EVENTS, Topic
from infra import clock
from infra.kafka import topic_ids, topic_name
from infra.settings import Settings
from ops.replay.connection import database, log_reader, quiet


@dataclass(frozen=True)
class Follower:
    """A service and a topic that it follows; `progress` is the table with its positions."""

    service: str
    topic: Topic
    progress: str

    def dsn(self, settings: Settings) -> str:
        """The connection string of the service's own role."""
        dsn: str = getattr(settings, f"{self.service}_dsn")
        return dsn


FOLLOWERS = (
    Follower("worker", COMMANDS, "booking.partition_progress"),
    Follower("auditor", EVENTS, "audit.progress"),
    Follower("auditor", SECURITY_EVENTS, "audit.progress"),
    Follower("notifier", EVENTS, "notify.progress"),
    Follower("notifier", LOGIN_CHALLENGES, "notify.progress"),
)


@dataclass(frozen=True)
class Lag:
    """A service in a partition. `seconds` is how old the record is that comes next; 0 where none waits.

    `unpublished` are events that are committed and not on their topic yet, as far as is counted.
    """

    service: str
    topic: str
    partition: int
    position: int
    end: int
    records: int
    seconds: float
    unpublished: int = 0


@dataclass(frozen=True)
class Total:
    """A service and a topic: the sum of its records, and the oldest of those that come next."""

    service: str
    topic: str
    records: int
    seconds: float


def lag(settings: Settings, as_json: bool) -> None:
    """Print every service's lag, partition by partition, and the sums.

    Raises:
        ClinicError: a server is away, or there is no schema or topic yet.
    """
    quiet()
    lags = asyncio.run(all_lags(settings))
    totals = [_total(follower, lags) for follower in FOLLOWERS]
    unpublished = sum(one.unpublished for one in lags)
    if as_json:
        summary = {
            "partitions": [asdict(one) for one in lags],
            "totals": [asdict(total) for total in totals],
            "unpublished_events": unpublished,
        }
        print(json.dumps(summary, indent=2))
        return
    columns = ("service", "topic", "partition", "position", "end", "lag", "seconds")
    table = Table(*columns, box=None, pad_edge=False)
    for one in lags:
        numbers = (f"{number:,}" for number in (one.position, one.end, one.records))
        table.add_row(one.service, one.topic, str(one.partition), *numbers, _seconds(one.seconds))
    for total in totals:
        records = f"{total.records:,}"
        table.add_row(total.service, total.topic, "all", "", "", records, _seconds(total.seconds))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{unpublished:,} events are committed and not published yet")


async def all_lags(settings: Settings) -> list[Lag]:
    """The same without printing."""
    await topic_ids(settings, sorted({topic_name(settings, follower.topic) for follower in FOLLOWERS}))
    lags = []
    for follower in FOLLOWERS:
        async with log_reader(settings, follower.topic, committed=True) as consumer:
            lags += await _lags(settings, follower, consumer)
    return lags


async def _lags(settings: Settings, follower: Follower, consumer: AIOKafkaConsumer) -> list[Lag]:
    topic = topic_name(settings, follower.topic)
    places = [TopicPartition(topic, number) for number in range(follower.topic.partitions)]
    begins = await consumer.beginning_offsets(places)
    # Positions first: what they are behind cannot be more than what is there later.
    async with database(follower.dsn(settings), connections_max=1) as pool:
        rows: Sequence[asyncpg.Record] = await pool.fetch(
            f"SELECT * FROM {follower.progress} WHERE topic = $1",  # noqa: S608 (the tables are ours)
            topic,
        )
    by_partition = {row["partition"]: row for row in rows}
    ends = await consumer.end_offsets(places)
    lags = []
    for place in places:
        row, end = by_partition.get(place.partition), ends[place]
        position = row["next_offset"] if row else 0
        # What has expired is nobody's to read any more.
        records = max(end - max(position, begins[place]), 0)
        lags.append(
            Lag(
                *(follower.service, follower.topic.name, place.partition, position, end, records),
                seconds=await _age_s(consumer, place, end - records, end) if records else 0.0,
                unpublished=_unpublished(row),
            )
        )
    return lags


def _unpublished(row: asyncpg.Record | None) -> int:
    return row["event_count"] - row["published_count"] if row and "event_count" in row else 0


async def _age_s(consumer: AIOKafkaConsumer, place: TopicPartition, start: int, end: int) -> float:
    # The next record, by the time it has on the topic: the broker's for commands, the decision's for events.
    async with contextlib.aclosing(read_on(consumer, place, start, end)) as portions:
        async for records in portions:
            appended_s: float = records[0].timestamp / 1000
            return max(round(clock.now().timestamp() - appended_s, 3), 0.0)
    return 0.0  # markers of transactions, and nothing else


def _total(follower: Follower, lags: list[Lag]) -> Total:
    some = [one for one in lags if (one.service, one.topic) == (follower.service, follower.topic.name)]
    return Total(
        *(follower.service, follower.topic.name),
        records=sum(one.records for one in some),
        seconds=max(one.seconds for one in some),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds else ""
