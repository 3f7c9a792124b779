"""A service's database role can do what the service needs, and a service runs as no other."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from infra.crypto.credentials import SECRETS
from infra.errors import MisconfiguredError
from infra.postgres import open_pool
from infra.settings import Settings
from tests.ops.conftest import clinic_command

SERVICES = ("ingress", "worker", "auditor", "notifier")
FORBIDDEN = [
    "CREATE TEMP TABLE full_disk AS SELECT 1",
    "CREATE TABLE public.full_disk (id int)",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, '\\x00')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_advisory_lock_shared(1, 2)",
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT audit.drop_month('2001-01-01')",
]
ALLOWED = {
    ("auditor", "SELECT audit.drop_month('2001-01-01')"),
    ("auditor", "SELECT pg_advisory_xact_lock(1)"),
    ("ingress", "SELECT pg_advisory_xact_lock(1)"),
}


@pytest.fixture(params=SERVICES)
async def service(
    migrated: Settings, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    connection = await asyncpg.connect(getattr(migrated, f"{request.param}_dsn"))
    yield request.param, connection
    await connection.close()


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_a_role_has_nothing_beyond_its_tables(
    service: tuple[str, asyncpg.Connection], statement: str
) -> None:
    name, connection = service
    if (name, statement) in ALLOWED:
        assert not await connection.fetchval(statement)
    else:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_a_statement_that_runs_away_ends(service: tuple[str, asyncpg.Connection]) -> None:
    _, connection = service
    assert await connection.fetchval("SHOW statement_timeout") == "15s"


async def test_nobody_else_connects(migrated: Settings) -> None:
    owner = await asyncpg.connect(migrated.postgres_dsn.get_secret_value())
    try:
        query = "SELECT has_database_privilege('public', current_database(), $1)"
        for privilege in ("CONNECT", "TEMP", "CREATE"):
            assert not await owner.fetchval(query, privilege), privilege
    finally:
        await owner.close()


@pytest.mark.parametrize("kind", SERVICES)
async def test_a_service_refuses_to_run_as_the_owner(migrated: Settings, kind: str) -> None:
    own = migrated.model_copy(update={f"postgres_dsn_{kind}": migrated.postgres_dsn})

    answer = clinic_command(own, "run", kind)

    assert answer.returncode == 1
    assert "does not run as the owner of the database" in answer.stdout + answer.stderr


async def test_a_role_that_may_become_the_owner_is_refused_too(migrated: Settings) -> None:
    owner = await asyncpg.connect(migrated.postgres_dsn.get_secret_value())
    try:
        await owner.execute("GRANT postgres TO clinic_worker")
        with pytest.raises(MisconfiguredError, match="owner"):
            await open_pool(migrated.worker_dsn, "test", connections_max=1, for_service=True)
    finally:
        await owner.execute("REVOKE postgres FROM clinic_worker")
        await owner.close()


@pytest.mark.parametrize("kind", SERVICES)
def test_without_its_own_address_a_service_does_not_take_the_owners(migrated: Settings, kind: str) -> None:
    own = migrated.model_copy(update={f"postgres_dsn_{kind}": None})

    answer = clinic_command(own, "run", kind)

    assert answer.returncode == 1
    assert f"CLINIC_POSTGRES_DSN_{kind.upper()} is not set" in answer.stdout + answer.stderr


def test_every_secret_is_somebodys() -> None:
    known = frozenset({"kafka_sasl_password", "redis_url"}).union(*SECRETS.values())
    private = [
        name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) or name.endswith(("_key_file", "_key_dir"))
    ]
    assert set(private) <= known
