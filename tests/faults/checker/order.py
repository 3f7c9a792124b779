"""Which decision came before which, as far as anybody can know.

A partition's decisions come in order, an appointment's by its version, and a decision that a client saw
before another was asked for came before that. All else may have been either way.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tests.faults.checker.messages import Decision

Edge = tuple[Decision, Decision]
ANY_TIME = (float("-inf"), float("inf"))


class Order:
    """`before`; it needs `known`: for a decision, the earliest and the latest it can have been made."""

    def __init__(
        self,
        decisions: Mapping[int, Sequence[Decision]],
        edges: Iterable[Edge],
        known: Mapping[str, tuple[float, float]],
    ) -> None:
        self._partitions = {partition: number for number, partition in enumerate(decisions)}
        chains = [edge for some in decisions.values() for edge in pairwise(some)]
        everything = [decision for some in decisions.values() for decision in some]
        self._known = known
        self.contradicts_itself = not self._follow(everything, [*chains, *edges])
        if self.contradicts_itself:
            self._follow(everything, chains)

    def before(self, one: Decision, other: Decision) -> bool:
        """Whether `one` certainly came before `other`. Not before itself."""
        if one is other:
            return False
        number = self._partitions[one.place.partition]
        return other.clock[number] >= one.index or one.latest < other.earliest

    def _follow(self, decisions: list[Decision], edges: list[Edge]) -> bool:
        """Whether there is an order at all; the clocks and times follow it."""
        after: dict[Decision, list[Decision]] = defaultdict(list)
        waits_for: dict[Decision, int] = defaultdict(int)
        for decision in decisions:
            decision.earliest, decision.latest = self._known.get(decision.command_id, ANY_TIME)
            decision.clock = [-1] * len(self._partitions)
        for one, other in edges:
            after[one].append(other)
            waits_for[other] += 1
        ready = [decision for decision in decisions if not waits_for[decision]]
        done: list[Decision] = []
        while ready:
            decision = ready.pop()
            done.append(decision)
            decision.clock[self._partitions[decision.place.partition]] = decision.index
            for later in after[decision]:
                later.clock = list(map(max, later.clock, decision.clock))
                later.earliest = max(later.earliest, decision.earliest)
                waits_for[later] -= 1
                if not waits_for[later]:
                    ready.append(later)
        for decision in reversed(done):
            decision.latest = min([decision.latest, *(later.latest for later in after[decision])])
        return len(done) == len(decisions)
