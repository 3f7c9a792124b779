"""Conditions that a clinic's tables and topics meet after every test, whatever it did."""

from collections import Counter, defaultdict
from typing import Any

from aiokafka import ConsumerRecord

from contracts.cloudevents import decode_event
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.kafka.connection import topic_name
from tests.clinic import Clinic, records
from tests.waiting import until_async


async def settle(clinic: Clinic, timeout_s: float = 30.0) -> None:
    """Waits until every command on the log is decided and every event published and counted."""
    ends = Counter(record.partition for record in await records(clinic.settings, COMMANDS_TOPIC))

    async def settled() -> bool:
        rows = await clinic.postgres.fetch("SELECT * FROM booking.partition_progress")
        done = {row["partition"]: row["next_offset"] for row in rows}
        published = all(row["published_count"] == row["event_count"] for row in rows)
        return published and all(done.get(partition, 0) >= end for partition, end in ends.items())

    await until_async(settled, "all commands decided, all events published", timeout_s)


async def check(clinic: Clinic) -> None:
    """Asserts that no decision is repeated, lost or overlapping, and that events are complete and ordered."""
    await _no_overlaps(clinic)
    commands = await records(clinic.settings, COMMANDS_TOPIC)
    decided = await clinic.postgres.fetch("SELECT * FROM booking.decisions")
    sent = {dict(record.headers)["ce_id"].decode() for record in commands}
    assert {str(row["command_id"]) for row in decided} == sent
    # A decision belongs to the first record of its command in that partition.
    assert len({(row["partition"], row["offset"]) for row in decided}) == len(decided)
    await _events_tell_the_decisions(clinic, decided)


async def _no_overlaps(clinic: Clinic) -> None:
    overlapping = await clinic.postgres.fetch(
        """
        SELECT a.id, b.id FROM booking.appointments a JOIN booking.appointments b ON a.id < b.id
        WHERE a.status = 'booked' AND b.status = 'booked' AND (
            (a.doctor_id = b.doctor_id AND a.occupied && b.occupied)
            OR (a.patient_id = b.patient_id
                AND tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at))
        )
        """
    )
    assert overlapping == []


async def _events_tell_the_decisions(clinic: Clinic, decided: list[Any]) -> None:
    stored = await clinic.postgres.fetch("SELECT * FROM booking.events ORDER BY partition, sequence")
    published = consumed(await records(clinic.settings, EVENTS_TOPIC))
    by_partition: dict[int, list[int]] = defaultdict(list)
    for row in stored:
        by_partition[row["partition"]].append(row["sequence"])
    for partition, sequences in by_partition.items():
        assert sequences == list(range(1, len(sequences) + 1)), f"a gap in partition {partition}"
    assert [(row["partition"], row["sequence"], row["data"].encode()) for row in stored] == published
    assert len({row["event_id"] for row in stored}) == len(stored)
    assert {row["command_id"] for row in stored} == {row["command_id"] for row in decided}


def consumed(on_the_topic: list[ConsumerRecord]) -> list[tuple[int, int, bytes]]:
    """The messages that an idempotent consumer keeps: partition, sequence, data. Fails at a gap."""
    last: Counter[int] = Counter()
    kept = []
    for record in on_the_topic:
        sequence = decode_event(record).sequence
        if sequence <= last[record.partition]:
            continue
        assert sequence == last[record.partition] + 1, f"a gap in partition {record.partition}"
        last[record.partition] = sequence
        kept.append((record.partition, sequence, record.value))
    return kept


def commands_topic(clinic: Clinic) -> str:
    """The commands' topic, in the clinic's namespace."""
    return topic_name(clinic.settings, COMMANDS_TOPIC)
