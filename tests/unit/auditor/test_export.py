"""The start of an export: a cursor, an earlier export, or a number."""

import gzip
import random
from pathlib import Path

import pytest

from ops.audit.export import CursorError, ExportScope, opened

LINES = (
    '{"chain":"booking","partition":0,"number":7,"content":{}}\n'
    '{"chain":"booking","partition":0,"number":8,"content":{}}\n'
    '{"chain":"security","partition":2,"number":1,"content":{}}\n'
)
LAST = {("booking", 0): 8, ("security", 2): 1}


def test_from_the_beginning() -> None:
    assert ExportScope.read(None, None, None) == ExportScope()


def test_after_a_cursor() -> None:
    assert ExportScope.read(None, None, "booking/0=8,security/2=1").last == LAST


def test_after_a_number_of_one_chain() -> None:
    assert ExportScope.read("booking", 3, "12").last == {("booking", 3): 12}


@pytest.mark.parametrize("cut", [0, 1, 30])
@pytest.mark.parametrize("packed", [False, True])
def test_after_an_earlier_export_whose_end_may_be_missing(tmp_path: Path, cut: int, packed: bool) -> None:
    text = (LINES + '{"chain":"security","partition":2,"number":2,"con'[: cut or None]).encode()
    data = gzip.compress(text) if packed else text
    path = tmp_path / "trail.ndjson"
    path.write_bytes(data[:-4] if packed else data)

    assert ExportScope.read(None, None, str(path)).last == LAST


@pytest.mark.parametrize("since", ["", "12", "booking/0", "booking/0=1,,", "other/1=1", "booking/0=-1"])
def test_nothing_else(since: str) -> None:
    with pytest.raises(CursorError):
        ExportScope.read(None, None, since)


def test_nor_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_text('{"hello": 1}\n')

    with pytest.raises(CursorError):
        ExportScope.read(None, None, str(path))


NOISE = random.Random(7).randbytes(20_000).hex()
PACKED = gzip.compress(
    (LINES + f'{{"chain":"booking","partition":0,"number":9,"noise":"{NOISE}"}}\n').encode()
)


@pytest.mark.parametrize(
    "broken",
    [
        PACKED[: len(PACKED) // 2] + PACKED,
        PACKED + b"garbage",
        PACKED[:100] + bytes(100) + PACKED[200:],
        PACKED[:2] + b"\xff" + PACKED[3:],
    ],
    ids=["cut, then another", "followed by garbage", "overwritten", "of another kind"],
)
def test_nor_a_corrupt_file(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "trail.ndjson.gz"
    path.write_bytes(broken)

    with pytest.raises(CursorError, match=r"cannot be read|no export"):
        ExportScope.read(None, None, str(path))


class TestContinuingInTheSameFile:
    """`--since` and `--out` name the same file."""

    def test_its_complete_lines_stay_and_the_new_ones_follow(self, tmp_path: Path) -> None:
        path = tmp_path / "trail.ndjson"
        path.write_text(LINES + '{"chain":"boo')
        (tmp_path / "link").symlink_to(path)
        with opened(tmp_path / "link", str(path), compress=False) as file:
            file.write(b"more\n")

        assert path.read_text() == LINES + "more\n"

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_compressed_file_is_refused_and_left_unchanged(self, tmp_path: Path, packed: bool) -> None:
        path = tmp_path / "trail.ndjson.gz"
        data = gzip.compress(LINES.encode()) if packed else LINES.encode()
        path.write_bytes(data)

        with pytest.raises(CursorError, match="compressed"):
            opened(path, str(path), compress=not packed)
        assert path.read_bytes() == data

    def test_so_is_a_file_that_is_no_export(self, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("not a line")

        with pytest.raises(CursorError):
            opened(path, str(path), compress=False)
        assert path.read_text() == "not a line"

    def test_another_file_is_overwritten(self, tmp_path: Path) -> None:
        path, other = tmp_path / "trail.ndjson", tmp_path / "other"
        path.write_text(LINES)
        other.write_text("old")
        with opened(other, str(path), compress=True) as file:
            file.write(b"new")

        assert (path.read_text(), other.read_text()) == (LINES, "new")
