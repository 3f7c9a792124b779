"""The trail only grows: no role of the product can change it, and a trigger refuses even its owner."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from infra import clock
from ops.migrate import migrate
from tests.audit.trail import MARCH, Trail

ROLES = ("clinic_auditor", "clinic_ingress", "clinic_worker", "clinic_notifier")
MONTH = f"audit.entries_{MARCH:%Y_%m}"


@pytest.mark.parametrize("table", ["audit.entries", MONTH, "audit.heads", "audit.stubs"])
@pytest.mark.parametrize("change", ["UPDATE {} SET partition = 1", "DELETE FROM {}", "TRUNCATE {}"])
async def test_even_the_owner_is_refused_a_change(kept: Trail, table: str, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only grows"):
        await kept.postgres.execute(change.format(table))


async def test_no_role_may_change_or_drop_anything(kept: Trail) -> None:
    tables = [
        f"audit.{row['relname']}"
        for row in await kept.postgres.fetch(
            "SELECT relname FROM pg_class "
            "WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p')"
        )
    ]
    assert {"audit.entries", MONTH, "audit.heads", "audit.stubs", "audit.chains"} <= set(tables)
    allowed = [
        (role, table, right)
        for role in ROLES
        for table in tables
        for right in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
        if await kept.postgres.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right)
    ]

    auditors = [("clinic_auditor", f"audit.{table}", "UPDATE") for table in ("chains", "progress")]
    assert sorted(allowed) == auditors


async def test_only_the_auditor_adds_to_it(kept: Trail) -> None:
    adding = [
        role
        for role in ROLES
        if await kept.postgres.fetchval("SELECT has_table_privilege($1, 'audit.entries', 'INSERT')", role)
    ]
    calling = [
        role
        for role in ROLES
        if await kept.postgres.fetchval(
            "SELECT has_function_privilege($1, 'audit.drop_month(date)', 'EXECUTE')", role
        )
    ]

    assert (adding, calling) == (["clinic_auditor"], ["clinic_auditor"])


class TestDroppingAMonth:
    """The function that the auditor's role may call has guards of its own."""

    @pytest.fixture
    async def auditor(self, kept: Trail) -> asyncpg.Connection:
        """A session with the auditor's role."""
        return await asyncpg.connect(kept.settings.auditor_dsn)

    @pytest.mark.parametrize("years", [1, 6])
    async def test_no_month_younger_than_the_owner_allows(
        self, kept: Trail, auditor: asyncpg.Connection, years: int
    ) -> None:
        month = clock.now().date().replace(day=1)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="younger than 7 years"):
            await auditor.execute("SELECT audit.drop_month($1)", month.replace(year=month.year - years))
        await auditor.close()

    async def test_only_the_owner_sets_the_age(self, kept: Trail, auditor: asyncpg.Connection) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await auditor.execute("UPDATE audit.retention SET years = 1")
        await auditor.close()

        await asyncio.to_thread(migrate, kept.settings.model_copy(update={"audit_retention_years": 9}))

        assert await kept.postgres.fetchval("SELECT years FROM audit.retention") == 9

    async def test_no_month_whose_hashes_are_not_kept(self, kept: Trail, auditor: asyncpg.Connection) -> None:
        old = datetime(2018, 1, 1, tzinfo=UTC)
        await auditor.execute("SELECT audit.make_month($1)", old.date())
        await kept.tamper(
            f"""
            INSERT INTO audit.entries
            SELECT chain, 5, number, '{old}', recorded_at, action, actor_kind, actor_id, doctor_id,
                appointment_id, patient_id, command_id, content, hash
            FROM audit.entries WHERE number = 1
            """
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no stub keeps all hashes"):
            await auditor.execute("SELECT audit.drop_month($1)", old.date())
        await auditor.close()


async def test_the_next_months_are_created_ahead(kept: Trail) -> None:
    now = clock.now()
    ahead = [(now.year + (now.month + n - 1) // 12, (now.month + n - 1) % 12 + 1) for n in range(3)]
    names = {
        row["relname"]
        for row in await kept.postgres.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'audit.entries'::regclass"
        )
    }

    assert {f"entries_{year}_{month:02}" for year, month in ahead} <= names
