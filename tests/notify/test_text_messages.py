"""Text messages go through the gateway, to whoever chose them and has a phone."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from pydantic import SecretStr

from infra import clock
from infra.keys import Keys
from ingress.patients import Patients
from notifier.main import running_notifier
from tests.clinic import free_port
from tests.notify.facts import booked
from tests.notify.office import Office
from tests.waiting import until

MONTH = timedelta(days=30)
PHONE = "+4930123456"
REQUEST = '{"message": {"recipients": ["{to}"], "body": "Clinic: {text}"}, "ref": "{id}", "ttl": 60}'


class Gateway:
    """Takes requests down; answers with `statuses`, then 202."""

    def __init__(self) -> None:
        self.port = free_port()
        self.statuses: list[int] = []
        self.requests: list[tuple[dict[str, str], Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part["body"], part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = self.statuses.pop(0) if self.statuses else 202
        self.requests.append((headers, json.loads(body)))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield  # they are pytest's


@pytest.fixture
async def gateway(office: Office) -> AsyncIterator[Gateway]:
    gateway = Gateway()
    office.settings = office.settings.model_copy(
        update={
            "sms_url": SecretStr(f"http://127.0.0.1:{gateway.port}/send?account=1"),
            "sms_request": REQUEST,
            "sms_token": SecretStr("s3cret"),
        }
    )
    app: Any = gateway
    server = _Server(
        uvicorn.Config(app, port=gateway.port, lifespan="off", log_config=None, interface="asgi3")
    )
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(until, lambda: server.started, "the gateway listens")
    yield gateway
    server.should_exit = True
    await serving


async def choose_sms(office: Office, patient_id: UUID, phone: str | None = PHONE) -> None:
    """As the patient does in their profile."""
    patients = Patients(office.postgres, Keys.load(office.settings.master_key_file))
    await patients.change(patient_id, lambda profile: replace(profile, phone=phone, channel="sms"))


async def test_who_chose_text_messages_gets_them_and_the_others_get_mail(
    office: Office, gateway: Gateway
) -> None:
    by_sms, by_mail = await office.patients(2)
    await choose_sms(office, by_sms)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*(booked(patient, clock.now() + MONTH) for patient in (by_sms, by_mail)))
        await office.reaches("sent", 2)
    [(headers, request)] = gateway.requests
    [row] = await office.rows(kind="confirmation", patient_id=by_sms)
    assert request["message"]["recipients"] == [PHONE]
    assert request["message"]["body"].startswith("Clinic: ")
    assert (request["ref"], request["ttl"]) == (str(row["id"]), 60)
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["idempotency-key"] == str(row["id"])
    assert len(office.smtp.mails) == 1


async def test_without_a_gateway_all_goes_by_mail(office: Office) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1


async def test_without_a_phone_it_goes_by_mail(office: Office, gateway: Gateway) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient, phone=None)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("sent")
    assert (len(office.smtp.mails), gateway.requests) == (1, [])


@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        (429, "put off: 429", 1),
        (503, "the gateway answered 503", 1),
        (401, "the gateway does not let us in: 401", 0),
    ],
)
async def test_what_the_gateway_does_not_take_now_is_tried_again(
    office: Office, gateway: Gateway, status: int, reason: str, tries: int
) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    gateway.statuses = [status] * 2
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("planned", reason=reason, tries=tries)
        await office.hurry()
        await asyncio.to_thread(until, lambda: len(gateway.requests) >= 2, "tried again")
        gateway.statuses = []
        await office.reaches("planned", kind="confirmation")
        await office.hurry()
        await office.reaches("sent")
    assert len({headers["idempotency-key"] for headers, _ in gateway.requests}) == 1


async def test_what_the_gateway_refuses_is_undeliverable(office: Office, gateway: Gateway) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    gateway.statuses = [422]
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("undeliverable")
    [row] = await office.rows(kind="confirmation")
    assert row["reason"] == "refused: 422"


async def test_an_outage_of_the_mail_server_does_not_hold_up_text_messages(
    office: Office, gateway: Gateway
) -> None:
    await office.smtp.process.stop()
    patients = await office.patients(60)
    await choose_sms(office, patients[-1])
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*(booked(patient, clock.now() + MONTH) for patient in patients))
        await office.reaches("sent")
    assert len(gateway.requests) == 1
    await office.smtp.process.start()
