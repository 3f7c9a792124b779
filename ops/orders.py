"""`clinic pause`, `clinic resume` and `clinic skip`: an operator's orders to a consumer.

An order is recorded in the security log first, and then given in one transaction: in the row of the
consumer's position, which each of its own transactions locks, and in `operator.orders`. Given twice, it
changes nothing.
"""

from uuid import UUID

import asyncpg
from aiokafka import TopicPartition

from contracts.commands import Actor, ActorKind
from contracts.security import OperatorOrdered
from infra import clock
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.reader import bounds
from infra.kafka.skipping import skip_id
from infra.kafka.topic_id import topic_ids
from infra.postgres import Connection
from infra.settings import Settings
from ops.connections import database, log_reader
from ops.lag import FOLLOWERS, Follower
from ops.security_log import record
from ops.tokens import STAFF_ID

SKIPS_MAX = 100
_OPEN = {
    "booking.partition_progress": "INSERT INTO booking.partition_progress (topic, partition, topic_id)"
    " SELECT $1, unnest($2::int[]), $3 ON CONFLICT DO NOTHING",
}
# The auditor and the notifier begin where their log begins; `infra.kafka.progress` passes over what expired.
_OPEN_FOLLOWER = (
    "INSERT INTO {table} (topic, partition, topic_id, next_offset, last_sequence)"
    " SELECT $1, unnest($2::int[]), $3, 0, 0 ON CONFLICT DO NOTHING"
)


def follower_of(consumer: str) -> Follower:
    """The consumer with this name."""
    return next(follower for follower in FOLLOWERS if follower.consumer == consumer)


async def pause(settings: Settings, consumer: str, partition: int | None, why: str | None) -> list[int]:
    """Let the consumer stand still, in one partition or in all. Returns those that went on until now.

    When it returns, no transaction of the consumer is under way there, and none begins until `resume`.

    Raises:
        MisconfiguredError: there is no such partition, or no topic or schema yet.
        TransientError: a server does not answer.
    """
    return await _set_paused(settings, follower_of(consumer), partition, why, paused=True)


async def resume(settings: Settings, consumer: str, partition: int | None) -> list[int]:
    """Let the consumer go on, in one partition or in all. Returns those that were paused.

    Raises what `pause` does.
    """
    return await _set_paused(settings, follower_of(consumer), partition, None, paused=False)


async def skip(settings: Settings, consumer: str, partition: int, offset: int, why: str) -> UUID:
    """Let the consumer go on behind the record at an offset without processing it. Returns the order's id.

    Raises:
        MisconfiguredError: the topic has no such record, or the consumer is behind it already.
        TransientError: a server does not answer.
    """
    follower = follower_of(consumer)
    topic, topic_id, [number] = await _asked(settings, follower, partition)
    async with log_reader(settings, follower.topic) as log:
        start, end = await bounds(log, TopicPartition(topic, number))
    if not start <= offset < end:
        held = f"offsets {start} to {end - 1}" if start < end else "no records"
        raise MisconfiguredError(f"Partition {number} of {topic} has {held}.")
    async with database(settings.postgres_dsn.get_secret_value(), "clinic-skip", connections_max=1) as pool:
        await _check_ahead(pool, follower, topic, topic_id, number, offset)
        await _record(settings, "skip", follower, number, offset)
        order = skip_id(consumer, topic_id, number, offset)
        async with pool.acquire() as connection, connection.transaction():
            await _open(connection, follower, topic, topic_id, [number])
            await _check_ahead(connection, follower, topic, topic_id, number, offset)
            await connection.execute(
                f"""
                UPDATE {follower.progress} SET skips = ARRAY(
                    SELECT DISTINCT s FROM unnest(skips || $3::bigint) AS s WHERE s >= next_offset ORDER BY s
                ) WHERE topic = $1 AND partition = $2
                """,  # noqa: S608 (the tables are ours)
                topic,
                number,
                offset,
            )
            await _note(connection, order, "skip", follower, topic, number, offset, why)
    return order


