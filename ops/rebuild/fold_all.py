"""Makes the book anew from its events: folds all of them into fresh tables, and swaps these in."""

import contextlib
from dataclasses import dataclass
from operator import itemgetter

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.recovery.fold import CHANGES
from booking_worker.recovery.recorded_event import blocked_by
from booking_worker.recovery.topic_identity import AnotherTopicError
from contracts.events import OutcomeRecorded
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.errors import MisconfiguredError
from infra.jobs import to_the_end
from infra.kafka.connection import connection as kafka
from infra.kafka.connection import topic_name
from infra.kafka.topic_id import topic_ids
from infra.postgres import OUTAGES, Connection
from infra.settings import Settings
from ops.connections import database, readable_failures
from ops.rebuild import fresh_schema
from ops.rebuild.fold_partition import FoldedPartition
from ops.rebuild.processes import Watch, fold_partitions
from ops.rebuild.swap import swap, write_positions
from ops.replay.state_hash import BookHash, state_of
from scheduling.state import Book
from storage.positions import Position, open_position
from storage.rows import APPOINTMENT_COLUMNS, appointment_from_row, appointment_row


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild and its duration. `kept`: the schema with the tables as they were, if any."""

    partitions: list[FoldedPartition]
    state: BookHash
    kept: str | None
    seconds: float

    @property
    def folded(self) -> int:
        """The number of events."""
        return sum(partition.events for partition in self.partitions)


class WorkersRunningError(MisconfiguredError):
    """Workers decide, or are still members of their group."""


async def fold_all(settings: Settings, watch: Watch | None = None) -> Rebuilt:
    """Fold all events into fresh tables, and put these in the place of the book's.

    `watch` is told now and then how many of the events are folded, and how many there are at most. If it is
    interrupted, the book is as it was.
    """
    begun = clock.monotonic()
    topic = topic_name(settings, COMMANDS_TOPIC)
    ids = await topic_ids(settings, [topic, topic_name(settings, EVENTS_TOPIC)])
    await _nobody_decides(settings)
    dsn = settings.postgres_dsn.get_secret_value()
    async with database(dsn, "clinic-rebuild") as pool, pool.acquire() as guard, guard.transaction():
        await _keep_others_out(guard)
        before = [
            await open_position(pool, topic, number, ids[topic]) for number in range(EVENTS_TOPIC.partitions)
        ]
        if any(position.topic_id != ids[topic] for position in before):
            raise AnotherTopicError(topic)
        async with pool.acquire() as connection:
            await fresh_schema.create(connection)
            try:
                folded = await fold_partitions(settings, before, watch)
                _check_complete(folded, before)
                await _fold_elsewhere(connection, folded)
                await write_positions(connection, topic, folded)
                await _complete(connection)
                state = await state_of(connection, topic, fresh_schema.FRESH)
                kept = await swap(connection, topic, before, folded)
            except BaseException:
                with contextlib.suppress(*OUTAGES, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await to_the_end(fresh_schema.drop(connection))
                raise
    return Rebuilt(folded, state, kept, clock.monotonic() - begun)


async def _keep_others_out(guard: Connection) -> None:
    """Another rebuild would fill the same tables; a migration would change those that are replaced."""
    await guard.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    try:
        await guard.execute("LOCK TABLE schema_version IN SHARE ROW EXCLUSIVE MODE NOWAIT")
    except asyncpg.LockNotAvailableError:
        raise MisconfiguredError("Another rebuild or a migration is running.") from None


def _check_complete(folded: list[FoldedPartition], before: list[Position]) -> None:
    for partition, position in zip(folded, before, strict=True):
        if partition.events < position.event_count:
            raise MisconfiguredError(
                f"Partition {position.partition}: the database has {position.event_count} events and the "
                f"topic {partition.events}: events are missing. Workers publish what was not published: "
                "let them run until `clinic lag` shows zero, stop them, and run this again."
            )


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
    # Earlier releases left the version as it was when they recorded an outcome, the last change.
    for *_, recorded in sorted(changes, key=itemgetter(0, 1)):
        if why := blocked_by(batch.book, [recorded]):
            number, sequence = recorded.row.partition, recorded.row.sequence
            raise MisconfiguredError(f"Event {sequence} of partition {number} cannot be folded: {why}")
        batch.apply(recorded.event.fact, recorded.row)
    appointments = map(appointment_row, batch.book.appointments.values())
    await fresh_schema.copy(connection, "appointments", APPOINTMENT_COLUMNS, appointments)
    calendars = sum((partition.calendars for partition in folded), batch.calendars)
    await fresh_schema.copy(connection, "calendar_versions", ("doctor_id", "version"), calendars.items())


async def _complete(connection: Connection) -> None:
    try:
        await fresh_schema.complete(connection)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise MisconfiguredError(f"The events contradict each other: {error}. {error.detail or ''}") from None


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
        raise WorkersRunningError(
            f"Workers are running ({', '.join(sorted(members))}): stop them first. "
            f"A killed one is listed for another {settings.session_timeout_ms / 1000:g} s."
        )
