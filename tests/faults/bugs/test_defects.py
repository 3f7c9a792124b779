"""Each seeded defect applies: its text is in the source exactly once, and the copy is what is imported."""

from pathlib import Path

import pytest

from tests.faults.bugs.defect import Change, Defect, NoSuchTextError, copy_with
from tests.faults.bugs.defects import DEFECTS
from tests.faults.faults.catalogue import ALL

ENOUGH = 12


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_defect_applies(defect: Defect, tmp_path: Path) -> None:
    copy_with(defect, tmp_path)
    for change in defect.changes:
        assert change.replace in (tmp_path / change.file).read_text()
    assert set(defect.faults) <= ALL.keys()


def test_there_are_enough_with_unique_names() -> None:
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= ENOUGH


def test_a_missing_text_is_an_error(tmp_path: Path) -> None:
    gone = Change("booking_worker/store/queries.sql", "no such text", "")
    with pytest.raises(NoSuchTextError, match="0 x"):
        copy_with(Defect("gone", "nothing", ("I1",), (gone,)), tmp_path)
