"""The bare ceiling of the worker: what it wrote, written again with nothing around it.

The same rows, in the same tables, in the same transactions (a row's `xmin` tells which one made it), one
connection per partition concurrently, one statement per transaction. No Kafka, no reading, no deciding.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

# How the rows of a table are found that a partition's transaction made, in the order it made them.
TABLES = {
    "booking.decisions": '"offset"',
    "booking.events": "sequence",
    "booking.appointments": "patient_id, starts_at",
}


@dataclass(frozen=True)
class Written:
    """What a worker wrote: per partition its transactions in order, each the columns of all tables."""

    statement: str
    partitions: list[list[list[Sequence[Any]]]]
    commands: int
    transactions: int


async def read_back(dsn: str) -> Written:
    """Everything that is in the tables, by the transactions that wrote it."""
    connection = await asyncpg.connect(dsn)
    try:
        columns = {table: await _columns(connection, table) for table in TABLES}
        rows: dict[str, dict[str, list[asyncpg.Record]]] = {}
        for table, order in TABLES.items():
            rows[table] = defaultdict(list)
            for row in await connection.fetch(f"SELECT xmin::text, * FROM {table} ORDER BY {order}"):
                rows[table][row["xmin"]].append(row)
    finally:
        await connection.close()
    decisions = rows["booking.decisions"]
    by_partition: dict[int, list[list[Sequence[Any]]]] = defaultdict(list)
    # In the order of the offsets, as the decisions are.
    for transaction, decided in decisions.items():
        by_partition[decided[0]["partition"]].append(
            [
                [row[name] for row in rows[table].get(transaction, ())]
                for table in TABLES
                for name, _ in columns[table]
            ]
        )
    commands = sum(len(decided) for decided in decisions.values())
    return Written(_statement(columns), list(by_partition.values()), commands, len(decisions))


async def write_again(dsn: str, written: Written) -> float:
    """Write it into an empty database. Returns seconds, connecting not included."""
    connections = [await asyncpg.connect(dsn) for _ in written.partitions]
    try:
        for connection in connections:
            await connection.prepare(written.statement)
        began_s = time.perf_counter()
        await asyncio.gather(
            *(
                _write_partition(connection, written.statement, transactions)
                for connection, transactions in zip(connections, written.partitions, strict=True)
            )
        )
        return time.perf_counter() - began_s
    finally:
        for connection in connections:
            await connection.close()


async def _write_partition(
    connection: asyncpg.Connection, statement: str, transactions: list[list[Sequence[Any]]]
) -> None:
    for columns in transactions:
        # A single statement is a transaction.
        await connection.execute(statement, *columns)


async def _columns(connection: asyncpg.Connection, table: str) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        """
        SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attnum
        """,
        table,
    )
    return [(row[0], row[1]) for row in rows]


def _statement(columns: dict[str, list[tuple[str, str]]]) -> str:
    number, inserts = 0, []
    for table, found in columns.items():
        names = ", ".join(f'"{name}"' for name, _ in found)
        arrays = ", ".join(f"${number + index}::{type_}[]" for index, (_, type_) in enumerate(found, 1))
        number += len(found)
        inserts.append(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})")
    first = ", ".join(f"part_{index} AS ({insert})" for index, insert in enumerate(inserts[:-1]))
    return f"WITH {first} {inserts[-1]}"
