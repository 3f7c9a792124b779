"""The order of decisions, as far as it can be known.

A partition's decisions are ordered, an appointment's by its version, and a decision that a client saw before
it requested another came before that one. Any other pair may be in either order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tests.faults.checker.messages import Decision

Edge = tuple[Decision, Decision]
ANY_TIME = (float("-inf"), float("inf"))


class Order:
    """`before` compares two decisions. `known` are the earliest and latest times of a decision."""

    def __init__(
        self,
        decisions: Mapping[int, Sequence[Decision]],
        edges: Iterable[Edge],
        known: Mapping[str, tuple[float, float]],
    ) -> None:
        self._partitions = {partition: number for number, partition in enumerate(decisions)}
        chains = [edge for in_order in decisions.values() for edge in pairwise(in_order)]
        everything = [decision for in_order in decisions.values() for decision in in_order]
        self._known = known
        self.contradicts_itself = not self._follow(everything, [*chains, *edges])
        if self.contradicts_itself:
            self._follow(everything, chains)

    def before(self, first: Decision, second: Decision) -> bool:
        """Whether `first` certainly came before `second`; False if they are the same."""
        if first is second:
            return False
        number = self._partitions[first.position.partition]
        return second.clock[number] >= first.index or first.latest < second.earliest

    def _follow(self, decisions: list[Decision], edges: list[Edge]) -> bool:
        """Compute clocks and times in order; False if the edges form a cycle."""
        after: dict[Decision, list[Decision]] = defaultdict(list)
        waits_for: dict[Decision, int] = defaultdict(int)
        for decision in decisions:
            decision.earliest, decision.latest = self._known.get(decision.command_id, ANY_TIME)
            decision.clock = [-1] * len(self._partitions)
        for earlier, other in edges:
            after[earlier].append(other)
            waits_for[other] += 1
        ready = [decision for decision in decisions if not waits_for[decision]]
        done: list[Decision] = []
        while ready:
            decision = ready.pop()
            done.append(decision)
            decision.clock[self._partitions[decision.position.partition]] = decision.index
            for later in after[decision]:
                later.clock = list(map(max, later.clock, decision.clock))
                later.earliest = max(later.earliest, decision.earliest)
                waits_for[later] -= 1
                if not waits_for[later]:
                    ready.append(later)
        for decision in reversed(done):
            decision.latest = min([decision.latest, *(later.latest for later in after[decision])])
        return len(done) == len(decisions)
