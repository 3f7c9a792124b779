"""`clinic notify`: the notifier's letters, looked at and put back."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.fields import rfc3339
from infra.errors import MisconfiguredError, TransientError
from infra.postgres import CONNECT_TIMEOUT_S, OUTAGES
from infra.settings import Settings

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
# `$1` is null for all. The senders are woken: this is no insert, which would do it by itself.
RETRY = """
WITH asked AS (
    SELECT n.id, a.ends_at, CASE
        WHEN n.state <> 'undeliverable' THEN n.state
        WHEN n.version < a.version THEN 'there is a newer version of the appointment'
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


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(settings.notifier_dsn, timeout=CONNECT_TIMEOUT_S)
        try:
            yield connection
        finally:
            await connection.close()
    except OUTAGES as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise MisconfiguredError("The database has no schema yet: run `clinic migrate`.") from None
    except asyncpg.PostgresError as error:
        raise MisconfiguredError(f"Postgres refuses: {error}") from error


async def list_letters(settings: Settings, states: Sequence[str], last: int, as_json: bool) -> bool:
    """Print letters in these states, the latest at the end. Returns whether none is undeliverable.

    Raises:
        ClinicError: Postgres does not answer, or has no schema.
    """
    async with _database(settings) as database:
        rows = list(reversed(await database.fetch(LIST, list(states), last)))
    if as_json:
        print(json.dumps([_plain(row) for row in rows], indent=2))
    else:
        table = Table("id", "kind", "state", "dated", "next try", "tries", "reason", box=None, pad_edge=False)
        for column in table.columns[:-1]:
            column.no_wrap = True
        for row in rows:
            is_open = row["state"] in ("planned", "sending")
            next_try = rfc3339(row["due_at"].replace(microsecond=0)) if is_open else ""
            dated = rfc3339(row["dated"].replace(microsecond=0))
            table.add_row(
                *(str(row["id"]), row["kind"], row["state"], dated, next_try),
                *(str(row["tries"]), Text(row["reason"] or "")),
            )
        console = Console()
        # Also into a pipe: an id that is cut off is no id.
        Console(width=max(console.width, WIDTH_MIN)).print(table)
    return all(row["state"] != "undeliverable" for row in rows)


async def show_letter(settings: Settings, id_: UUID) -> None:
    """Print a letter's row.

    Raises:
        ClinicError: there is no such letter; or as `list_letters`.
    """
    async with _database(settings) as database:
        row = await database.fetchrow(SHOW, id_)
    if row is None:
        raise MisconfiguredError(f"There is no letter {id_}.")
    print(json.dumps(_plain(row), indent=2))


async def retry_letters(settings: Settings, ids: Sequence[UUID] | None, as_json: bool) -> bool:
    """Put letters back, all that are undeliverable by default. Returns whether all that were named could be.

    Raises:
        ClinicError: as `list_letters`.
    """
    wanted = None if ids is None else list(ids)
    deadline = timedelta(hours=settings.notice_deadline_hours)
    async with _database(settings) as database:
        hindrances = {row["id"]: row["hindrance"] for row in await database.fetch(RETRY, wanted, deadline)}
    hindrances |= {id_: "there is no such letter" for id_ in ids or () if id_ not in hindrances}
    if as_json:
        print(json.dumps([{"id": str(id_), "hindrance": why} for id_, why in hindrances.items()], indent=2))
    else:
        for id_, why in hindrances.items():
            print(f"{id_}: {f'not tried again: {why}' if why else 'will be tried again'}")
    return ids is None or not any(hindrances.values())


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    return {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value
