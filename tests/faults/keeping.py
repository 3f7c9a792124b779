"""The folder for a run's data and logs."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def run_folder(keep: Path | None, prefix: str) -> Iterator[Path]:
    """`keep`, created if missing and required to be empty; a temporary folder if it is None."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            sys.exit(f"{keep} is not empty: it would not be clear which run left what.")
        yield keep
