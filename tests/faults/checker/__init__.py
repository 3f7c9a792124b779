"""Decides whether a run kept the promises, from what clients saw and what stands on the topics.

It knows the contract's page and nothing of the product: neither its rules nor its tables.
"""

from collections import Counter
from collections.abc import Iterable

from tests.faults.checker.answers import check_answers
from tests.faults.checker.contract import check_contract
from tests.faults.checker.dead_letters import check_dead_letters
from tests.faults.checker.facts import check_decisions
from tests.faults.checker.log import Log
from tests.faults.checker.overlaps import check_overlaps
from tests.faults.checker.reading import Reading
from tests.faults.checker.reads import Reads
from tests.faults.checker.records import Finding, Poison, Record
from tests.faults.checker.world import World
from tests.faults.checker.writes import Writes
from tests.faults.history import History

# One cause has many effects; of each kind so many are told.
FINDINGS_MAX = 20


def check(
    history: History,
    events: list[Record],
    commands: list[Record],
    dead_letters: list[Record],
    *,
    poison: list[Poison],
) -> list[Finding]:
    """What was promised and not kept; nothing, if all was. Pure and deterministic."""
    log = Log(commands, events, poison)
    writes = Writes(history)
    world = World(log, writes.decided_between())
    reading = Reading(world, history)
    return _some(
        [
            *log.findings,
            *check_dead_letters(log, dead_letters),
            *world.findings,
            *check_overlaps(world),
            *check_decisions(world),
            *check_answers(world, writes),
            *check_contract(reading, writes, history.calls),
            *Reads(reading).check(history.calls),
        ]
    )


def _some(findings: Iterable[Finding]) -> list[Finding]:
    counts: Counter[str] = Counter()
    kept = []
    for finding in findings:
        counts[finding.invariant] += 1
        if counts[finding.invariant] <= FINDINGS_MAX:
            kept.append(finding)
    more = {name: count - FINDINGS_MAX for name, count in counts.items() if count > FINDINGS_MAX}
    return [*kept, *(Finding(name, f"and {count} more") for name, count in more.items())]


__all__ = ["Finding", "Poison", "Record", "check"]
