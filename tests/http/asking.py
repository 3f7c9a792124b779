"""Requests and checks that the tests over HTTP share."""

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx

from contracts.commands import Command
from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.keys import Keys
from ingress.commands.backpressure import Backlog
from ingress.commands.command_log import CommandLog
from ingress.commands.known_positions import KnownPositions
from ingress.http.problems import Code
from tests.clinic import Clinic, Patient

JSON = "application/json"
TELLING_LENGTH = 4
RESOURCE = [
    "command_id", "type", "state", "submitted_at", "decided_at", "queue_ahead",
    "appointment_id", "doctor_id", "time_off_id", "refusal", "links", "receipt",
]  # fmt: skip
"""The fields of a command resource, in order."""


def problem(response: httpx.Response, status: int, code: str) -> list[dict[str, str]]:
    """Asserts that the answer is this problem (RFC 9457); returns its `errors`."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert list(body)[:5] == ["type", "title", "status", "code", "detail"]
    assert (body["status"], body["code"]) == (status, code), response.text
    assert body["code"] in set(Code)
    assert body["title"]
    assert body["detail"]
    errors: list[dict[str, str]] = body.get("errors", [])
    assert all(list(error) == ["pointer", "code", "detail"] for error in errors)
    assert all(error["code"] and error["detail"] for error in errors)
    return errors


def pointers(response: httpx.Response) -> list[str]:
    """Asserts that the answer is 422 `invalid_fields`; returns the pointers to the fields."""
    return [error["pointer"] for error in problem(response, 422, "invalid_fields")]


def echoed(response: httpx.Response, sent: Any) -> list[str]:
    """The values of a JSON body that the answer repeats, of those long enough not to be there by chance."""
    return [value for value in _values(sent) if len(value) >= TELLING_LENGTH and value in response.text]


def _values(sent: Any) -> Iterator[str]:
    if isinstance(sent, dict):
        sent = list(sent.values())
    if isinstance(sent, list | tuple):
        for value in sent:
            yield from _values(value)
    elif sent is not None and not isinstance(sent, bool):
        yield str(sent)


def booking(doctor_id: str, starts_at: str, **fields: Any) -> dict[str, Any]:
    """The body of a booking."""
    return {"doctor_id": doctor_id, "starts_at": starts_at, "visit_type": "checkup", **fields}


async def post_booking(
    clinic: Clinic, who: dict[str, str], content: Any, media_type: str | None = JSON
) -> httpx.Response:
    """A booking with these bytes as its body."""
    headers = {**who, "Idempotency-Key": "key"} | ({"Content-Type": media_type} if media_type else {})
    return await clinic.http.post("/v1/appointments", headers=headers, content=content)


async def book(
    clinic: Clinic, patient: Patient, body: dict[str, Any], key: str | None = None, wait: int = 10
) -> httpx.Response:
    """A patient's booking."""
    return await clinic.send("POST", "/v1/appointments", patient.headers, body, key, wait)


async def cancel(clinic: Clinic, path: str, who: dict[str, str], **query: str) -> dict[str, Any]:
    """Cancel, which has to be confirmed: the command resource."""
    return await clinic.confirmed("DELETE", str(httpx.URL(path, params=query)), who)


async def get(http: httpx.AsyncClient, path: str, who: dict[str, str] | None = None, **query: Any) -> Any:
    """Read, which has to succeed: the JSON. `from_` is the query parameter `from`."""
    params = {name.rstrip("_"): value for name, value in query.items() if value is not None}
    response = await http.get(path, headers=who, params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def booked(clinic: Clinic, who: dict[str, str], doctor_id: str, starts_at: str, **fields: Any) -> str:
    """Book, which has to be confirmed: the appointment's path."""
    body = booking(doctor_id, starts_at, **fields)
    return str((await clinic.confirmed("POST", "/v1/appointments", who, body))["links"]["appointment"])


async def reschedule(clinic: Clinic, path: str, who: dict[str, str], starts_at: str, **fields: Any) -> Any:
    """Reschedule, which has to be confirmed: the command resource."""
    body = {"starts_at": starts_at, **fields}
    return await clinic.confirmed("POST", f"{path}/reschedule", who, body)


async def into_the_past(clinic: Clinic, path: str, days: int = 10) -> None:
    """Shift an appointment so many days back."""
    await clinic.postgres.execute(
        """
        UPDATE booking.appointments
        SET starts_at = starts_at - $2::interval, ends_at = ends_at - $2::interval,
            occupied = tstzrange(lower(occupied) - $2::interval, upper(occupied) - $2::interval)
        WHERE id = $1
        """,
        path.rpartition("/")[2],
        timedelta(days=days),
    )


async def events_of(clinic: Clinic, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of an appointment's events, by version."""
    rows = await clinic.postgres.fetch(
        "SELECT type, data FROM booking.events WHERE subject = $1", path.rpartition("/")[2]
    )
    found = [(row["type"], json.loads(row["data"])) for row in rows]
    return sorted(found, key=lambda event: event[1].get("version", 0))


async def appended(clinic: Clinic, command: Command, who: dict[str, str]) -> Any:
    """Append a command to the log without the ingress: its resource once it is decided."""
    producer = await start_producer(clinic.settings, "past-the-ingress")
    topic = topic_name(clinic.settings, COMMANDS_TOPIC)
    never_busy = Backlog(clinic.postgres, KnownPositions(topic), math.inf)
    failures: list[Exception] = []
    log = CommandLog(producer, topic, clinic.settings.kafka_ack_timeout_ms, never_busy, failures.append)
    receipt = await log.append(command, None)
    await producer.stop()
    signed = Keys.load(clinic.settings).sign_receipt(receipt)
    return await get(clinic.http, f"/v1/commands/{signed}", who, wait=10)


async def try_to_reschedule(
    clinic: Clinic, path: str, who: dict[str, str], starts_at: str, **fields: Any
) -> Any:
    """Reschedule, confirmed or not: the command resource."""
    response = await clinic.send("POST", f"{path}/reschedule", who, {"starts_at": starts_at, **fields})
    assert response.status_code == 200, response.text
    return response.json()
