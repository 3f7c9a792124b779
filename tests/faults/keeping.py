"""Where a run's data and logs go."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def kept_or_not(keep: Path | None, prefix: str) -> Iterator[Path]:
    """The folder to keep, empty and made where it is missing; or a temporary one."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            sys.exit(f"{keep} is not empty: it would not be clear which run left what.")
        yield keep
