"""`clinic replay rebuild`: the book, the decisions and the position, folded from the events."""

import asyncio
import json
import time
from dataclasses import asdict, dataclass

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.table import Table

from booking_worker.catch_up import CatchUp
from booking_worker.sql import SESSION
from contracts.topics import COMMANDS, EVENTS
from infra.background import all_of
from infra.errors import MisconfiguredError
from infra.kafka import connection, topic_ids, topic_name
from infra.settings import Settings
from ops.replay.connection import database, quiet, servers_answer
from ops.replay.state_hash import State, state_of

# One folds, others look at their topic's end.
CONNECTIONS_MAX = 4
# If no partition gets on for so long, events that others need are nowhere.
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Folded:
    """A partition: its events, how many of them were folded now, and where deciding goes on."""

    partition: int
    events: int
    folded: int
    position: int


@dataclass(frozen=True)
class Rebuilt:
    """What there is now, and how long folding took."""

    partitions: list[Folded]
    state: State
    seconds: float

    @property
    def folded(self) -> int:
        """How many events were folded."""
        return sum(one.folded for one in self.partitions)


def rebuild(settings: Settings, as_json: bool) -> None:
    """Fold what the events' topic has beyond the database, and print where that got to.

    Raises:
        ClinicError: a worker is running, a server is away, or topic and database contradict each other.
    """
    quiet()
    rebuilt = asyncio.run(fold_all(settings))
    rate = round(rebuilt.folded / rebuilt.seconds)
    if as_json:
        figures = {"folded": rebuilt.folded, "seconds": round(rebuilt.seconds, 3), "events_per_s": rate}
        partitions = [asdict(one) for one in rebuilt.partitions]
        print(json.dumps({"state": asdict(rebuilt.state), **figures, "partitions": partitions}, indent=2))
        return
    table = Table("partition", "events", "folded", "position", box=None, pad_edge=False)
    for one in rebuilt.partitions:
        table.add_row(*(f"{number:,}" for number in (one.partition, one.events, one.folded, one.position)))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{rebuilt.folded:,} events folded in {rebuilt.seconds:.1f} s, {rate:,} per second")
    console.print(f"state {rebuilt.state.hash}", soft_wrap=True)


async def fold_all(settings: Settings, patience_s: float = PATIENCE_S) -> Rebuilt:
    """The same without printing."""
    topic, events = topic_name(settings, COMMANDS), topic_name(settings, EVENTS)
    ids = await topic_ids(settings, [topic, events])
    await _nobody_decides(settings)
    async with database(settings.worker_dsn, SESSION, CONNECTIONS_MAX) as pool:
        before = await _positions(pool, topic)
        begun = time.monotonic()
        catch_up = CatchUp(settings, "clinic-replay", pool, topic, ids[topic], patience_s)
        await all_of(catch_up.run(number) for number in range(EVENTS.partitions))
        seconds = time.monotonic() - begun
        after = await _positions(pool, topic)
        partitions = [
            Folded(number, events, events - before.get(number, (0, 0))[0], position)
            for number, (events, position) in sorted(after.items())
        ]
        async with pool.acquire() as connection_:
            return Rebuilt(partitions, await state_of(connection_, topic), seconds)


async def _nobody_decides(settings: Settings) -> None:
    # A worker catches up by itself, and would decide beside this.
    group = f"{settings.namespace}booking-worker"
    async with servers_answer():
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
            f"One that was killed counts for another {settings.session_timeout_ms / 1000:g} s."
        )


async def _positions(pool: asyncpg.Pool, topic: str) -> dict[int, tuple[int, int]]:
    rows = await pool.fetch("SELECT * FROM booking.partition_progress WHERE topic = $1", topic)
    return {row["partition"]: (row["event_count"], row["next_offset"]) for row in rows}
