"""One number for everything the book holds: two databases with the same hash hold the same."""

from dataclasses import dataclass
from hashlib import sha256

from infra.postgres import Connection

TABLE_TIMEOUT_S = 3_600.0

# Every table of the schema `booking`, each row once, in an order that the keys fix.
#
# The position counts as "behind the last command that made an event". Records behind that one (repeats, and
# what could not be read and has no id) leave no trace in the events; whoever goes on from a rebuilt database
# reads them again, and they make no event again. The topic's name and id, and how many events are published,
# are about the servers and not the book.
TABLES = {
    "doctors": """
        SELECT id, name, specialty, time_zone, active, visit_types, policy, hours
        FROM booking.doctors ORDER BY id
    """,
    "calendar_versions": "SELECT doctor_id, version FROM booking.calendar_versions ORDER BY doctor_id",
    "time_off": "SELECT id, doctor_id, starts_at, ends_at, note FROM booking.time_off ORDER BY id",
    "appointments": """
        SELECT id, doctor_id, patient_id, visit_type, starts_at, ends_at, occupied, status, version,
            booked_at, cancelled_by, cancel_reason, reason
        FROM booking.appointments ORDER BY id
    """,
    "decisions": """
        SELECT command_id, command_type, fingerprint, state, reason, count, partition, "offset", decided_at
        FROM booking.decisions ORDER BY command_id
    """,
    "events": """
        SELECT partition, sequence, event_id, type, key, subject, command_id, decided_at, traceparent, data
        FROM booking.events ORDER BY partition, sequence
    """,
    "partition_progress": """
        SELECT p.partition, p.event_count, (e.data -> 'source' ->> 'offset')::bigint + 1
        FROM booking.partition_progress p
        LEFT JOIN booking.events e ON e.partition = p.partition AND e.sequence = p.event_count
        WHERE p.topic = $1 AND p.event_count > 0
        ORDER BY p.partition
    """,
}


@dataclass(frozen=True)
class State:
    """The hash (hexadecimal), and the number of rows of each table."""

    hash: str
    rows: dict[str, int]


async def state_of(connection: Connection, topic: str) -> State:
    """SHA-256 over all of the book's rows, as Postgres writes them. `topic` is the commands'.

    Streamed, from one snapshot: it may run beside a worker.

    Raises:
        OUTAGES: Postgres is away.
    """
    digest, rows = sha256(), {}

    async def add(portion: bytes) -> None:
        digest.update(portion)

    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
        for table, query in TABLES.items():
            digest.update(f"\n{table}\n".encode())
            arguments = [topic] if table == "partition_progress" else []
            done = await connection.copy_from_query(query, *arguments, output=add, timeout=TABLE_TIMEOUT_S)
            rows[table] = int(done.split()[1])
    return State(digest.hexdigest(), rows)
