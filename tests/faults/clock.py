"""A clock that jumps while its process runs: the time of day only, never the monotonic clock."""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

LIBRARY = "libfaketime.so.1"


class JumpingClock:
    """What a process started with `environment` believes the time to be."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self.jump(timedelta())

    @property
    def environment(self) -> dict[str, str]:
        """The variables that put the clock into a process."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # Its two spellings; time-outs and intervals are not about the time of day.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, by: timedelta) -> None:
        """From some second on, be so far from the right time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():+.0f}\n")
        new.replace(self._file)

    @staticmethod
    def is_in(pid: int) -> bool:
        """Whether the process really has such a clock."""
        return LIBRARY in Path(f"/proc/{pid}/maps").read_text()


def _library() -> Path:
    # Found without importing the package, which looks into the environment.
    spec = find_spec("libfaketime")
    assert spec is not None, "libfaketime is among the dependencies for development"
    assert spec.origin is not None, "libfaketime is a package"
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / LIBRARY