async def _set_paused(
    settings: Settings, follower: Follower, partition: int | None, why: str | None, *, paused: bool
) -> list[int]:
    topic, topic_id, numbers = await _asked(settings, follower, partition)
    action = "pause" if paused else "resume"
    await _record(settings, action, follower, partition, None)
    async with (
        database(settings.postgres_dsn.get_secret_value(), f"clinic-{action}", connections_max=1) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        await _open(connection, follower, topic, topic_id, numbers)
        rows = await connection.fetch(
            f"""
            UPDATE {follower.progress} SET paused_at = CASE WHEN $3 THEN clock_timestamp() END
            WHERE topic = $1 AND partition = ANY($2) AND (paused_at IS NULL) = $3 RETURNING partition
            """,  # noqa: S608 (the tables are ours)
            topic,
            numbers,
            paused,
        )
        await _note(connection, clock.new_id(), action, follower, topic, partition, None, why)
    return sorted(row["partition"] for row in rows)


async def _asked(
    settings: Settings, follower: Follower, partition: int | None
) -> tuple[str, UUID, list[int]]:
    """The topic, its id, and the partitions that the order is about."""
    if partition is not None and partition >= follower.topic.partitions:
        raise MisconfiguredError(
            f"{follower.topic.name} has partitions 0 to {follower.topic.partitions - 1}."
        )
    topic = topic_name(settings, follower.topic)
    ids = await topic_ids(settings, [topic])
    return topic, ids[topic], list(range(follower.topic.partitions)) if partition is None else [partition]


async def _open(
    connection: Connection, follower: Follower, topic: str, topic_id: UUID, numbers: list[int]
) -> None:
    """Insert the positions that do not exist yet, as before a consumer's first start."""
    statement = _OPEN.get(follower.progress, _OPEN_FOLLOWER.format(table=follower.progress))
    await connection.execute(statement, topic, numbers, topic_id)


async def _check_ahead(
    connection: Connection | asyncpg.Pool,
    follower: Follower,
    topic: str,
    topic_id: UUID,
    number: int,
    offset: int,
) -> None:
    # In the transaction the row is locked, so that the consumer cannot process the record meanwhile.
    lock = "" if isinstance(connection, asyncpg.Pool) else "FOR UPDATE"
    row = await connection.fetchrow(
        f"SELECT * FROM {follower.progress} WHERE topic = $1 AND partition = $2 {lock}",  # noqa: S608
        topic,
        number,
    )
    if row is None:
        return
    if row["topic_id"] != topic_id:
        raise MisconfiguredError(f"{topic} is not the topic that was read so far: it has another id.")
    if row["next_offset"] > offset:
        raise MisconfiguredError(
            f"{follower.consumer} has processed offset {offset} of partition {number} already: "
            f"its position is {row['next_offset']}."
        )
    if len([skip for skip in row["skips"] if skip >= row["next_offset"]]) >= SKIPS_MAX:
        raise MisconfiguredError(f"{SKIPS_MAX} records of partition {number} are to be skipped already.")


async def _record(
    settings: Settings, action: str, follower: Follower, partition: int | None, offset: int | None
) -> None:
    event = OperatorOrdered(
        event_id=clock.new_id(),
        occurred_at=clock.now(),
        actor=Actor(kind=ActorKind.STAFF, id=STAFF_ID),
        request_id=clock.new_id().hex,
        action=action,
        consumer=follower.consumer,
        partition=partition,
        offset=offset,
    )
    await record(settings, event)


async def _note(
    connection: Connection,
    order: UUID,
    action: str,
    follower: Follower,
    topic: str,
    partition: int | None,
    offset: int | None,
    why: str | None,
) -> None:
    await connection.execute(
        """
        INSERT INTO operator.orders (id, action, consumer, topic, partition, "offset", why)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING
        """,
        order,
        action,
        follower.consumer,
        topic,
        partition,
        offset,
        why,
    )
