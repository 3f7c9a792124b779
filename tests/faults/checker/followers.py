"""Consumers of the events: the table of events, the audit trail, and the patients' mail."""

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

from tests.faults.checker.records import Entry, Finding, Followers, Mail, Record, StoredEvent
from tests.faults.checker.timelines import Step
from tests.faults.checker.world import World

METHODS = {
    "AppointmentBooked": "REQUEST",
    "AppointmentRescheduled": "REQUEST",
    "AppointmentCancelled": "CANCEL",
}
# A state is recorded this long after the fact, at most.
KNOWN_AFTER_S = 5.0
MAC = re.compile(rb"[0-9a-f]{32}")
Sequenced = dict[tuple[int, int], Record]
Subject = tuple[str, int, str]


def check_followers(world: World, events: Iterable[Record], followers: Followers) -> Iterator[Finding]:
    """Table and topic are equal, the trail has every event once, and every change was mailed once."""
    on_topic = _first_of_each(events)
    yield from (Finding("I5", text) for text in _table_and_topic(on_topic, followers.stored))
    yield from (Finding("AUDIT", text) for text in _trail(on_topic, followers.entries))
    yield from (Finding("MAIL", text) for text in _mails(world, followers))
    for command, said in followers.commands.items():
        yield Finding("AUDIT" if "audit" in command else "I8", f"`{command}` finds: {said}")


def _first_of_each(events: Iterable[Record]) -> Sequenced:
    found: Sequenced = {}
    for record in events:
        digits = dict(record.headers).get("ce_sequence") or b""
        if digits.isdigit():
            found.setdefault((record.partition, int(digits)), record)
    return found


def _table_and_topic(on_topic: Sequenced, stored: Iterable[StoredEvent]) -> Iterator[str]:
    in_table = {(event.partition, event.sequence): event for event in stored}
    for key in sorted(on_topic.keys() | in_table.keys()):
        record, event = on_topic.get(key), in_table.get(key)
        name = f"event {key[0]}/{key[1]}"
        if record is None or event is None:
            where = "table" if record is None else "topic"
            yield f"{name} is in the {where} alone"
            continue
        for part, published, wanted in (
            ("key", record.key, event.key.encode()),
            ("value", record.value, event.data.encode()),
            ("headers", list(record.headers[:-1]), _headers(event)),
        ):
            if published != wanted:
                yield f"{name} has another {part} on the topic, {published!r}, than in the table, {wanted!r}"
        if not record.headers or not _is_mac(*record.headers[-1]):
            yield f"{name} ends without a MAC"


def _is_mac(name: str, value: bytes | None) -> bool:
    return name == "ce_mac" and MAC.fullmatch(value or b"") is not None


def _headers(event: StoredEvent) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 in Kafka's binary mode, in the order of API.md."""
    moment = event.decided_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", event.id),
        ("ce_type", f"clinic.booking.{event.type}.v1"),
        ("ce_source", f"/clinic/booking-worker/partitions/{event.partition}"),
        ("ce_time", moment),
        ("ce_subject", event.subject),
        ("content-type", "application/json"),
        *([("traceparent", event.traceparent)] if event.traceparent else []),
        ("ce_sequence", f"{event.sequence:020}"),
    ]
    return [(name, value.encode()) for name, value in headers]


def _trail(on_topic: Sequenced, entries: Iterable[Entry]) -> Iterator[str]:
    by_partition: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_partition[entry.partition].append(entry)
    for partition in sorted({key[0] for key in on_topic} | by_partition.keys()):
        kept = sorted(by_partition[partition], key=lambda entry: entry.number)
        sequences = [entry.sequence for entry in kept]
        wanted = sorted(sequence for number, sequence in on_topic if number == partition)
        if sequences != wanted:
            missing, added = sorted(set(wanted) - set(sequences)), sorted(set(sequences) - set(wanted))
            yield (
                f"partition {partition} has {len(wanted)} events, and the trail {len(sequences)} entries: "
                f"it lacks {missing[:5]} and has {added[:5]} besides"
            )
        for entry in kept:
            record = on_topic.get((partition, entry.sequence))
            id_ = (dict(record.headers).get("ce_id") or b"").decode() if record else entry.event_id
            if id_ != entry.event_id:
                yield f"entry {partition}/{entry.number} is about event {entry.event_id}, not {id_}"


def _mails(world: World, followers: Followers) -> Iterator[str]:
    changes = {
        (id_, step.state.version, METHODS[step.event.type]): step
        for id_, steps in world.appointments.steps.items()
        for step in steps
        if step.event.type in METHODS
    }
    by_id: dict[str, list[Mail]] = defaultdict(list)
    by_subject: dict[Subject, set[str]] = defaultdict(set)
    for mail in followers.mails:
        by_id[mail.id].append(mail)
        if mail.appointment_id is None or mail.version is None or mail.method is None:
            continue  # a reminder
        subject = (mail.appointment_id, mail.version, mail.method)
        if subject not in changes:
            yield f"{_name(mail)} tells of {mail.method} version {mail.version}, which never happened"
        by_subject[subject].add(mail.id)
    for subject, ids in by_subject.items():
        if len(ids) > 1:
            yield f"appointment {subject[0]}, version {subject[1]}, was mailed as {', '.join(sorted(ids))}"
    for mails in by_id.values():
        yield from _repeats(mails, followers)
    yield from _not_told(changes, by_subject, followers.ended_at)


def _repeats(mails: list[Mail], followers: Followers) -> Iterator[str]:
    first = mails[0]
    # An older database no longer knows what the patient was told before, so the words may differ.
    since_restored: dict[int, list[Mail]] = defaultdict(list)
    for mail in mails:
        since_restored[bisect(followers.restored_at, mail.at)].append(mail)
    since = since_restored[len(followers.restored_at)]
    for sent in since_restored.values():
        if len({(mail.digest, mail.to) for mail in sent}) > 1:
            yield f"{_name(first)} came {len(mails)} times, and not the same"
    for earlier, later in pairwise(sorted(mails, key=lambda mail: mail.at)):
        if not any(
            begin <= later.at and earlier.at <= end + KNOWN_AFTER_S for begin, end in followers.unknown
        ):
            yield f"{_name(first)} came twice, and nothing was in the way of knowing that it had arrived"
            break
    # Sent more than once only where it was unknown whether the server had accepted it.
    if len(since) > (begun := followers.sends.get(first.id, 0)):
        yield f"{_name(first)} came {len(since)} times, and was sent {begun} times"


def _not_told(
    changes: dict[Subject, Step], mailed: dict[Subject, set[str]], ended_at: float
) -> Iterator[str]:
    latest: dict[str, tuple[Subject, Step]] = {}
    for subject, step in changes.items():
        known = latest.get(subject[0])
        if known is None or known[1].state.version < step.state.version:
            latest[subject[0]] = (subject, step)
    for subject, step in latest.values():
        # A visit in the past is not mailed any more.
        if step.state.visit[1] > datetime.fromtimestamp(ended_at, UTC) and subject not in mailed:
            yield f"{step.decision} made {step.event}, and its patient got no mail about it"


def _name(mail: Mail) -> str:
    return f"mail {mail.id} to {mail.to}"
