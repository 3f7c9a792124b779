"""Process priority: the auditor and the notifier give way to the services on the booking path."""

import contextlib
import os
from pathlib import Path

# Under contention, about a tenth of the CPU time of a service of normal priority.
BACKGROUND_NICENESS = 10
_AUTOGROUP = Path("/proc/self/autogroup")


def give_way() -> None:
    """Lower this process's priority for good.

    Linux schedules sessions before processes (`sched_autogroup`, sched(7)), so `nice` alone has no effect if
    every service has its own session: then the session's weight is lowered as well. A process that shares its
    session (one started in a terminal) does not change it.
    """
    with contextlib.suppress(OSError):
        os.nice(BACKGROUND_NICENESS - os.nice(0))
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _AUTOGROUP.write_text(str(BACKGROUND_NICENESS))
