"""`clinic replay rebuild`: the book, the decisions and the position, folded from the events."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from booking_worker.recovery.catch_up import CatchUp
from booking_worker.store.store import SESSION
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.jobs import all_of
from infra.kafka.connection import connection, topic_name
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from ops.connections import database, log_reader, quiet, readable_failures
from ops.console import console, table
from ops.replay.state_hash import BookHash, state_of
from storage.authentic_events import AuthenticEvents
from storage.positions import Position, read_positions

# If no partition makes progress for this long, required events are missing.
PATIENCE_S = 30.0
WATCH_INTERVAL_S = 0.5
# The status of a program that SIGINT ended, as shells give it.
INTERRUPTED = 130

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Folded:
    """A partition: its events, how many were folded by this run, and the next offset to decide."""

    partition: int
    events: int
    folded: int
    position: int


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild and its duration."""

    partitions: list[Folded]
    state: BookHash
    seconds: float

    @property
    def folded(self) -> int:
        """The number of events that were folded."""
        return sum(partition.folded for partition in self.partitions)


def rebuild(settings: Settings, as_json: bool) -> None:
    """Fold the events of the topic that the database lacks, and print the resulting state.

    Raises:
        ClinicError: a worker is running, a server is unavailable, or topic and database are inconsistent.
    """
    quiet()
    screen = Console(stderr=True)  # progress is for people: the result may be piped
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("events, {task.speed:,.0f} per second"))
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        shown = bar.add_task("", total=None)
        try:
            rebuilt = asyncio.run(
                fold_all(settings, watch=lambda done, total: bar.update(shown, completed=done, total=total))
            )
        except KeyboardInterrupt:
            screen.print("Interrupted. What was folded stands; run it again to go on.")
            raise SystemExit(INTERRUPTED) from None
    rate = round(rebuilt.folded / rebuilt.seconds)
    if as_json:
        figures = {"folded": rebuilt.folded, "seconds": round(rebuilt.seconds, 3), "events_per_s": rate}
        partitions = [asdict(partition) for partition in rebuilt.partitions]
        print(json.dumps({"state": asdict(rebuilt.state), **figures, "partitions": partitions}, indent=2))
        return
    rows = table("partition", "events", "folded", "position")
    for partition in rebuilt.partitions:
        rows.add_row(*(f"{number:,}" for number in astuple(partition)))
    out = console()
    out.print(rows)
    out.print(f"{rebuilt.folded:,} events folded in {rebuilt.seconds:.1f} s, {rate:,} per second")
    out.print(f"state {rebuilt.state.hash}", soft_wrap=True)


async def fold_all(
    settings: Settings, patience_s: float = PATIENCE_S, watch: Watch = lambda done, total: None
) -> Rebuilt:
    """Fold the events of all partitions. If it is interrupted, the next call goes on from there.

    `watch` is told now and then how many of this run's events are folded, and how many there are at most.
    """
    topic, events = topic_name(settings, COMMANDS_TOPIC), topic_name(settings, EVENTS_TOPIC)
    ids = await topic_ids(settings, [topic, events])
    await _nobody_decides(settings)
    async with database(settings.worker_dsn, "clinic-replay", server_settings=SESSION) as pool:
        before = await read_positions(pool, topic)
        begun = clock.monotonic()
        authentic = AuthenticEvents(EventMac.load(settings))
        catch_up = CatchUp(settings, "clinic-replay", pool, topic, ids[topic], authentic, patience_s)
        watching = asyncio.create_task(_watch(settings, pool, before, watch))
        try:
            await all_of(catch_up.run(number) for number in range(EVENTS_TOPIC.partitions))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        seconds = clock.monotonic() - begun
        after = await read_positions(pool, topic)
        partitions = [_folded(before.get(number), position) for number, position in after.items()]
        async with pool.acquire() as connection_:
            return Rebuilt(partitions, await state_of(connection_, topic), seconds)


async def _watch(settings: Settings, pool: asyncpg.Pool, before: dict[int, Position], watch: Watch) -> None:
    topic, begun_with = topic_name(settings, COMMANDS_TOPIC), _events(before)
    names = [TopicPartition(topic_name(settings, EVENTS_TOPIC), n) for n in range(EVENTS_TOPIC.partitions)]
    async with log_reader(settings, EVENTS_TOPIC) as reader:
        ends = await reader.end_offsets(names)
    total = max(sum(ends.values()) - begun_with, 0)
    while True:
        watch(_events(await read_positions(pool, topic)) - begun_with, total)
        await asyncio.sleep(WATCH_INTERVAL_S)


def _events(positions: dict[int, Position]) -> int:
    return sum(position.event_count for position in positions.values())


async def _nobody_decides(settings: Settings) -> None:
    # A worker catches up by itself, and would decide at the same time.
    group = f"{settings.namespace}booking-worker"
    async with readable_failures():
        admin = AIOKafkaAdminClient(**connection(settings))
        try:
            await admin.start()
            answers = await admin.describe_consumer_groups([group])
        finally:
            await admin.close()
    # Of each group: error, id, state, protocol's type and name, members (id, client's name, …).
    members = {member[1] for answer in answers for described in answer.groups for member in described[5]}
    if members:
        raise MisconfiguredError(
            f"Workers are running ({', '.join(sorted(members))}): stop them first. "
            f"A killed one is listed for another {settings.session_timeout_ms / 1000:g} s."
        )


def _folded(before: Position | None, after: Position) -> Folded:
    return Folded(
        partition=after.partition,
        events=after.event_count,
        folded=after.event_count - (before.event_count if before else 0),
        position=after.next_offset,
    )
