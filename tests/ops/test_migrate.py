"""The schema, and the privileges of each service's role."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from infra.errors import TransientError
from infra.settings import Settings
from ops import migrate as migrate_module
from tests.ops.conftest import clinic_command


@pytest.fixture
async def owner(migrated: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated.postgres_dsn.get_secret_value())
    yield connection
    await connection.close()


async def test_without_a_schema_a_command_names_the_remedy(unmigrated: Settings) -> None:
    answer = clinic_command(unmigrated, "token", "patient", "ann@example.com")

    assert answer.returncode == 1
    assert answer.stderr == "The database has no schema yet: run `clinic migrate`.\n"


async def test_a_second_run_changes_nothing(migrated: Settings, owner: asyncpg.Connection) -> None:
    before = await owner.fetchval("SELECT version_num FROM schema_version")

    answer = clinic_command(migrated, "migrate")

    assert (answer.returncode, answer.stdout) == (0, f"{before}\n"), answer.stderr
    assert await owner.fetchval("SELECT version_num FROM schema_version") == before


async def test_the_ingress_cannot_write_the_book(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE clinic_ingress")
    assert await owner.fetchval("SELECT count(*) FROM booking.appointments") == 0

    for statement in (
        "INSERT INTO booking.appointments (id) VALUES (gen_random_uuid())",
        "UPDATE booking.appointments SET status = 'cancelled'",
        "DELETE FROM booking.appointments",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)


async def test_the_worker_cannot_read_patients_data(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE clinic_worker")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetchval("SELECT count(*) FROM people.patients")


@pytest.mark.parametrize("table", ["decisions", "events"])
async def test_decisions_cannot_be_changed(owner: asyncpg.Connection, table: str) -> None:
    await owner.execute("SET ROLE clinic_worker")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute(f"DELETE FROM booking.{table}")


async def test_a_wrong_password_is_one_sentence(unmigrated: Settings) -> None:
    user, _, server = unmigrated.postgres_dsn.get_secret_value().partition("@")
    wrong = unmigrated.model_copy(update={"postgres_dsn": SecretStr(f"{user}x@{server}")})

    answer = clinic_command(wrong, "migrate")

    assert answer.returncode == 1
    assert answer.stderr == 'Postgres refuses: password authentication failed for user "postgres"\n'


async def test_every_table_and_column_says_what_it_holds(owner: asyncpg.Connection) -> None:
    silent = await owner.fetch(
        """
        SELECT c.oid::regclass::text AS relation, a.attname AS column
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname !~ '^(pg_|information_schema$|public$)'
            AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
            AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
        """
    )
    assert [tuple(row) for row in silent] == []


async def test_a_table_in_use_is_not_waited_for(
    migrated: Settings, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await owner.fetchval("SELECT version_num FROM schema_version")
    monkeypatch.setattr(migrate_module, "LOCK_TIMEOUT_MS", 200)
    await owner.execute("UPDATE schema_version SET version_num = '0006'")
    async with owner.transaction():
        await owner.execute("LOCK TABLE booking.appointments IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TransientError, match="in use"):
            await asyncio.to_thread(migrate_module.migrate, migrated)
    assert await owner.fetchval("SELECT version_num FROM schema_version") == "0006"
    await owner.execute("UPDATE schema_version SET version_num = $1", version)
