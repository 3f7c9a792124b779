"""Changes of the trail by a database superuser, with all triggers off, are detected."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.chain.signing import Signer
from contracts.audit import HeadFile
from infra import clock
from ops.audit.heads import signed_now
from tests.audit.tampering import FAKE, add_entry, audit_key, cut_off, rewrite_from, set_end, set_head
from tests.audit.trail import Trail

ENTRIES = 50
HEAD_EVERY = 20


async def test_an_untouched_trail_verifies(kept: Trail) -> None:
    [report] = await kept.reports()

    assert (report.entries, report.finding) == (ENTRIES, None)
    assert report.heads >= ENTRIES // HEAD_EVERY


class TestFoundByVerifyAlone:
    async def test_an_edited_content(self, kept: Trail) -> None:
        await kept.tamper(
            f"UPDATE audit.entries SET content = replace(content, '{FAKE[0]}', '{FAKE[1]}') WHERE number = 17"
        )

        number, finding = await kept.finding()

        assert (number, "the hash of entry 17" in finding) == (17, True)

    @pytest.mark.parametrize(
        "change",
        [
            "patient_id = gen_random_uuid()",
            "doctor_id = NULL",
            "appointment_id = gen_random_uuid()",
            "command_id = NULL",
            "actor_id = gen_random_uuid()",
            "actor_kind = 'staff'",
            "action = 'AppointmentCancelled'",
            "occurred_at = occurred_at + interval '1 microsecond'",
        ],
    )
    async def test_an_edited_column(self, kept: Trail, change: str) -> None:
        await kept.tamper(f"UPDATE audit.entries SET {change} WHERE number = 17")

        number, finding = await kept.finding()

        assert (number, "columns" in finding) == (17, True)

    async def test_an_edited_entry_whose_hash_was_recomputed(self, kept: Trail) -> None:
        await rewrite_from(kept, 17, entries=1)

        number, finding = await kept.finding()

        assert (number, "the hash of entry 18" in finding) == (18, True)

    async def test_a_deleted_entry(self, kept: Trail) -> None:
        await kept.tamper("DELETE FROM audit.entries WHERE number = 17")

        assert await kept.finding() == (17, "entry 17 is missing")

    async def test_an_inserted_entry(self, kept: Trail) -> None:
        await kept.tamper(
            """
            INSERT INTO audit.entries
            SELECT chain, partition, 17, occurred_at, recorded_at, action, actor_kind, actor_id, doctor_id,
                appointment_id, patient_id, command_id, content, hash
            FROM audit.entries WHERE number = 30
            """
        )

        assert await kept.finding() == (17, "entry 17 exists twice")

    async def test_an_appended_entry(self, kept: Trail) -> None:
        await add_entry(kept, ENTRIES + 1)

        assert await kept.finding() == (ENTRIES + 1, f"the chain is signed only up to entry {ENTRIES}")

    async def test_two_entries_swapped(self, kept: Trail) -> None:
        await kept.tamper(
            "UPDATE audit.entries SET number = 1000 WHERE number = 17",
            "UPDATE audit.entries SET number = 17 WHERE number = 18",
            "UPDATE audit.entries SET number = 18 WHERE number = 1000",
        )

        number, finding = await kept.finding()

        assert (number, "the hash of entry 17" in finding) == (17, True)

    async def test_a_tail_deleted_without_its_heads(self, kept: Trail) -> None:
        await kept.tamper("DELETE FROM audit.entries WHERE number > 45")

        number, finding = await kept.finding()

        assert (number, "entry 46 is missing" in finding) == (46, True)

    async def test_a_rewritten_chain_with_its_old_heads(self, kept: Trail) -> None:
        await rewrite_from(kept, 17, entries=ENTRIES)

        number, finding = await kept.finding()

        assert (number, "the first 20 entries are not those" in finding) == (20, True)

    async def test_a_rewritten_chain_with_heads_signed_by_another_key(self, kept: Trail) -> None:
        await rewrite_from(kept, 1, entries=ENTRIES)
        await set_head(kept, Signer(Ed25519PrivateKey.generate()))

        number, finding = await kept.finding()

        assert (number, "no trusted key signed" in finding) == (ENTRIES, True)

    async def test_a_head_with_other_values(self, kept: Trail) -> None:
        await kept.tamper("UPDATE audit.heads SET signed_at = signed_at - interval '1 day' WHERE size = 40")

        number, finding = await kept.finding()

        assert (number, "no trusted key signed" in finding) == (40, True)

    async def test_a_chain_deleted_except_for_its_heads(self, kept: Trail) -> None:
        await kept.tamper("DELETE FROM audit.entries", "DELETE FROM audit.chains")

        number, finding = await kept.finding()

        assert (number, "entry 1 is missing" in finding) == (1, True)

    async def test_a_chain_deleted_except_for_the_auditors_position(self, kept: Trail) -> None:
        await kept.tamper("DELETE FROM audit.entries", "DELETE FROM audit.chains", "DELETE FROM audit.heads")

        assert await kept.finding() == (
            0,
            f"the chain ends with entry 0, but the auditor's position is {ENTRIES}",
        )


class TestFoundWithAnEarlierHead:
    """Tampering by somebody who also has the audit key, or keeps earlier signatures."""

    @pytest.fixture
    async def head(self, kept: Trail, tmp_path: Path) -> Path:
        """A head over all fifty entries, kept elsewhere."""
        return await kept.keep_head(tmp_path / "head.json")

    async def test_an_untouched_trail_verifies_also_after_it_has_grown(self, kept: Trail, head: Path) -> None:
        await kept.happen(30, first=ENTRIES + 1)
        async with kept.auditor():
            await kept.keeps(ENTRIES + 30)

        assert await kept.verified(head) == ENTRIES + 30

    async def test_a_tail_deleted_with_every_trace_of_it(self, kept: Trail, head: Path) -> None:
        await cut_off(kept, 45)
        await kept.verified()

        number, finding = await kept.finding(head)

        assert (number, finding) == (46, "entry 46 is missing: there is a head of 50 entries")

    async def test_a_whole_chain_rewritten_with_the_real_key(self, kept: Trail, head: Path) -> None:
        await rewrite_from(kept, 1, entries=ENTRIES)
        await set_head(kept, audit_key(kept))
        await set_end(kept, audit_key(kept))
        await kept.verified()

        number, finding = await kept.finding(head)

        assert (number, "the first 50 entries are not those of the head" in finding) == (ENTRIES, True)

    async def test_a_whole_rewritten_chain_that_has_grown_since(self, kept: Trail, head: Path) -> None:
        await rewrite_from(kept, 1, entries=ENTRIES)
        await kept.tamper("DELETE FROM audit.heads")
        await set_end(kept, audit_key(kept))
        await kept.happen(30, first=ENTRIES + 1)
        async with kept.auditor(audit_head_interval_s=0.1):
            await kept.keeps(ENTRIES + 30)
        await kept.verified()

        assert (await kept.finding(head))[0] == ENTRIES

    async def test_a_chain_deleted_without_a_trace(self, kept: Trail, head: Path) -> None:
        await cut_off(kept, 0)
        assert await kept.reports() == []

        assert await kept.finding(head) == (1, "entry 1 is missing: there is a head of 50 entries")

    async def test_the_head_file_itself_is_checked(self, kept: Trail, tmp_path: Path) -> None:
        before = await signed_now(kept.settings)
        older = before.heads[0].model_copy(update={"signed_at": clock.now() - timedelta(days=1)})
        forged = HeadFile(heads=(older,))
        file = tmp_path / "forged.json"
        await asyncio.to_thread(file.write_text, forged.model_dump_json())

        assert "no trusted key signed" in (await kept.finding(file))[1]
