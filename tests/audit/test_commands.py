"""`clinic audit` as an operator meets it: by its output and its exit status."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from auditor.chain import entry_hash, first_hash
from auditor.signing import Signer
from contracts.audit import Chain, HeadFile
from tests.audit.trail import Trail, run

ENTRIES = 50


def exported(trail: Trail, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """The entries of an export, and its cursor."""
    lines, said = run(trail, "export", *arguments)
    return [json.loads(line) for line in lines.splitlines()], said.removeprefix("cursor: ")


async def test_verify_says_how_much_fits(kept: Trail) -> None:
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


async def test_a_head_is_kept_elsewhere_and_held_against_the_trail_later(kept: Trail, tmp_path: Path) -> None:
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


async def test_what_is_no_head_file_or_key_is_one_sentence(kept: Trail, tmp_path: Path) -> None:
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
async def test_nor_is_one_with_a_head_that_cannot_be(
    kept: Trail, tmp_path: Path, change: dict[str, Any]
) -> None:
    file = await kept.keep_head(tmp_path / "head.json")
    heads = json.loads(file.read_text())
    heads["heads"][0].update(change)
    file.write_text(json.dumps(heads))

    _, said = run(kept, "verify", "--head", str(file), status=1)

    assert said == f"{file} does not hold what `clinic audit head` prints."


async def test_a_partition_that_is_not_there_is_said_so(kept: Trail) -> None:
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
async def test_numbers_that_cannot_be_are_misuse(kept: Trail, arguments: tuple[str, ...]) -> None:
    assert "Error: Invalid value" in run(kept, *arguments, status=2)[1]


class TestExport:
    async def test_whoever_has_it_can_check_the_chain(self, kept: Trail) -> None:
        entries, _ = exported(kept)

        before = first_hash(Chain.BOOKING, 0)
        for number, entry in enumerate(entries, 1):
            assert (entry["chain"], entry["partition"], entry["number"]) == ("booking", 0, number)
            before = entry_hash(before, rfc8785.dumps(entry["content"]))
            assert entry["hash"] == before.hex()
        assert len(entries) == ENTRIES

    async def test_it_goes_on_behind_its_cursor(self, kept: Trail) -> None:
        first, cursor = exported(kept, "--since", "booking/0=47")
        none, same = exported(kept, "--since", cursor)

        assert [entry["number"] for entry in first] == [48, 49, 50]
        assert (none, same) == ([], cursor)

    async def test_it_goes_on_behind_an_export_that_was_cut_off(self, kept: Trail, tmp_path: Path) -> None:
        lines, _ = run(kept, "export")
        path = tmp_path / "trail.ndjson"
        path.write_text(lines[: len(lines) // 2])
        whole = lines[: len(lines) // 2].count("\n")

        rest, _ = exported(kept, "--since", str(path))

        assert [entry["number"] for entry in rest] == list(range(whole + 1, ENTRIES + 1))

    async def test_it_is_packed_if_asked(self, kept: Trail, tmp_path: Path) -> None:
        plain, _ = run(kept, "export", "--chain", "booking", "--partition", "0", "--since", "10")
        packed = tmp_path / "trail.ndjson.gz"
        _, said = run(kept, "export", "--gzip", "--out", str(packed), "--since", "booking/0=10")

        assert gzip.decompress(packed.read_bytes()).decode() == plain
        assert said == "cursor: booking/0=50"

    @pytest.mark.parametrize("cut", [0, 1, 50, 4_000])
    async def test_it_goes_on_in_the_file_it_began(self, kept: Trail, tmp_path: Path, cut: int) -> None:
        path = tmp_path / "trail.ndjson"
        whole, _ = run(kept, "export")
        path.write_text(whole[: len(whole) - cut])

        run(kept, "export", "--since", str(path), "--out", str(path))

        assert path.read_text() == whole

    async def test_a_cursor_that_is_none_is_misuse(self, kept: Trail) -> None:
        assert "--since" in run(kept, "export", "--since", "yesterday", status=2)[1]


async def test_retain_prints_what_it_dropped(kept: Trail) -> None:
    assert json.loads(run(kept, "retain", "--json")[0]) == []
