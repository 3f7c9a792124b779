"""CPU usage: of this process, the stack's parts with their children, and of everything else."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import psutil

from infra import clock

GENERATOR = "generator"
OTHERS = "others"
SUPERVISOR = "up"


class CpuMeter:
    """Measures from the moment it is made (or `restart`) until `percent`."""

    def __init__(self, data_dir: Path, extra_pids: dict[str, int] | None = None) -> None:
        """`extra_pids` are pids by name of processes that the stack does not know."""
        self._pids: dict[int, str] = {os.getpid(): GENERATOR}
        for path in sorted((data_dir / "run").glob("*.pid")):
            self._pids[int(path.read_text())] = path.stem.rstrip("0123456789").rstrip("-")
        self._pids |= {pid: name for name, pid in (extra_pids or {}).items()}
        self.restart()

    @property
    def processes(self) -> dict[str, int]:
        """How many processes a part has, their children not counted."""
        return dict(Counter(self._pids.values()))

    def restart(self) -> None:
        """Begin to measure anew."""
        self._began_s = clock.monotonic()
        self._before = self._used_s()
        self._machine_before_s = _machine_s()

    def percent(self) -> dict[str, float]:
        """By part, 100 is one core. `others` is what the rest of the machine used."""
        return self._percent(clock.monotonic(), self._used_s(), _machine_s())

    def lap(self) -> dict[str, float]:
        """`percent`, and begin to measure anew."""
        now_s, used, machine_s = clock.monotonic(), self._used_s(), _machine_s()
        shares = self._percent(now_s, used, machine_s)
        self._began_s, self._before, self._machine_before_s = now_s, used, machine_s
        return shares

    def _percent(self, now_s: float, used: Mapping[str, float], machine_s: float) -> dict[str, float]:
        wall_s = now_s - self._began_s
        shares = {part: 100 * (used[part] - self._before[part]) / wall_s for part in used}
        shares.pop(SUPERVISOR, None)
        machine = 100 * (machine_s - self._machine_before_s) / wall_s
        shares[OTHERS] = max(0.0, machine - sum(shares.values()))
        return shares

    def stack_s(self) -> float:
        """CPU seconds that all parts of the stack used since then, `clinic up` itself not counted."""
        used = self._used_s()
        return sum(used[part] - self._before[part] for part in used if part not in (GENERATOR, SUPERVISOR))

    def _used_s(self) -> defaultdict[str, float]:
        used: defaultdict[str, float] = defaultdict(float)
        for pid, part in self._pids.items():
            try:
                process = psutil.Process(pid)
                # `clinic up` is the other parts' parent, and the generator that of the backlog's worker.
                is_parent_of_parts = part in (SUPERVISOR, GENERATOR)
                family = [] if is_parent_of_parts else process.children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            for member in (process, *family):
                used[part] += _process_s(member, with_ended_children=not is_parent_of_parts)
        return used


def _process_s(process: psutil.Process, with_ended_children: bool) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    own = times.user + times.system
    return float(own + times.children_user + times.children_system if with_ended_children else own)


def _machine_s() -> float:
    times = psutil.cpu_times()
    # guest time is part of user time already
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
