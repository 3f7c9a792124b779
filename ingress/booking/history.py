"""The history of appointments, from their events and the audit trail."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import asyncpg

from infra.queries import load_queries
from ingress.booking.views import AuditPosition, HistoryEntry

_SQL = load_queries(Path(__file__).with_name("queries.sql"))


async def histories(pool: asyncpg.Pool, appointment_ids: Iterable[UUID]) -> dict[UUID, list[HistoryEntry]]:
    """The whole history of each appointment, oldest first."""
    found: dict[UUID, list[HistoryEntry]] = defaultdict(list)
    for row in await pool.fetch(_SQL["histories"], [str(id_) for id_ in appointment_ids]):
        entry = HistoryEntry.of(row["type"], json.loads(row["data"]), _audit_position(row))
        found[UUID(row["subject"])].append(entry)
    return {id_: _in_order(entries) for id_, entries in found.items()}


def _audit_position(row: asyncpg.Record) -> AuditPosition | None:
    if row["hash"] is None:
        return None  # the auditor has not come to it yet
    return AuditPosition(partition=row["partition"], number=row["sequence"], hash=row["hash"].hex())


def _in_order(by_time: list[HistoryEntry]) -> list[HistoryEntry]:
    # Its events may be in the partitions of several doctors, whose brokers' clocks differ a little: so the
    # version orders them. An event that changed nothing has no version and stays where its time puts it.
    reached, keyed = 0, []
    for entry in by_time:
        reached = max(reached, entry.version or 0)
        keyed.append((entry.version or reached, entry))
    return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]
