"""Decides whether a run kept the guarantees, from what clients saw and from the topics.

It knows the API contract and nothing of the product: neither its rules nor its tables.
"""

from collections import Counter
from collections.abc import Iterable

from tests.faults.checker.answers import check_answers
from tests.faults.checker.contract import check_contract
from tests.faults.checker.dead_letters import check_dead_letters
from tests.faults.checker.facts import check_decisions
from tests.faults.checker.followers import check_followers
from tests.faults.checker.log import Log
from tests.faults.checker.overlaps import check_overlaps
from tests.faults.checker.reads.checks import Reads
from tests.faults.checker.reads.visibility import Reading
from tests.faults.checker.records import Entry, Finding, Followers, Mail, Poison, Record, StoredEvent
from tests.faults.checker.world import World
from tests.faults.checker.writes import Writes
from tests.faults.workload.history import History

# One cause has many effects; at most so many findings of a kind are reported.
FINDINGS_MAX = 20


def check(
    history: History,
    events: list[Record],
    commands: list[Record],
    dead_letters: list[Record],
    *,
    poison: list[Poison],
    followers: Followers | None = None,
) -> list[Finding]:
    """The violated guarantees; empty if all hold. Pure and deterministic.

    Without `followers`, the consumers of the events are not checked.
    """
    log = Log(commands, events, poison)
    writes = Writes(history)
    world = World(log, writes.decided_between())
    reading = Reading(world, history)
    return _limited(
        [
            *log.findings,
            *check_dead_letters(log, dead_letters),
            *world.findings,
            *check_overlaps(world),
            *check_decisions(world),
            *check_answers(world, writes),
            *check_contract(reading, writes, history.calls),
            *Reads(reading).check(history.calls),
            *(check_followers(world, events, followers) if followers else ()),
        ]
    )


def _limited(findings: Iterable[Finding]) -> list[Finding]:
    counts: Counter[str] = Counter()
    kept = []
    for finding in findings:
        counts[finding.invariant] += 1
        if counts[finding.invariant] <= FINDINGS_MAX:
            kept.append(finding)
    left_out = {name: count - FINDINGS_MAX for name, count in counts.items() if count > FINDINGS_MAX}
    return [*kept, *(Finding(name, f"and {count} more") for name, count in left_out.items())]


__all__ = ["Entry", "Finding", "Followers", "Mail", "Poison", "Record", "StoredEvent", "check"]
