"""An operator's orders: paused consumers stand still and say so; skipped records are left out, on record."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from booking_worker.decide import decision_batch as deciding
from booking_worker.main import running_worker
from contracts.topics import DEAD_LETTERS_TOPIC, EVENTS_TOPIC, SECURITY_EVENTS_TOPIC
from infra.errors import MisconfiguredError
from infra.kafka import assigned_partition
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.metrics import PARTITION_PAUSED
from infra.service import Service
from ops import orders
from ops.lag import all_lags
from ops.replay.verify import verify_all
from scheduling.decide import decide
from tests.clinic import Clinic, records
from tests.delivery.ledger import commands_topic, settle
from tests.delivery.probe import Probe
from tests.delivery.test_dead_letters import Poison, command
from tests.ops.conftest import clinic_command
from tests.processes import environment
from tests.waiting import until_async


@pytest.fixture(autouse=True)
def orders_are_seen_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assigned_partition, "CHECK_INTERVAL_S", 0.2)


@pytest.fixture
async def poison(undecided: Clinic) -> Any:
    producer = await start_producer(undecided.settings, "poison")
    yield Poison(undecided, producer)
    await producer.stop()


async def test_a_paused_worker_stands_still_across_restarts_until_it_is_resumed(poison: Poison) -> None:
    clinic, partition = poison.clinic, poison.partition
    settings, topic = clinic.settings, commands_topic(clinic)
    await poison.send(command())
    async with running_worker(settings):
        await settle(clinic)
        assert await orders.pause(settings, "worker", partition, "a rule is wrong") == [partition]
        assert await orders.pause(settings, "worker", partition, "twice") == []
        waiting = await poison.send(command())

    service = Service()
    service.started = True
    async with running_worker(settings, service):

        async def says_so() -> bool:
            return f"partition {partition}: paused by an operator" in (service.not_ready() or "")

        await until_async(says_so, "the worker says that it is paused", 60)
        paused = [PARTITION_PAUSED.labels(topic, str(number))._value.get() for number in range(12)]
        assert paused == [float(number == partition) for number in range(12)]
        [lag] = [lag for lag in await all_lags(settings) if lag.service == "worker" and lag.records]
        assert (lag.partition, lag.records, lag.orders[:15]) == (partition, 1, "paused since 20")
        query = "SELECT true FROM booking.decisions WHERE command_id = $1"
        assert not await clinic.postgres.fetchval(query, waiting)
        assert await orders.resume(settings, "worker", None) == [partition]
        await settle(clinic)
        await until_async(lambda: _is_ready(service), "the worker is ready")
        assert PARTITION_PAUSED.labels(topic, str(partition))._value.get() == 0

    given = await clinic.postgres.fetch("SELECT action, partition, why FROM operator.orders ORDER BY at")
    assert [tuple(row) for row in given] == [
        ("pause", partition, "a rule is wrong"), ("pause", partition, "twice"), ("resume", None, None),
    ]  # fmt: skip
    recorded = [json.loads(record.value) for record in await records(settings, SECURITY_EVENTS_TOPIC)]
    assert sorted(event["action"] for event in recorded) == ["pause", "pause", "resume"]


@pytest.mark.parametrize("action", ["pause", "skip"])
async def test_an_order_that_was_cut_off_did_nothing_and_can_be_given_again(
    poison: Poison, action: str
) -> None:
    clinic, partition = poison.clinic, str(poison.partition)
    await poison.send(command())
    order = {
        "pause": ("pause", "--partition", partition, "--why", "a rule is wrong"),
        "skip": ("skip", partition, "0", "--why", "it ends the process"),
    }[action]
    given = "SELECT count(*) FROM operator.orders"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        return bool(await clinic.postgres.fetchval(waiting, f"clinic-{action}"))

    async with clinic.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE booking.partition_progress")
        argv = (sys.executable, "-m", "ops.cli", *order)
        variables = {**os.environ, **environment(clinic.settings)}
        process = await asyncio.create_subprocess_exec(*argv, env=variables)
        await until_async(waits, "the order waits for the rows", 60)
        process.kill()
        await process.wait()

    assert await clinic.postgres.fetchval(given) == 0
    assert await clinic.postgres.fetchval("SELECT count(*) FROM booking.partition_progress") == 0
    again = clinic_command(clinic.settings, *order)
    assert again.returncode == 0, again.stderr
    assert await clinic.postgres.fetchval(given) == 1


async def _is_ready(service: Service) -> bool:
    return service.not_ready() is None


async def test_a_skipped_command_is_set_aside_alone_and_counts_as_failed(
    poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, settings = poison.clinic, poison.clinic.settings
    ids = [await poison.send(command()) for _ in range(4)]
    asked = []

    def noted(book: Any, given: Any, now: Any) -> Any:
        asked.append(given.command_id)
        return decide(book, given, now)

    monkeypatch.setattr(deciding, "decide", noted)
    # Before the worker ever ran, one of them twice.
    first = await orders.skip(settings, "worker", poison.partition, 1, "it ends the process")
    assert await orders.skip(settings, "worker", poison.partition, 1, "again") == first
    await orders.skip(settings, "worker", poison.partition, 3, "so does this")
    async with running_worker(settings):
        await settle(clinic)

    rows = await clinic.postgres.fetch("SELECT command_id, state FROM booking.decisions")
    states = {row["command_id"]: row["state"] for row in rows}
    assert [states[id_] for id_ in ids] == ["refused", "failed", "refused", "failed"]
    assert not {ids[1], ids[3]} & set(asked), "nobody looked at them"
    letters = await records(settings, DEAD_LETTERS_TOPIC)
    reasons = [(dict(letter.headers)["dlq_offset"], dict(letter.headers)["dlq_reason"]) for letter in letters]
    assert reasons == [(b"1", b"skipped"), (b"3", b"skipped")]
    reports, _ = await verify_all(settings)
    assert [finding for report in reports for finding in report.findings] == []
    with pytest.raises(MisconfiguredError, match=r"has processed offset 2 .* already: its position is 4"):
        await orders.skip(settings, "worker", poison.partition, 2, "too late")
    with pytest.raises(MisconfiguredError, match="has offsets 0 to 3"):
        await orders.skip(settings, "worker", poison.partition, 4, "too early")
    with pytest.raises(MisconfiguredError, match="has no records"):
        await orders.skip(settings, "worker", (poison.partition + 1) % 12, 0, "nothing is there")


async def give(probe: Probe, skips: list[int] | None = None, *, paused: bool = False) -> None:
    """Orders to the probe, which is no consumer that the command knows."""
    await probe.pool.execute(
        "UPDATE probe.progress SET skips = $1, paused_at = CASE WHEN $2 THEN now() END WHERE partition = 0",
        skips or [],
        paused,
    )


async def test_a_follower_leaves_out_a_skipped_record_and_the_numbers_that_are_missing(probe: Probe) -> None:
    await probe.send(1, "a")
    await probe.send(2, b"of a newer version")
    await probe.send(3, "c")
    async with probe.running():
        await probe.stops()
        await give(probe, [1])
        await until_async(lambda: _has_taken(probe, 3), "what follows is taken", 60)
        # 4 and 5 are nowhere. The event behind them is not left out.
        await probe.send(6, "f")
        await probe.stops()
        await give(probe, [3])
        await until_async(lambda: _has_taken(probe, 6), "the gap is passed", 60)
    assert await probe.taken() == [(1, "a"), (3, "c"), (6, "f")]


async def _has_taken(probe: Probe, sequence: int) -> bool:
    return sequence in dict(await probe.taken())


async def test_a_paused_follower_applies_nothing_not_even_what_it_has_fetched(probe: Probe) -> None:
    await probe.send(1, "a")
    async with probe.running():
        await probe.takes("a")
        await give(probe, paused=True)
        await probe.send(2, "b")
        gauge = PARTITION_PAUSED.labels(topic_name(probe.settings, EVENTS_TOPIC), "0")

        async def is_paused() -> bool:
            return bool(gauge._value.get())

        await until_async(is_paused, "it says that it is paused", 60)
        assert await probe.taken() == [(1, "a")]
        await give(probe)
        await probe.takes("a", "b")
