"""A hash of the appointment book: two databases with the same hash have the same content."""

from dataclasses import dataclass
from hashlib import sha256

from infra.postgres import Connection
from storage.rows import (
    APPOINTMENT_COLUMNS,
    DECISION_COLUMNS,
    DOCTOR_COLUMNS,
    TIME_OFF_COLUMNS,
    EventRow,
)

TABLE_TIMEOUT_S = 3_600.0

# Every table of the schema `booking` that the worker writes, each row once, ordered by key.
#
# The position is hashed as "after the last command that made an event". Later records (repeats, and records
# that could not be read and have no id) leave no trace in the events: after a rebuild they are read again,
# and again make no event. The topic's name and id and the number of published events are not part of the
# book.
TABLES = {
    "doctors": (DOCTOR_COLUMNS, "id"),
    "calendar_versions": (("doctor_id", "version"), "doctor_id"),
    "time_off": (TIME_OFF_COLUMNS, "id"),
    "appointments": (APPOINTMENT_COLUMNS, "id"),
    "decisions": (DECISION_COLUMNS, "command_id"),
    "events": (EventRow._fields, "partition, sequence"),
}
QUERIES = {
    table: f"SELECT {', '.join(columns)} FROM {{schema}}.{table} ORDER BY {order}"  # noqa: S608 (our own names)
    for table, (columns, order) in TABLES.items()
} | {
    "partition_progress": """
        SELECT p.partition, p.event_count, (e.data -> 'source' ->> 'offset')::bigint + 1
        FROM {schema}.partition_progress p
        LEFT JOIN {schema}.events e ON e.partition = p.partition AND e.sequence = p.event_count
        WHERE p.topic = $1 AND p.event_count > 0
        ORDER BY p.partition
    """,
}


@dataclass(frozen=True)
class BookHash:
    """The hash (hexadecimal), and the number of rows of each table."""

    hash: str
    rows: dict[str, int]


async def state_of(connection: Connection, topic: str, schema: str = "booking") -> BookHash:
    """SHA-256 over all of the book's rows, as Postgres writes them. `topic` is the commands'.

    Streamed, from one snapshot: it may run beside a worker.

    Raises:
        OUTAGES: Postgres is unavailable.
    """
    digest, rows = sha256(), {}

    async def add(portion: bytes) -> None:
        digest.update(portion)

    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
        for table, query in QUERIES.items():
            digest.update(f"\n{table}\n".encode())
            arguments = [topic] if table == "partition_progress" else []
            done = await connection.copy_from_query(
                query.format(schema=schema), *arguments, output=add, timeout=TABLE_TIMEOUT_S
            )
            rows[table] = int(done.split()[1])
    return BookHash(digest.hexdigest(), rows)
