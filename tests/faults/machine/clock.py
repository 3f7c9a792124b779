"""A clock that jumps while its process runs: only the wall clock, not the monotonic clock."""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

LIBRARY = "libfaketime.so.1"


class JumpingClock:
    """The wall clock of a process started with `environment`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self.jump(timedelta())

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a process use this clock."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # Its two spellings; timeouts and intervals use the monotonic clock.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, by: timedelta) -> None:
        """Set the offset from the true time, within about a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():+.0f}\n")
        new.replace(self._file)

    @staticmethod
    def is_in(pid: int) -> bool:
        """Whether the process really uses this clock."""
        return LIBRARY in Path(f"/proc/{pid}/maps").read_text()


def _library() -> Path:
    # Located without importing the package, which reads the environment.
    spec = find_spec("libfaketime")
    assert spec is not None, "libfaketime is among the dependencies for development"
    assert spec.origin is not None, "libfaketime is a package"
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / LIBRARY
