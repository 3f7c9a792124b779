"""A chain's end is signed: entries cannot be added after the last head, and the auditor does not sign any
such end.
"""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from auditor.chain.ends import EndError
from auditor.chain.signing import Signer
from auditor.metrics import END_BROKEN
from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.audit.heads import signed_now
from ops.audit.verify import Asked, walk
from tests.audit.tampering import add_entry, rewrite_from, set_end, set_position
from tests.audit.trail import Trail
from tests.waiting import until_async

ENTRIES = 50
FORGED = (ENTRIES, "no trusted key signed the chain's end")


@pytest.fixture
async def unsigned(kept: Trail) -> Trail:
    """Fifty entries whose last head covers forty, as happens within a minute."""
    await kept.tamper("DELETE FROM audit.heads WHERE size > 40")
    await kept.verified()
    return kept


async def test_entries_edited_after_the_last_head(unsigned: Trail) -> None:
    await rewrite_from(unsigned, 41, entries=10)
    assert await unsigned.finding() == (
        ENTRIES,
        f"the first {ENTRIES} entries are not those of the chain's signed end",
    )
    await set_end(unsigned)

    assert await unsigned.finding() == FORGED


async def test_an_entry_deleted_after_the_last_head(unsigned: Trail) -> None:
    await unsigned.tamper("DELETE FROM audit.entries WHERE number = 50")
    await set_end(unsigned)

    assert await unsigned.finding() == (ENTRIES - 1, FORGED[1])


async def test_an_entry_inserted_at_the_end(unsigned: Trail) -> None:
    await add_entry(unsigned, ENTRIES + 1)
    await set_end(unsigned)

    assert await unsigned.finding() == (ENTRIES + 1, FORGED[1])


async def test_an_end_signed_by_another_key(unsigned: Trail) -> None:
    await set_end(unsigned, Signer(Ed25519PrivateKey.generate()))

    assert await unsigned.finding() == FORGED


async def test_a_chain_without_any_signature(kept: Trail) -> None:
    await kept.tamper("DELETE FROM audit.heads", "DELETE FROM audit.chains")

    assert await kept.finding() == (1, "the chain is signed only up to entry 0")


async def test_an_auditors_position_that_is_not_the_end(kept: Trail) -> None:
    await set_position(kept, 51)

    assert await kept.finding() == (
        ENTRIES,
        f"the chain ends with entry {ENTRIES}, but the auditor's position is 51",
    )


@pytest.mark.parametrize("frontier", ["frontier = '\\x00'", "frontier = substr(frontier, 33)", "size = 51"])
async def test_an_end_that_cannot_be_continued(kept: Trail, frontier: str) -> None:
    await kept.tamper(f"UPDATE audit.chains SET {frontier}")

    assert await kept.finding() == FORGED


class TestTheAuditor:
    @pytest.mark.parametrize("forged", ["tail", "frontier"])
    async def test_signs_no_such_end_and_continues_with_the_other_chains(
        self, unsigned: Trail, forged: str
    ) -> None:
        if forged == "tail":
            await rewrite_from(unsigned, 41, entries=10)
            await set_end(unsigned)
        else:
            await unsigned.tamper("UPDATE audit.chains SET frontier = '\\x00'")

        async def refused() -> bool:
            return bool(END_BROKEN._value.get())

        async with unsigned.auditor(audit_head_interval_s=0.1):
            await until_async(refused, "the end is refused", 60)
            await unsigned.happen(5, partition=3)
            await unsigned.keeps(5, 3)
            await until_async(lambda: _has_head(unsigned, 3), "the other chain is signed", 60)

        assert not await _has_head(unsigned, 0, ENTRIES)
        assert await unsigned.finding() == FORGED
        with pytest.raises(EndError, match="No trusted key signed the end of booking/0"):
            await signed_now(unsigned.settings)

    async def test_appends_nothing_to_it(self, kept: Trail) -> None:
        await add_entry(kept, ENTRIES + 1)
        await set_end(kept)
        await kept.happen(3, first=ENTRIES + 1)

        async with kept.auditor():
            await kept.stops(0)
            await kept.happen(5, partition=3)
            await kept.keeps(5, 3)

        assert await kept.size(0) == ENTRIES + 1
        assert await kept.finding() == (ENTRIES + 1, FORGED[1])

    async def test_refuses_events_that_do_not_follow_its_end(self, kept: Trail) -> None:
        await set_position(kept, 51)
        await kept.happen(3, first=ENTRIES + 1)

        async with kept.auditor():
            await kept.stops(0)

        assert await kept.size(0) == ENTRIES


async def _has_head(trail: Trail, partition: int, size: int = 1) -> bool:
    return bool(
        await trail.postgres.fetchval(
            "SELECT true FROM audit.heads WHERE partition = $1 AND size >= $2", partition, size
        )
    )


class TestAnotherAuditKey:
    @pytest.fixture
    def changed(self, kept: Trail, tmp_path: Path) -> Trail:
        """The trail of an operator who has just replaced the audit key."""
        file = tmp_path / "new.pem"
        file.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        kept.settings = kept.settings.model_copy(update={"audit_key_file": file})
        return kept

    async def test_accepts_what_the_earlier_key_signed(self, changed: Trail, original: Settings) -> None:
        with pytest.raises(EndError):
            await signed_now(changed.settings)

        await signed_now(changed.settings, [original.audit_key_file])

        await changed.happen(3, first=ENTRIES + 1)
        async with changed.auditor(audit_head_interval_s=0.1):
            await changed.keeps(ENTRIES + 3, 0)
        asked = Asked(key_files=[original.audit_key_file])
        reports = await asyncio.to_thread(walk, changed.settings, asked)
        # The topic of all clones has other tests' events on other partitions.
        assert [report.finding for report in reports if report.partition == 0] == [None]


async def test_it_does_not_run_as_a_role_that_may_change_the_trail(trail: Trail) -> None:
    with pytest.raises(MisconfiguredError, match="does not run as the owner"):
        async with trail.auditor(postgres_dsn_auditor=trail.settings.postgres_dsn):
            pass
