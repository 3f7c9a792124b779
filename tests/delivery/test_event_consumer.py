"""A consumer of a topic processes each message once, in order, and stops rather than guess."""

import json

import pytest
from aiokafka import ConsumerRecord

from contracts.dead_letters import DeadLetterReason
from infra.kafka import assigned_partition
from tests.delivery.probe import Probe


async def test_repeats_are_dropped_and_a_restart_continues_after_the_position(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (1, "a"), (2, "b"), (3, "c")):
        await probe.send(sequence, word)
    async with probe.running():
        await probe.takes("a", "b", "c")
    await probe.send(3, "c")
    await probe.send(4, "d")
    await probe.send(1, "other", partition=7)
    async with probe.running():
        await probe.takes("a", "b", "c", "d")
        await probe.takes("other", partition=7)


async def test_a_batch_that_takes_too_long_is_applied_in_smaller_ones(probe: Probe) -> None:
    words = [str(number) for number in range(1, 14)]
    for sequence, word in enumerate(words, 1):
        await probe.send(sequence, word)
    probe.at_once_max = 2
    async with probe.running():
        await probe.takes(*words)


async def test_foreign_messages_are_skipped(probe: Probe) -> None:
    await probe.send(1, "a")
    for garbage in (b"", b"\xff\xfe", b'{"word"'):
        await probe.send(None, garbage)
        await probe.send(77, garbage)
    await probe.send(2, "b")
    async with probe.running():
        await probe.takes("a", "b")


async def test_a_gap_stops_its_partition_after_the_messages_before_it(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (4, "d"), (5, "e")):
        await probe.send(sequence, word)
    await probe.send(1, "other", partition=1)
    async with probe.running():
        await probe.stops()
        await probe.takes("a", "b")
        await probe.takes("other", partition=1)
        await probe.send(2, "goes on", partition=1)
        await probe.takes("other", "goes on", partition=1)
    assert await probe.pool.fetchval("SELECT next_offset FROM probe.progress WHERE partition = 0") == 2


async def test_an_event_of_a_newer_version_stops_its_partition(probe: Probe) -> None:
    await probe.send(1, "a")
    await probe.send(2, b'{"words": ["b"]}')
    await probe.send(3, "c")
    async with probe.running():
        await probe.stops()
        await probe.takes("a")


async def test_without_sequences_an_unreadable_message_stops_its_partition(probe: Probe) -> None:
    reasons = ("unknown_type", "invalid_data", "wrong_key")
    for partition, reason in enumerate(reasons):
        await probe.send(None, "a", partition)
        await probe.send(None, b'{"newer": "b"}', partition, unread=reason)
        await probe.send(None, "c", partition)
    async with probe.running(sequence_of=None):
        for partition in range(len(reasons)):
            await probe.stops(partition)
            await probe.takes("a", partition=partition)

    def newer(record: ConsumerRecord) -> str:
        value = json.loads(record.value)
        return str(value.get("newer") or value["word"])

    async with probe.running(sequence_of=None, decode=newer):
        for partition in range(len(reasons)):
            await probe.takes("a", "b", "c", partition=partition)


async def test_without_sequences_foreign_messages_are_skipped(probe: Probe) -> None:
    await probe.send(None, "a")
    for reason in ("no_envelope", "bad_header"):
        await probe.send(None, b"garbage", unread=reason)
    await probe.send(None, "b")
    async with probe.running(sequence_of=None):
        await probe.takes("a", "b")


async def test_on_an_expiring_topic_unreadable_messages_do_not_stop_the_partition(probe: Probe) -> None:
    await probe.send(None, "a")
    for reason in DeadLetterReason:
        await probe.send(None, b"garbage", unread=reason)
    await probe.send(None, "b")
    async with probe.running(sequence_of=None, expiring=True):
        await probe.takes("a", "b")


async def test_an_outage_is_retried_and_a_bug_stops(probe: Probe) -> None:
    await probe.send(1, "a")
    probe.failures = [ConnectionError("away"), OSError("away"), TimeoutError()] * 2
    async with probe.running():
        await probe.takes("a")
    assert not probe.failures
    await probe.send(2, "b")
    probe.failures = [ZeroDivisionError("a bug")] * 5
    async with probe.running():
        await probe.stops()
        await probe.takes("a")
    assert len(probe.failures) == 2, "three tries"


async def test_two_consumers_process_each_message_once(probe: Probe) -> None:
    words = [f"word {number}" for number in range(300)]
    async with probe.running(), probe.running():
        for sequence, word in enumerate(words, 1):
            await probe.send(sequence, word)
        await probe.takes(*words)


async def test_another_topic_of_the_same_name_stops(probe: Probe) -> None:
    await probe.send(1, "a")
    async with probe.running():
        await probe.takes("a")
    await probe.pool.execute("UPDATE probe.progress SET topic_id = gen_random_uuid()")
    await probe.send(2, "b")
    async with probe.running():
        await probe.stops()
    assert await probe.taken() == [(1, "a")]


async def test_a_follower_finds_its_place_by_number_where_the_log_became_shorter(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (1, "a"), (2, "b"), (3, "c")):
        await probe.send(sequence, word)
    async with probe.running():
        await probe.takes("a", "b", "c")
    # As if the topic had lost what it had, and the same were published again: each event once.
    await probe.pool.execute("UPDATE probe.progress SET next_offset = 50 WHERE partition = 0")
    await probe.send(4, "d")
    async with probe.running():
        await probe.takes("a", "b", "c", "d")


async def test_a_follower_looks_back_once_before_it_calls_an_event_missing(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (3, "c"), (4, "d")):
        await probe.send(sequence, word)
    async with probe.running():
        await probe.takes("a", "b", "c", "d")
    await probe.pool.execute("DELETE FROM probe.taken WHERE sequence > 2")
    # Its place is beyond events that it has not seen.
    await probe.pool.execute(
        "UPDATE probe.progress SET next_offset = 3, last_sequence = 2 WHERE partition = 0"
    )
    async with probe.running():
        await probe.takes("a", "b", "c", "d")


async def test_a_follower_notices_that_its_database_is_an_older_one(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigned_partition, "CHECK_INTERVAL_S", 0.2)
    async with probe.running():
        await probe.send(1, "a")
        await probe.send(2, "b")
        await probe.takes("a", "b")
        await probe.pool.execute("DELETE FROM probe.taken WHERE sequence = 2")
        await probe.pool.execute(
            "UPDATE probe.progress SET next_offset = 1, last_sequence = 1 WHERE partition = 0"
        )
        # Nobody sends anything.
        await probe.takes("a", "b")
