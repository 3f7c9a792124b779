"""The garbage collector, told what a long-running service knows."""

import gc


def collect_rarely() -> None:
    """Call it once all is imported and built. A full collection of it would stop the service for 0.1 s.

    What is there by now stays for good, so it is not looked through again; what requests and commands leave
    behind goes by reference counting, and cycles among it are few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
