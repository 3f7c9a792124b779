"""Commands that cannot be decided are set aside once, with reason and origin; no others are (I9)."""

from collections import defaultdict
from collections.abc import Iterable

from tests.faults.checker.log import Log
from tests.faults.checker.records import Finding, Position, Record

TOPIC = "booking.commands.v1"


def check_dead_letters(log: Log, letters: Iterable[Record]) -> list[Finding]:
    """Each undecidable command is a dead letter exactly once, unchanged."""
    findings = []
    by_position: dict[Position, list[Record]] = defaultdict(list)
    for letter in letters:
        origin = _origin(letter)
        if origin is None:
            findings.append(f"{_name(letter)} does not say where it came from")
        elif origin not in log.poison:
            findings.append(f"{_name(letter)} is {origin}, which can be decided: {_added(letter, 'reason')}")
        else:
            by_position[origin].append(letter)
    for origin, poison in sorted(log.poison.items()):
        found = by_position[origin]
        if len(found) != 1:
            findings.append(f"{origin} ({poison.reason}) is set aside {len(found)} times")
        for letter in found:
            if _added(letter, "reason") != poison.reason:
                reason = _added(letter, "reason")
                findings.append(f"{_name(letter)} is {origin}, because of {reason}, not {poison.reason}")
            if not _as_it_came(letter, log.records.get(origin)):
                findings.append(f"{_name(letter)} is {origin}, and not as it came")
    return [Finding("I9", text) for text in findings]


def _name(letter: Record) -> str:
    return f"dead letter {letter.partition}/{letter.offset}"


def _added(letter: Record, name: str) -> str | None:
    # The last of that name: the record itself may have had one.
    value = dict(letter.headers).get(f"dlq_{name}")
    return None if value is None else value.decode("utf-8", "replace")


def _origin(letter: Record) -> Position | None:
    topic, partition, offset = (_added(letter, name) or "" for name in ("topic", "partition", "offset"))
    if not topic.endswith(TOPIC) or not partition.isdigit() or not offset.isdigit():
        return None
    return Position(int(partition), int(offset))


def _as_it_came(letter: Record, record: Record | None) -> bool:
    if record is None:
        return False
    # A record without key and value cannot be sent: an empty value replaces the missing one. A record larger
    # than the topic takes is truncated.
    whole, kept = record.value or b"", letter.value or b""
    cut = len(whole) > len(kept) > 0 and dict(letter.headers).get("dlq_truncated") is not None
    same_value = whole == kept or (cut and whole.startswith(kept))
    headers = list(record.headers)
    return letter.key == record.key and same_value and list(letter.headers)[: len(headers)] == headers
