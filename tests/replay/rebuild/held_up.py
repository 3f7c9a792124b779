"""`clinic` with a rebuild that is held up half-way: `python -m tests.replay.rebuild.held_up …`."""

import os
import signal
import time

from infra.settings import Settings
from ops.cli import main
from ops.rebuild import processes
from ops.rebuild.fold_partition import FoldedPartition, fold_partition
from storage.positions import Position


def fold_and_wait(settings: Settings, position: Position) -> FoldedPartition:
    """Fold a partition, and keep the process from the next."""
    folded = fold_partition(settings, position)
    if folded.events:
        time.sleep(3_600)
    return folded


def fold_and_die(settings: Settings, position: Position) -> FoldedPartition:
    """As a process does that the kernel ends because there is no memory left."""
    fold_partition(settings, position)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    # A shell has its background jobs ignore it, with all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    setattr(processes, "fold_partition", fold_and_wait)  # noqa: B010 (mypy: an import is no attribute)
    main()
