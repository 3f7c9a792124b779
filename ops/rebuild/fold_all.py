"""Folds all events into fresh tables, in as many processes as there are processors, and swaps them in."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from operator import itemgetter

import asyncpg
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.recovery.fold import CHANGES
from booking_worker.recovery.recorded_event import blocked_by
from booking_worker.recovery.topic_identity import AnotherTopicError
from contracts.events import OutcomeRecorded
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.connection import connection as kafka
from infra.kafka.connection import topic_name
from infra.kafka.topic_id import topic_ids
from infra.postgres import CONFLICTS, Connection
from infra.settings import Settings
from ops.connections import database, log_reader, readable_failures
from ops.rebuild import fresh_schema
from ops.rebuild.fold_partition import FoldedPartition, begin, fold_partition
from ops.replay.state_hash import BookHash, state_of
from scheduling.state import Book
from storage.positions import Position, open_position, read_positions
from storage.rows import APPOINTMENT_COLUMNS, appointment_from_row, appointment_row

WATCH_INTERVAL_S = 0.2
# Whoever reads the book for long has to end first.
SWAP_TRIES = 60
SWAP_INTERVAL_S = 0.5
# Of Postgres' advisory locks: two rebuilds would fill the same tables.
LOCK = 0x_7265_6275_696C_64

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Folded:
    """A partition: its events, and the next offset to decide."""

    partition: int
    events: int
    position: int


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild and its duration."""

    partitions: list[Folded]
    state: BookHash
    seconds: float

    @property
    def folded(self) -> int:
        """The number of events."""
        return sum(partition.events for partition in self.partitions)


async def fold_all(settings: Settings, watch: Watch | None = None) -> Rebuilt:
    """Fold all events into fresh tables, and put these in the place of the book's.

    `watch` is told now and then how many of the events are folded, and how many there are at most. If it is
    interrupted, the book is as it was.
    """
    topic = topic_name(settings, COMMANDS_TOPIC)
    ids = await topic_ids(settings, [topic, topic_name(settings, EVENTS_TOPIC)])
    await _nobody_decides(settings)
    dsn = settings.postgres_dsn.get_secret_value()
    async with database(dsn, "clinic-rebuild") as pool, pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            raise MisconfiguredError("Another rebuild is running.")
        begun = clock.monotonic()
        before = [
            await open_position(pool, topic, number, ids[topic]) for number in range(EVENTS_TOPIC.partitions)
        ]
        if any(position.topic_id != ids[topic] for position in before):
            raise AnotherTopicError(topic)
        await fresh_schema.create(connection)
        folded = await _in_processes(settings, before, watch)
        for partition, position in zip(folded, before, strict=True):
            if partition.events < position.event_count:
                raise MisconfiguredError(
                    f"Partition {position.partition}: the database has {position.event_count} events and the "
                    f"topic {partition.events}: events are missing. Workers publish what was not published: "
                    "let them run until `clinic lag` shows zero, stop them, and run this again."
                )
        await _fold_elsewhere(connection, folded)
        await _write_positions(connection, topic, before, folded)
        await _complete(connection)
        await _swap(connection, topic, before)
        seconds = clock.monotonic() - begun
        return Rebuilt(
            [Folded(partition.partition, partition.events, partition.next_offset) for partition in folded],
            await state_of(connection, topic),
            seconds,
        )


async def _in_processes(
    settings: Settings, positions: list[Position], watch: Watch | None
) -> list[FoldedPartition]:
    total = await _on_topic(settings) if watch else 0
    context = multiprocessing.get_context("forkserver")  # a fork of this one would have its connections
    context.set_forkserver_preload([fold_partition.__module__])
    progress = context.Array("q", EVENTS_TOPIC.partitions)
    with ProcessPoolExecutor(mp_context=context, initializer=begin, initargs=(progress,)) as executor:
        loop = asyncio.get_running_loop()
        folding = asyncio.gather(
            *(loop.run_in_executor(executor, fold_partition, settings, each) for each in positions)
        )
        try:
            while not folding.done():
                await asyncio.wait([folding], timeout=WATCH_INTERVAL_S)
                if watch:
                    watch(sum(progress[:]), total)
            return folding.result()
        except BrokenProcessPool:
            raise TransientError("A process of the rebuild was killed: is there enough memory?") from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


async def _on_topic(settings: Settings) -> int:
    topic = topic_name(settings, EVENTS_TOPIC)
    names = [TopicPartition(topic, number) for number in range(EVENTS_TOPIC.partitions)]
    async with log_reader(settings, EVENTS_TOPIC) as reader:
        return sum((await reader.end_offsets(names)).values())


async def _fold_elsewhere(connection: Connection, folded: list[FoldedPartition]) -> None:
    """Fold the events about appointments that moved from one partition to another: by their versions."""
    changes = [
        (fact.version, isinstance(fact, OutcomeRecorded), fact.appointment_id, recorded)
        for partition in folded
        for recorded in partition.elsewhere
        if isinstance(fact := recorded.event.fact, CHANGES)
    ]
    rows = await fresh_schema.take_appointments(connection, {id_ for _, _, id_, _ in changes})
    batch = DecisionBatch(Book((), map(appointment_from_row, rows)), {})
    # An outcome leaves the version as it is, and comes last.
    for *_, recorded in sorted(changes, key=itemgetter(0, 1)):
        if why := blocked_by(batch.book, [recorded]):
            number, sequence = recorded.row.partition, recorded.row.sequence
            raise MisconfiguredError(f"Event {sequence} of partition {number} cannot be folded: {why}")
        batch.apply(recorded.event.fact, recorded.row)
    appointments = map(appointment_row, batch.book.appointments.values())
    await fresh_schema.copy(connection, "appointments", APPOINTMENT_COLUMNS, appointments)
    calendars = sum((partition.calendars for partition in folded), batch.calendars)
    await fresh_schema.copy(connection, "calendar_versions", ("doctor_id", "version"), calendars.items())


async def _write_positions(
    connection: Connection, topic: str, positions: list[Position], folded: list[FoldedPartition]
) -> None:
    """An operator's orders stay."""
    columns = (
        "topic", "partition", "topic_id", "next_offset", "event_count", "published_count", "authenticated",
        "paused_at", "skips",
    )  # fmt: skip
    rows = [
        (
            topic, was.partition, was.topic_id, new.next_offset, new.events, new.events, was.authenticated,
            was.paused_at, list(was.skips),
        )
        for was, new in zip(positions, folded, strict=True)
    ]  # fmt: skip
    await fresh_schema.copy(connection, "partition_progress", columns, rows)


async def _complete(connection: Connection) -> None:
    try:
        await fresh_schema.complete(connection)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise MisconfiguredError(f"The events contradict each other: {error}. {error.detail or ''}") from None


async def _swap(connection: Connection, topic: str, before: list[Position]) -> None:
    tries = 0
    while True:
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE booking.partition_progress IN EXCLUSIVE MODE")
                if list((await read_positions(connection, topic)).values()) != before:
                    raise MisconfiguredError("Somebody decided commands meanwhile: stop all workers first.")
                await fresh_schema.swap(connection)
                return
        except CONFLICTS:
            tries += 1
            if tries == SWAP_TRIES:
                raise
            await asyncio.sleep(SWAP_INTERVAL_S)


async def _nobody_decides(settings: Settings) -> None:
    # A worker catches up by itself, and would decide at the same time.
    group = f"{settings.namespace}booking-worker"
    async with readable_failures():
        admin = AIOKafkaAdminClient(**kafka(settings))
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
