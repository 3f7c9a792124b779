"""A test's gateway for text messages, and patients who choose text messages."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import uvicorn
from pydantic import SecretStr

from infra.keys import Keys
from storage.patients import Patients
from tests.clinic import free_port
from tests.notify.office import Office
from tests.waiting import until

PHONE = "+4930123456"
REQUEST = '{"message": {"recipients": ["{to}"], "body": "Clinic: {text}"}, "ref": "{id}", "ttl": 60}'


class Gateway:
    """Records requests; answers with `statuses`, then 202, and with 403 for a `forbidden` number."""

    def __init__(self) -> None:
        self.port = free_port()
        self.statuses: list[int] = []
        self.forbidden: str | None = None
        self.requests: list[tuple[dict[str, str], Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, unfinished = b"", True
        while unfinished:
            part = await receive()
            body, unfinished = body + part["body"], part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = json.loads(body)
        status = self.statuses.pop(0) if self.statuses else 202
        if request["message"]["recipients"] == [self.forbidden]:
            status = 403
        self.requests.append((headers, request))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield  # they are pytest's


@contextlib.asynccontextmanager
async def running_gateway(office: Office) -> AsyncIterator[Gateway]:
    """A gateway that the office's notifiers use from then on."""
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
    """As a patient does in the profile."""
    patients = Patients(office.postgres, Keys.load(office.settings))
    await patients.change(patient_id, lambda profile: replace(profile, phone=phone, channel="sms"))
