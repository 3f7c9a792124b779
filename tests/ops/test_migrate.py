"""The schema, and what each service's role may do with it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from infra.settings import Settings
from tests.ops.conftest import clinic_command


@pytest.fixture
async def owner(migrated: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated.postgres_dsn.get_secret_value())
    yield connection
    await connection.close()


async def test_without_a_schema_a_command_says_what_to_do(unmigrated: Settings) -> None:
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


async def test_the_worker_cannot_read_who_the_patients_are(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE clinic_worker")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetchval("SELECT count(*) FROM people.patients")


@pytest.mark.parametrize("table", ["decisions", "events"])
async def test_what_was_decided_stays(owner: asyncpg.Connection, table: str) -> None:
    await owner.execute("SET ROLE clinic_worker")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute(f"DELETE FROM booking.{table}")


async def test_a_wrong_password_is_one_sentence(unmigrated: Settings) -> None:
    user, _, server = unmigrated.postgres_dsn.get_secret_value().partition("@")
    wrong = unmigrated.model_copy(update={"postgres_dsn": SecretStr(f"{user}x@{server}")})

    answer = clinic_command(wrong, "migrate")

    assert answer.returncode == 1
    assert answer.stderr == 'Postgres refuses: password authentication failed for user "postgres"\n'
