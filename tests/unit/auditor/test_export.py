"""Where an export goes on: a cursor, an earlier export, or a number."""

import gzip
from pathlib import Path

import pytest

from ops.audit.export import CursorError, Wanted

LINES = (
    '{"chain":"booking","partition":0,"number":7,"content":{}}\n'
    '{"chain":"booking","partition":0,"number":8,"content":{}}\n'
    '{"chain":"security","partition":2,"number":1,"content":{}}\n'
)
LAST = {("booking", 0): 8, ("security", 2): 1}


def test_from_the_beginning() -> None:
    assert Wanted.read(None, None, None) == Wanted()


def test_behind_a_cursor() -> None:
    assert Wanted.read(None, None, "booking/0=8,security/2=1").last == LAST


def test_behind_a_number_of_one_chain() -> None:
    assert Wanted.read("booking", 3, "12").last == {("booking", 3): 12}


@pytest.mark.parametrize("cut", [0, 1, 30])
@pytest.mark.parametrize("packed", [False, True])
def test_behind_an_earlier_export_whose_end_may_be_missing(tmp_path: Path, cut: int, packed: bool) -> None:
    text = (LINES + '{"chain":"security","partition":2,"number":2,"con'[: cut or None]).encode()
    data = gzip.compress(text) if packed else text
    path = tmp_path / "trail.ndjson"
    path.write_bytes(data[:-4] if packed else data)

    assert Wanted.read(None, None, str(path)).last == LAST


@pytest.mark.parametrize("since", ["", "12", "booking/0", "booking/0=1,,", "other/1=1", "booking/0=-1"])
def test_nothing_else(since: str) -> None:
    with pytest.raises(CursorError):
        Wanted.read(None, None, since)


def test_nor_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_text('{"hello": 1}\n')

    with pytest.raises(CursorError):
        Wanted.read(None, None, str(path))
