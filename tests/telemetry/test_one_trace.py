"""The trace of a booking: its spans in every service, by processes of their own."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import asyncpg
import pytest

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.settings import Settings
from tests.clinic import Clinic, ingress_process, worker_process
from tests.clinic import clinic as running_clinic
from tests.http.asking import booking
from tests.processes import service
from tests.telemetry.collector import Collector, Received, collector
from tests.waiting import until_async

INTERNAL, SERVER, PRODUCER, CONSUMER = 1, 2, 4, 5
BOOKED, REFUSED = "AppointmentBooked", "CommandRefused"
EMAIL, NAME, PHONE = "canary.lovelace@example.org", "Canary Lovelace", "+49307654321"
DOCTOR, REASON = "Dr. Quagga", "My left knee"


class Traced:
    """A clinic whose services send their spans to `collected`."""

    def __init__(self, clinic: Clinic, collected: Collector) -> None:
        self.clinic = clinic
        self.collected = collected
        self.commands = topic_name(clinic.settings, COMMANDS_TOPIC)
        self.events = topic_name(clinic.settings, EVENTS_TOPIC)

    async def kept(self, command_id: str) -> str:
        """The trace id that the trail has of a command, once it has it."""
        query = "SELECT content::jsonb ->> 'request_id' FROM audit.entries WHERE command_id = $1"

        async def there() -> bool:
            return await self.clinic.postgres.fetchval(query, command_id) is not None

        await until_async(there, "the trail has the command", 30)
        return str(await self.clinic.postgres.fetchval(query, command_id))

    async def has(self, trace_id: str, count: int) -> dict[str, Received]:
        """So many spans of a trace, by name, once they came."""

        async def came() -> bool:
            return len(self.collected.of_trace(trace_id)) >= count

        await until_async(came, f"{count} spans of the trace came", 30)
        spans = self.collected.of_trace(trace_id)
        assert len(spans) == len({span.name for span in spans}) == count
        return {span.name: span for span in spans}


@pytest.fixture(scope="module")
async def parts(
    settings: Settings, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Traced]:
    """A clinic with an ingress, a worker and an auditor that send spans."""
    directory = tmp_path_factory.mktemp("traced")
    with collector() as collected:
        async with running_clinic(settings, template, worker=False, serve=False) as clinic:
            own = clinic.settings.model_copy(update={"otlp_endpoint": collected.url})
            auditor = service("auditor", directory, own, "auditor")
            services = [ingress_process(own, directory), worker_process(own, directory), auditor]
            for process in services:
                await process.start()
            try:
                yield Traced(clinic, collected)
            finally:
                for process in services:
                    await process.stop()


async def test_a_booking_is_one_trace(parts: Traced) -> None:
    clinic = parts.clinic
    doctor = await clinic.doctor(name=DOCTOR)
    person = {"email": EMAIL, "name": NAME, "phone": PHONE}
    registered = await clinic.http.post("/v1/patients", headers=clinic.staff, json=person)
    body = booking(doctor, (await clinic.slots(doctor))[0], reason=REASON)
    body["patient_id"] = registered.json()["id"]
    response = await clinic.send("POST", "/v1/appointments", clinic.staff, body)
    command = response.json()
    trace_id = await parts.kept(command["command_id"])
    spans = await parts.has(trace_id, 6)
    [event] = await clinic.postgres.fetch(
        """
        SELECT event_id, traceparent, d.partition, "offset"
        FROM booking.events JOIN booking.decisions d USING (command_id) WHERE command_id = $1
        """,
        command["command_id"],
    )
    request = spans["POST /v1/appointments"]
    sent, processed = spans[f"send {parts.commands}"], spans[f"process {parts.commands}"]
    transaction = spans["transaction"]
    published, audited = spans[f"send {parts.events}"], spans[f"process {parts.events}"]

    assert response.headers["x-request-id"] in request.attributes["clinic.request_id"]
    assert [(span.service, span.kind) for span in (request, sent, processed, transaction)] == [
        ("ingress", SERVER),
        ("ingress", PRODUCER),
        ("worker", CONSUMER),
        ("worker", INTERNAL),
    ]
    assert [(span.service, span.kind) for span in (published, audited)] == [
        ("worker", PRODUCER),
        ("auditor", CONSUMER),
    ]
    assert request.parent_id == ""
    assert sent.parent_id == request.span_id
    # The event has the context of its command's record, which is the record's for ever.
    assert [span.parent_id for span in (processed, published, audited)] == [sent.span_id] * 3
    assert transaction.parent_id == processed.span_id
    assert not any(span.failed for span in spans.values())
    assert processed.started_ns <= transaction.started_ns < transaction.ended_ns <= processed.ended_ns
    assert request.started_ns <= sent.started_ns < processed.started_ns < audited.started_ns
    assert sent.ended_ns < request.ended_ns

    assert event["traceparent"].startswith(f"00-{trace_id}-{sent.span_id}-")
    _tells(sent, PRODUCER, parts.commands, command, event)
    _tells(processed, CONSUMER, parts.commands, command, event)
    assert processed.attributes["clinic.decision.state"] == 'string_value: "confirmed"'
    assert transaction.attributes == {"db.system.name": 'string_value: "postgresql"'}
    for span in (published, audited):
        assert span.attributes["clinic.event.type"] == f'string_value: "{BOOKED}"'
        assert str(event["event_id"]) in span.attributes["messaging.message.id"]
        assert command["command_id"] in span.attributes["clinic.command.id"]
        assert f'"{parts.events}"' in span.attributes["messaging.destination.name"]

    told = b"".join(parts.collected.bodies)
    assert [text for text in (EMAIL, NAME, PHONE, DOCTOR, REASON) if text.encode() in told] == []
    assert command["command_id"].encode() in told


def _tells(span: Received, kind: int, topic: str, command: dict[str, Any], event: asyncpg.Record) -> None:
    operation = "send" if kind == PRODUCER else "process"
    described = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(event["partition"]),
        "clinic.command.id": command["command_id"],
        "clinic.command.type": "BookAppointment",
    }
    told = {name: span.attributes[name] for name in described}
    assert told == {name: f'string_value: "{value}"' for name, value in described.items()}
    assert span.attributes["messaging.kafka.offset"] == f"int_value: {event['offset']}"


async def test_a_refusal_is_told_by_its_reason(parts: Traced) -> None:
    clinic, patient = parts.clinic, await parts.clinic.patient()
    doctor = await clinic.doctor()
    body = booking(doctor, (await clinic.slots(doctor))[0], visit_type="surgery")
    response = await clinic.send("POST", "/v1/appointments", patient.headers, body)
    command = response.json()
    spans = await parts.has(await parts.kept(command["command_id"]), 6)

    processed, published = spans[f"process {parts.commands}"], spans[f"send {parts.events}"]
    assert command["refusal"]["reason"] in processed.attributes["clinic.refusal.reason"]
    assert processed.attributes["clinic.decision.state"] == 'string_value: "refused"'
    assert not processed.failed
    assert REFUSED in published.attributes["clinic.event.type"]


async def test_a_transaction_that_fails_has_failed_spans_and_the_next_its_own(parts: Traced) -> None:
    clinic, patient = parts.clinic, await parts.clinic.patient()
    doctor = await clinic.doctor()
    body = booking(doctor, (await clinic.slots(doctor))[0])
    trace_id = clock.new_secret(16).hex()
    who = {**patient.headers, "traceparent": f"00-{trace_id}-{'7' * 16}-01"}
    attempts = partial(_named, parts.collected, trace_id, f"process {parts.commands}")

    async def failed() -> bool:
        return any(span.failed for span in attempts())

    async def succeeded() -> bool:
        return not all(span.failed for span in attempts())

    async with clinic.postgres.acquire() as owner, owner.transaction():
        # Nothing can be written to it, so that the round of all partitions takes too long.
        await owner.execute("LOCK TABLE booking.appointments IN EXCLUSIVE MODE")
        response = await clinic.send("POST", "/v1/appointments", who, body, wait=0)
        await until_async(failed, "the first attempt has failed", 30)
    assert await parts.kept(response.json()["command_id"]) == trace_id
    await until_async(succeeded, "the last attempt's span came", 30)

    *before, decided = attempts()
    transactions = _named(parts.collected, trace_id, "transaction")
    assert before
    assert all(span.failed and "clinic.decision.state" not in span.attributes for span in before)
    assert not decided.failed
    assert "confirmed" in decided.attributes["clinic.decision.state"]
    assert [span.parent_id for span in transactions] == [span.span_id for span in (*before, decided)]
    assert [span.failed for span in transactions] == [*(True for _ in before), False]


def _named(collected: Collector, trace_id: str, name: str) -> list[Received]:
    return [span for span in collected.of_trace(trace_id) if span.name == name]


async def test_what_a_client_does_not_sample_sends_nothing(parts: Traced) -> None:
    clinic, patient = parts.clinic, await parts.clinic.patient()
    doctor = await clinic.doctor()
    slots = await clinic.slots(doctor)
    trace_ids = []
    for slot, flag in ((slots[0], "00"), (slots[4], "01")):
        trace_id = clock.new_secret(16).hex()
        who = {**patient.headers, "traceparent": f"00-{trace_id}-{'7' * 16}-{flag}"}
        response = await clinic.send("POST", "/v1/appointments", who, booking(doctor, slot))
        assert await parts.kept(response.json()["command_id"]) == trace_id
        trace_ids.append(trace_id)

    unsampled, sampled = trace_ids
    await parts.has(sampled, 6)
    # Each service sends its spans in order.
    assert parts.collected.of_trace(unsampled) == []
