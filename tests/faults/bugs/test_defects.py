"""Each seeded defect applies: its text is in the source exactly once, and the copy is what is imported."""

from pathlib import Path

import pytest

from tests.faults.bugs.defect import Change, Defect, NoSuchTextError, copy_with, seed
from tests.faults.bugs.defects import DEFECTS
from tests.faults.faults.catalogue import ALL
from tests.faults.machine.source import copy_source

ENOUGH = 12


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, which tests put in order again."""
    folder = tmp_path_factory.mktemp("source")
    copy_source(folder)
    return folder


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_defect_applies(defect: Defect, source: Path) -> None:
    files = {change.file: (source / change.file).read_text() for change in defect.changes}
    try:
        seed(defect, source)
        for change in defect.changes:
            text = (source / change.file).read_text()
            assert change.replace in text
            if change.file.endswith(".py"):
                compile(text, change.file, "exec")
    finally:
        for file, text in files.items():
            (source / file).write_text(text)
    assert set(defect.faults) <= ALL.keys()


def test_the_copy_is_what_is_imported(tmp_path: Path) -> None:
    copy_with(DEFECTS[0], tmp_path)


def test_there_are_enough_with_unique_names() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= ENOUGH


def test_a_missing_text_is_an_error(tmp_path: Path) -> None:
    gone = Change("booking_worker/store/queries.sql", "no such text", "")
    with pytest.raises(NoSuchTextError, match="0 x"):
        copy_with(Defect("gone", "nothing", ("I1",), (gone,)), tmp_path)
