"""Event streams have places, as each costs memory: so many for a person or network, so many in all."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from ingress.http.metrics import STREAMS
from ingress.http.problems import Code, Problem

RETRY_AFTER_S = "30"


class StreamPlaces:
    """The streams of one kind that are open at this ingress, by the name of who reads them."""

    def __init__(self, each_max: int, in_all_max: int) -> None:
        self._each_max = each_max
        self._max = in_all_max
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def taken(self, name: str) -> Iterator[bool]:
        """A place while inside; False if there is none left since `check`."""
        if self._refusal(name) is not None:
            yield False
            return
        self._open[name] += 1
        STREAMS.inc()
        try:
            yield True
        finally:
            STREAMS.dec()
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

    def check(self, name: str) -> None:
        """Refuse one stream too many, before the answer begins.

        Raises:
            Problem: 429 if this reader has too many, 503 if all together are.
        """
        if (refusal := self._refusal(name)) is not None:
            raise refusal

    def _refusal(self, name: str) -> Problem | None:
        retry = {"Retry-After": RETRY_AFTER_S}
        if self._open.get(name, 0) >= self._each_max:
            return Problem(Code.RATE_LIMITED, "You have too many event streams open.", headers=retry)
        if self._open.total() >= self._max:
            return Problem(Code.BUSY, "Too many event streams are open. Retry later.", headers=retry)
        return None
