"""Three minutes of faults: every guarantee holds."""

import secrets
from pathlib import Path

from tests.faults.__main__ import break_clinic
from tests.faults.faults.catalogue import SHORT

SECONDS = 180.0
OPERATIONS_MIN = 5_000
FAULTS_MIN = 3


async def test_the_promises_are_kept_under_faults(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(
        f"seed {seed}: python -m tests.faults --seconds {SECONDS:g} --seed {seed} --faults {','.join(SHORT)}"
    )
    report = await break_clinic(
        tmp_path,
        SHORT,
        seed=seed,
        seconds=SECONDS,
        operations_min=OPERATIONS_MIN,
        faults_min=FAULTS_MIN,
    )
    print(report)
    assert report.void_because is None, str(report)
    assert not report.findings, str(report)
