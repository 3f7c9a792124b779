"""What can't be decided is set aside once, with its reason and its origin; and nothing else is (I9)."""

from collections import defaultdict
from collections.abc import Iterable

from tests.faults.checker.log import Log
from tests.faults.checker.records import Finding, Place, Record

TOPIC = "booking.commands.v1"


def check_dead_letters(log: Log, letters: Iterable[Record]) -> list[Finding]:
    """Each poison exactly once among the letters, as it came."""
    findings = []
    by_place: dict[Place, list[Record]] = defaultdict(list)
    for letter in letters:
        place = _origin(letter)
        if place is None:
            findings.append(f"{_name(letter)} does not say where it came from")
        elif place not in log.poison:
            findings.append(f"{_name(letter)} is {place}, which can be decided: {_added(letter, 'reason')}")
        else:
            by_place[place].append(letter)
    for place, poison in sorted(log.poison.items()):
        found = by_place[place]
        if len(found) != 1:
            findings.append(f"{place} ({poison.reason}) is set aside {len(found)} times")
        for letter in found:
            if _added(letter, "reason") != poison.reason:
                reason = _added(letter, "reason")
                findings.append(f"{_name(letter)} is {place}, because of {reason}, not {poison.reason}")
            if not _as_it_came(letter, log.records.get(place)):
                findings.append(f"{_name(letter)} is {place}, and not as it came")
    return [Finding("I9", text) for text in findings]


def _name(letter: Record) -> str:
    return f"dead letter {letter.partition}/{letter.offset}"


def _added(letter: Record, name: str) -> str | None:
    # The last of that name: the record itself may have come with one.
    value = dict(letter.headers).get(f"dlq_{name}")
    return None if value is None else value.decode("utf-8", "replace")


def _origin(letter: Record) -> Place | None:
    topic, partition, offset = (_added(letter, name) or "" for name in ("topic", "partition", "offset"))
    if not topic.endswith(TOPIC) or not partition.isdigit() or not offset.isdigit():
        return None
    return Place(int(partition), int(offset))


def _as_it_came(letter: Record, record: Record | None) -> bool:
    if record is None:
        return False
    # A record without key and value cannot be sent; then an empty value stands for none.
    same_value = (letter.value or None) == (record.value or None)
    headers = list(record.headers)
    return letter.key == record.key and same_value and list(letter.headers)[: len(headers)] == headers
