"""Owning no partition, or stopping at any moment, breaks neither a service nor a guarantee."""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiokafka import conn
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.api import Request
from aiokafka.protocol.metadata import MetadataRequest
from redis.asyncio import Redis

import ingress.main
from booking_worker.main import running_worker
from booking_worker.publish import wake_ups as wake_up
from booking_worker.publish.wake_ups import WakeUps
from contracts.decision import Decision, State
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock, service
from infra.kafka import consumer
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.kafka.reader import start_consumer, tail
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from ingress.commands import command_log
from ingress.main import running_ingress
from ops import probes
from tests.clinic import CHECKUP, Clinic, ingress_process, worker_process
from tests.clinic import clinic as running_clinic
from tests.delivery.ledger import settle
from tests.waiting import until_async


async def test_a_worker_without_partitions_keeps_running(
    undecided: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before the first assignment it has no partition, and commits several times nevertheless.
    monkeypatch.setattr(consumer, "COMMIT_INTERVAL_S", 0.001)
    await undecided.send("POST", "/v1/doctors", undecided.staff, _doctor(), wait=0)
    async with running_worker(undecided.settings):
        await settle(undecided)


async def test_a_worker_that_is_stopped_leaves_its_partitions_to_the_others(
    undecided: Clinic, tmp_path: Path
) -> None:
    settings = undecided.settings.model_copy(update={"session_timeout_ms": 60_000})
    stopped, other = (worker_process(settings, tmp_path, number) for number in (1, 2))
    await stopped.start()
    await other.start()

    async def both_have_partitions() -> bool:
        return all("partitions assigned" in worker.log_path.read_text() for worker in (stopped, other))

    await until_async(both_have_partitions, "both workers have partitions", timeout_s=30)
    await stopped.stop()
    for _ in range(COMMANDS_TOPIC.partitions):
        await undecided.send("POST", "/v1/doctors", undecided.staff, _doctor(), wait=0)

    await settle(undecided)  # in half of the session
    await other.stop()


async def test_a_worker_that_is_cancelled_again_while_it_stops_leaves_nothing_behind(
    undecided: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CANCEL_AGAIN_S", 0.001)
    before = asyncio.all_tasks()
    async with running_worker(undecided.settings):
        await undecided.send("POST", "/v1/doctors", undecided.staff, _doctor())
    left = [task for task in asyncio.all_tasks() - before if "kafka" in repr(task)]
    assert not left


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


async def test_an_ingress_that_stops_answers_waiting_requests(
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


async def test_a_request_that_is_cut_off_by_the_end_can_be_sent_again(
    settings: Settings, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(command_log, "append", never)
    monkeypatch.setattr(ingress.main, "STOP_TIMEOUT_S", 0.2)
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        async with running_ingress(clinic.settings):
            sent = asyncio.create_task(clinic.send("POST", "/v1/doctors", clinic.staff, _doctor()))
            await waits.wait()
        answer = await sent
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable"), answer.text
        assert answer.headers["retry-after"] == "1"


def _doctor() -> dict[str, object]:
    return {"name": "Dr. End", "specialty": "tests", "visit_types": [CHECKUP]}


def _decision() -> Decision:
    return Decision(clock.new_id(), None, State.FAILED, None, 0, 0, clock.now())


async def test_a_connection_to_kafka_that_uvloop_has_closed_is_broken(settings: Settings) -> None:
    host, _, port = settings.kafka_bootstrap.rpartition(":")

    async def write_to_what_is_closed() -> None:
        connection = await conn.create_conn(host, int(port))
        assert isinstance(connection, AIOKafkaConnection)
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        for _ in range(2):
            with pytest.raises(KafkaConnectionError):
                connection.send(MetadataRequest([]))
            assert not connection.connected()

    await asyncio.to_thread(uvloop.run, write_to_what_is_closed())


async def test_a_client_cut_off_while_it_connects_leaves_no_connection(
    undecided: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = undecided.settings
    events = topic_name(settings, EVENTS_TOPIC)
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: left.append(unraisable.object))
    asked = asyncio.Event()
    send = AIOKafkaConnection.send

    def telling(connection: AIOKafkaConnection, request: Request, **kwargs: object) -> object:
        if isinstance(request, MetadataRequest):
            asked.set()
        return send(connection, request, **kwargs)

    monkeypatch.setattr(AIOKafkaConnection, "send", telling)

    beginnings: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: start_consumer(settings, "tests", EVENTS_TOPIC),
        lambda: start_producer(settings, "tests"),
        lambda: tail(settings, events, 0, 1),
        lambda: topic_ids(settings, [events]),
        lambda: probes.kafka(settings),
    ]
    for begin in beginnings:
        asked.clear()
        connecting = asyncio.create_task(begin())
        await asked.wait()
        connecting.cancel()
        await asyncio.wait([connecting])

        assert connecting.cancelled()
        del connecting
        gc.collect()
        assert not left, left
