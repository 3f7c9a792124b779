"""Neither owning nothing nor stopping in the middle breaks a service or a promise."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError
from redis.asyncio import Redis

from booking_worker import consumer, wake_up
from booking_worker.event_log import SharedConsumer, start_consumer
from booking_worker.main import running_worker
from booking_worker.wake_up import WakeUps
from contracts.command_resource import State
from contracts.decision import Decision
from contracts.topics import EVENTS
from infra import clock
from infra.settings import Settings
from tests.clinic import CHECKUP, Clinic, ingress_process
from tests.clinic import clinic as running_clinic
from tests.delivery.ledger import settle
from tests.waiting import until_async


async def test_a_worker_that_owns_nothing_goes_on(undecided: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    # Before the first assignment it owns nothing, and is to tell Kafka so many times.
    monkeypatch.setattr(consumer, "COMMIT_INTERVAL_S", 0.001)
    await undecided.send("POST", "/v1/doctors", undecided.staff, _doctor(), wait=0)
    async with running_worker(undecided.settings):
        await settle(undecided)


async def test_a_connection_to_redis_that_uvloop_has_closed_is_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wake_up, "RETRY_INTERVAL_S", 0.0)
    published: list[bytes] = []

    class Closed(Redis):
        async def publish(self, channel: object, message: object, **kwargs: object) -> int:
            if not published:
                published.append(b"")
                raise RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed")
            assert isinstance(message, bytes)
            published.append(message)
            return 1

    wake_ups = WakeUps(Closed(), "channel")
    running = asyncio.create_task(wake_ups.run())

    async def gets_through() -> bool:
        wake_ups.send([_decision()])
        return len(published) > 1

    await until_async(gets_through, "the next one is published")
    running.cancel()


async def test_an_ingress_that_stops_answers_those_who_wait(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        ingress = ingress_process(clinic.settings, tmp_path)
        await ingress.start()
        waiting = asyncio.create_task(clinic.send("POST", "/v1/doctors", clinic.staff, _doctor(), wait=10))

        async def accepted() -> bool:
            metrics = (await clinic.http.get("/metrics")).text
            return 'clinic_commands_accepted_total{type="RegisterDoctor"} 1.0' in metrics

        await until_async(accepted, "the command is on the log")
        await ingress.stop()

        answer = await waiting
        assert (answer.status_code, answer.json()["state"]) == (202, "pending"), answer.text


def _doctor() -> dict[str, object]:
    return {"name": "Dr. End", "specialty": "tests", "visit_types": [CHECKUP]}


def _decision() -> Decision:
    return Decision(clock.new_id(), None, State.FAILED, None, 0, 0, clock.now())


async def test_a_consumer_that_is_being_started_is_not_cut_off(undecided: Clinic) -> None:
    begun, started = asyncio.Event(), asyncio.Event()
    made: list[AIOKafkaConsumer] = []

    async def start() -> AIOKafkaConsumer:
        begun.set()
        await started.wait()
        made.append(await start_consumer(undecided.settings, "tests", EVENTS))
        return made[0]

    async def use() -> None:
        async with SharedConsumer(start).use():
            raise AssertionError("it was cancelled before")

    using = asyncio.create_task(use())
    await begun.wait()
    using.cancel()
    started.set()
    await asyncio.wait([using])

    assert using.cancelled()
    [consumer] = made
    with pytest.raises(ConsumerStoppedError):
        await consumer.getmany(timeout_ms=1)
