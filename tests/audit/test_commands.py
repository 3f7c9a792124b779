"""`clinic audit` as an operator uses it: its output and its exit status."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from auditor.chain.hash_chain import entry_hash, first_hash
from auditor.chain.signing import Signer
from contracts.audit import Chain, HeadFile
from tests.audit.trail import Trail, run

ENTRIES = 50


def exported(trail: Trail, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The entries of an export, and its cursor."""
    lines, said = run(trail, "export", *arguments)
    return [json.loads(line) for line in lines.splitlines()], said.removeprefix("cursor: ")


async def test_verify_reports_how_many_entries_fit(kept: Trail) -> None:
    said, _ = run(kept, "verify")
    as_json, _ = run(kept, "verify", "--json", "--chain", "booking", "--partition", "0")

    assert f"booking/0  {ENTRIES}" in said
    assert f"{ENTRIES} entries in" in said
    summary = json.loads(as_json)
    assert (summary["entries"], summary["findings"]) == (ENTRIES, 0)
    assert summary["chains"][0]["finding"] is None
    assert json.loads(run(kept, "verify", "--json", "--chain", "security")[0])["chains"] == []


async def test_verify_names_the_first_broken_entry_and_ends_with_status_1(kept: Trail) -> None:
    await kept.tamper("DELETE FROM audit.entries WHERE number IN (17, 30)")

    said, _ = run(kept, "verify", status=1)

    assert "entry 17 is missing" in said
    assert "30" not in said


async def test_a_head_kept_elsewhere_is_compared_with_the_trail_later(kept: Trail, tmp_path: Path) -> None:
    heads, _ = run(kept, "head")
    path = tmp_path / "head.json"
    path.write_text(heads)

    [head] = HeadFile.model_validate_json(heads).heads
    assert (head.chain, head.partition, head.size) == (Chain.BOOKING, 0, ENTRIES)
    keys = Signer.load(kept.settings.audit_key_file).public()
    assert keys.signed(head, head.key_id, bytes.fromhex(head.signature))
    run(kept, "verify", "--head", str(path))
    await kept.tamper("DELETE FROM audit.entries", "DELETE FROM audit.heads", "DELETE FROM audit.chains")
    assert "entry 1 is missing" in run(kept, "verify", "--head", str(path), status=1)[0]


async def test_an_invalid_head_file_or_key_is_one_sentence(kept: Trail, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")

    for option in ("--head", "--key"):
        _, said = run(kept, "verify", option, str(path), status=1)
        assert said.startswith(f"{path} does not hold"), said
        assert "\n" not in said


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "zz"},
        {"root": "0"},
        {"size": 0},
        {"size": 10**30},
        {"partition": 99_999},
        {"partition": -1},
        {"chain": "other"},
    ],
)
async def test_so_is_a_head_with_impossible_values(
    kept: Trail, tmp_path: Path, change: dict[str, Any]
) -> None:
    file = await kept.keep_head(tmp_path / "head.json")
    heads = json.loads(file.read_text())
    heads["heads"][0].update(change)
    file.write_text(json.dumps(heads))

    _, said = run(kept, "verify", "--head", str(file), status=1)

    assert said == f"{file} does not hold what `clinic audit head` prints."


async def test_an_unknown_partition_is_reported(kept: Trail) -> None:
    _, said = run(kept, "verify", "--chain", "booking", "--partition", "99", status=1)
    assert said == "The trail has nothing of booking/99."


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "--partition", "99999"),
        ("prove", "booking", "99999", "1"),
        ("prove", "booking", "0", "99999999999999999999"),
        ("prove", "booking", "0"),
        ("export", "--chain", "booking", "--partition", "0", "--since", "99999999999999999999"),
    ],
)
async def test_impossible_numbers_are_misuse(kept: Trail, arguments: tuple[str, ...]) -> None:
    assert "Error: Invalid value" in run(kept, *arguments, status=2)[1]


class TestExport:
    async def test_its_recipient_can_verify_the_chain(self, kept: Trail) -> None:
        entries, _ = exported(kept)

        before = first_hash(Chain.BOOKING, 0)
        for number, entry in enumerate(entries, 1):
            assert (entry["chain"], entry["partition"], entry["number"]) == ("booking", 0, number)
            before = entry_hash(before, rfc8785.dumps(entry["content"]))
            assert entry["hash"] == before.hex()
        assert len(entries) == ENTRIES

    async def test_it_continues_after_its_cursor(self, kept: Trail) -> None:
        first, cursor = exported(kept, "--since", "booking/0=47")
        none, same = exported(kept, "--since", cursor)

        assert [entry["number"] for entry in first] == [48, 49, 50]
        assert (none, same) == ([], cursor)

    async def test_it_continues_after_a_truncated_export(self, kept: Trail, tmp_path: Path) -> None:
        lines, _ = run(kept, "export")
        path = tmp_path / "trail.ndjson"
        path.write_text(lines[: len(lines) // 2])
        whole = lines[: len(lines) // 2].count("\n")

        rest, _ = exported(kept, "--since", str(path))

        assert [entry["number"] for entry in rest] == list(range(whole + 1, ENTRIES + 1))

    async def test_it_is_compressed_on_request(self, kept: Trail, tmp_path: Path) -> None:
        plain, _ = run(kept, "export", "--chain", "booking", "--partition", "0", "--since", "10")
        packed = tmp_path / "trail.ndjson.gz"
        _, said = run(kept, "export", "--gzip", "--out", str(packed), "--since", "booking/0=10")

        assert gzip.decompress(packed.read_bytes()).decode() == plain
        assert said == "cursor: booking/0=50"

    @pytest.mark.parametrize("cut", [0, 1, 50, 4_000])
    async def test_it_continues_in_the_same_file(self, kept: Trail, tmp_path: Path, cut: int) -> None:
        path = tmp_path / "trail.ndjson"
        whole, _ = run(kept, "export")
        path.write_text(whole[: len(whole) - cut])

        run(kept, "export", "--since", str(path), "--out", str(path))

        assert path.read_text() == whole

    async def test_an_invalid_cursor_is_misuse(self, kept: Trail) -> None:
        assert "--since" in run(kept, "export", "--since", "yesterday", status=2)[1]


async def test_retain_prints_the_months_that_it_dropped(kept: Trail) -> None:
    assert json.loads(run(kept, "retain", "--json")[0]) == []
