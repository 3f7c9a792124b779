"""Folding the events reproduces the decided state, byte for byte."""

import pytest

from booking_worker.main import running_worker
from contracts.envelope import MAC_HEADER, Message
from contracts.topics import DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.rebuild.fold_all import fold_all
from tests.clinic import database, records
from tests.replay.conftest import Seeded, copy_of, decided, execute, fetchval, settled, state
from tests.replay.history import History
from tests.replay.sending import send


async def test_an_empty_database_is_rebuilt_identically(seeded: Seeded, template: str) -> None:
    original = await state(seeded.settings)
    events = await records(seeded.settings, EVENTS_TOPIC)
    letters = await records(seeded.settings, DEAD_LETTERS_TOPIC)
    async with database(seeded.settings, template) as empty:
        rebuilt = await fold_all(empty)

        assert rebuilt.state == original == await state(empty), seeded.seed
        assert rebuilt.kept is None, "there was nothing to keep"
        assert rebuilt.folded == original.rows["events"] <= len(events)
        # A worker that continues from that state only finds records that left no trace, and repeats nothing.
        await decided(empty)
        assert await state(empty) == original
    assert await records(seeded.settings, EVENTS_TOPIC) == events
    assert await records(seeded.settings, DEAD_LETTERS_TOPIC) == letters


async def test_the_history_has_everything_that_is_to_be_rebuilt(seeded: Seeded) -> None:
    """A precondition of the other tests."""
    types = set(await fetchval(seeded.settings, "SELECT array_agg(DISTINCT type) FROM booking.events"))
    assert types == {
        "DoctorRegistered", "DoctorUpdated", "WeeklyHoursSet", "TimeBlocked", "TimeUnblocked",
        "AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled", "OutcomeRecorded",
        "CommandConfirmed", "CommandRefused", "CommandFailed",
    }, seeded.seed  # fmt: skip
    moved = """
        SELECT count(*) FROM booking.events a JOIN booking.events b USING (subject)
        WHERE a.type = 'AppointmentBooked' AND b.type = 'AppointmentRescheduled'
            AND a.partition <> b.partition
    """
    assert await fetchval(seeded.settings, moved) > 0, seeded.seed


async def test_running_workers_stop_a_rebuild(own: Settings) -> None:
    async with running_worker(own):
        await settled(own)
        with pytest.raises(MisconfiguredError, match=r"Workers are running \(booking-worker\)"):
            await fold_all(own)


async def test_a_book_that_somebody_changed_is_put_right_and_kept(seeded: Seeded) -> None:
    original = await state(seeded.settings)
    async with copy_of(seeded.settings) as bent:
        await execute(bent, "UPDATE booking.appointments SET starts_at = starts_at + interval '1 s'")
        await execute(bent, "DELETE FROM booking.decisions WHERE state = 'refused'")
        await execute(bent, "UPDATE booking.events SET event_id = gen_random_uuid()")
        assert await state(bent) != original

        rebuilt = await fold_all(bent)

        assert rebuilt.state == original == await state(bent)
        for table, missing in (("appointments", 0), ("decisions", 1)):
            kept = await fetchval(bent, f"SELECT count(*) FROM {rebuilt.kept}.{table}")
            assert (kept < original.rows[table]) == missing


async def test_a_topic_that_lost_events_is_an_error(seeded: Seeded) -> None:
    async with copy_of(seeded.settings) as ahead:
        await execute(
            ahead,
            "UPDATE booking.partition_progress SET event_count = 10000, published_count = 10000",
        )
        before = await state(ahead)
        with pytest.raises(MisconfiguredError, match="events are missing"):
            await fold_all(ahead)
        assert await state(ahead) == before


async def test_a_missing_event_on_the_topic_is_not_skipped(own: Settings, template: str) -> None:
    await send(own, History(3, 40).records())
    await decided(own)
    producer = await start_producer(own, "test")
    [*_, last] = await records(own, EVENTS_TOPIC)
    headers = [(name, value) for name, value in last.headers if name not in ("ce_sequence", MAC_HEADER)]
    sequence = int(dict(last.headers)["ce_sequence"]) + 2
    message = Message(last.key, last.value, [*headers, ("ce_sequence", str(sequence).encode())])
    await producer.send_and_wait(
        topic_name(own, EVENTS_TOPIC),
        partition=last.partition,
        **EventMac.load(own).added(message, last.partition)._asdict(),
    )
    await producer.stop()
    async with database(own, template) as empty:
        with pytest.raises(MisconfiguredError, match=f"event {sequence - 1} is missing"):
            await fold_all(empty)


async def test_repeats_and_garbage_on_the_topic_are_skipped(own: Settings, template: str) -> None:
    await send(own, History(4, 60).records())
    await decided(own)
    original, all_events = await state(own), await records(own, EVENTS_TOPIC)
    producer = await start_producer(own, "test")
    for event in all_events[-30:]:
        await producer.send_and_wait(
            topic_name(own, EVENTS_TOPIC),
            event.value,
            event.key,
            partition=event.partition,
            headers=list(event.headers),
        )
        await producer.send_and_wait(topic_name(own, EVENTS_TOPIC), b"garbage", partition=event.partition)
    await producer.stop()
    async with database(own, template) as empty:
        assert (await fold_all(empty)).state == original
    async with copy_of(own) as bent:
        await execute(bent, "UPDATE booking.events SET event_id = gen_random_uuid()")
        assert (await fold_all(bent)).state == original, "the table tells nothing about what it is to become"
    await decided(own)
    assert await state(own) == original
