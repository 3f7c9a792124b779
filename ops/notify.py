"""`clinic notify`: list, show and retry notifications."""

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from rich.text import Text

from contracts.fields import rfc3339
from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.connections import database
from ops.console import console, table

WIDTH_MIN = 160
LIST = """
SELECT id, kind, state, reason, dated, due_at, deadline_at, tries, sends, appointment_id, version, patient_id
FROM notify.notifications
WHERE state = ANY($1)
ORDER BY dated DESC, id LIMIT $2
"""
SHOW = """
SELECT n.*, a.version AS latest_version, a.doctor_id, a.starts_at, a.ends_at
FROM notify.notifications n LEFT JOIN notify.appointments a ON a.id = n.appointment_id
WHERE n.id = $1
"""
# `$1` is null for all. Wakes the senders, as only inserts do that by a trigger.
RETRY = """
WITH asked AS (
    SELECT n.id, a.ends_at, CASE
        WHEN n.state <> 'undeliverable' THEN n.state
        WHEN n.version < a.version THEN 'the appointment has changed since'
        WHEN a.ends_at <= now() THEN 'the visit is over'
        WHEN n.kind = 'login_code' AND n.deadline_at <= now() THEN 'the code has expired'
    END AS hindrance
    FROM notify.notifications n LEFT JOIN notify.appointments a ON a.id = n.appointment_id
    WHERE CASE WHEN $1::uuid[] IS NULL THEN n.state = 'undeliverable' ELSE n.id = ANY($1) END
    FOR UPDATE OF n
), put_back AS (
    UPDATE notify.notifications n
    SET state = 'planned', reason = NULL, due_at = now(), tries = 0, finished_at = NULL,
        deadline_at = CASE WHEN n.kind = 'login_code' THEN n.deadline_at
            ELSE least(asked.ends_at, greatest(n.deadline_at, now() + $2::interval)) END
    FROM asked WHERE n.id = asked.id AND asked.hindrance IS NULL
    RETURNING n.id
)
SELECT asked.id, asked.hindrance, pg_notify('notify_due', '') FROM asked
LEFT JOIN put_back ON put_back.id = asked.id
"""


def _database(settings: Settings) -> contextlib.AbstractAsyncContextManager[asyncpg.Pool]:
    return database(settings.notifier_dsn, "clinic-notify", connections_max=1)


async def list_notifications(settings: Settings, states: Sequence[str], last: int, as_json: bool) -> bool:
    """Print notifications in these states, the latest last. Returns False if any is undeliverable.

    Raises:
        ClinicError: Postgres does not answer, or has no schema.
    """
    async with _database(settings) as pool:
        rows = list(reversed(await pool.fetch(LIST, list(states), last)))
    if as_json:
        print(json.dumps([_plain(row) for row in rows], indent=2))
    else:
        listed = table("id", "kind", "state", "dated", "next try", "tries", "reason")
        for column in listed.columns[:-1]:
            column.no_wrap = True
        for row in rows:
            is_open = row["state"] in ("planned", "sending")
            next_try = rfc3339(row["due_at"].replace(microsecond=0)) if is_open else ""
            dated = rfc3339(row["dated"].replace(microsecond=0))
            listed.add_row(
                str(row["id"]),
                row["kind"],
                row["state"],
                dated,
                next_try,
                str(row["tries"]),
                Text(row["reason"] or ""),
            )
        screen = console()
        # Also on a narrow terminal: a truncated id is useless.
        screen.width = max(screen.width, WIDTH_MIN)
        screen.print(listed)
    return all(row["state"] != "undeliverable" for row in rows)


async def show_notification(settings: Settings, id_: UUID) -> None:
    """Print a notification's row.

    Raises:
        ClinicError: there is no such notification; or as `list_notifications`.
    """
    async with _database(settings) as pool:
        row = await pool.fetchrow(SHOW, id_)
    if row is None:
        raise MisconfiguredError(f"No notification {id_}.")
    print(json.dumps(_plain(row), indent=2))


async def retry_notifications(settings: Settings, ids: Sequence[UUID] | None, as_json: bool) -> bool:
    """Retry the given notifications, or all undeliverable ones. Returns False if a given one cannot be
    retried.

    Raises:
        ClinicError: as `list_notifications`.
    """
    wanted = None if ids is None else list(ids)
    deadline = timedelta(hours=settings.notice_deadline_hours)
    async with _database(settings) as pool:
        hindrances = {row["id"]: row["hindrance"] for row in await pool.fetch(RETRY, wanted, deadline)}
    hindrances |= {id_: "not found" for id_ in ids or () if id_ not in hindrances}
    if as_json:
        print(json.dumps([{"id": str(id_), "hindrance": why} for id_, why in hindrances.items()], indent=2))
    else:
        for id_, why in hindrances.items():
            print(f"{id_}: {f'not retried: {why}' if why else 'will be retried'}")
    return ids is None or not any(hindrances.values())


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    return {name: _json(value) for name, value in row.items() if name != "secret"}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value
