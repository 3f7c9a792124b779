"""The AsyncAPI document: it has every topic and every message, and real records validate against it."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from contracts.commands import COMMAND_TYPES
from contracts.events import FACT_TYPES
from contracts.security import SECURITY_TYPES
from contracts.topics import (
    COMMANDS_TOPIC,
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    SECURITY_EVENTS_TOPIC,
    TOPICS,
    Topic,
)
from infra import clock
from infra.kafka.connection import topic_name
from tests.clinic import Clinic, data, records
from tests.contract_documents.documents import Schemas, references, resolved
from tests.waiting import until_async


@pytest.fixture(scope="module")
async def asyncapi(demo: Clinic) -> Any:
    return (await demo.http.get("/asyncapi.json")).json()


def test_every_reference_resolves(asyncapi: Any) -> None:
    found = list(references(asyncapi))
    assert found
    for reference in found:
        resolved(asyncapi, reference)


def test_every_topic_is_a_channel_with_its_name_on_the_broker(demo: Clinic, asyncapi: Any) -> None:
    channels = asyncapi["channels"]
    assert list(channels) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        assert channels[topic.name]["address"] == topic_name(demo.settings, topic)
        assert channels[topic.name]["bindings"]["kafka"]["partitions"] == topic.partitions
        assert channels[topic.name]["description"]


def test_every_message_is_on_its_topic(asyncapi: Any) -> None:
    channels = asyncapi["channels"]
    assert list(channels[COMMANDS_TOPIC.name]["messages"]) == [model.__name__ for model in COMMAND_TYPES]
    assert list(channels[EVENTS_TOPIC.name]["messages"]) == [model.__name__ for model in FACT_TYPES]
    assert list(channels[SECURITY_EVENTS_TOPIC.name]["messages"]) == [
        model.__name__ for model in SECURITY_TYPES
    ]
    assert list(channels[DEAD_LETTERS_TOPIC.name]["messages"]) == ["DeadLetter"]
    named = {name for channel in channels.values() for name in channel["messages"]}
    assert named == set(asyncapi["components"]["messages"])


def test_every_payload_and_every_shared_schema_is_a_json_schema(asyncapi: Any) -> None:
    schemas = Schemas(asyncapi)
    for message in asyncapi["components"]["messages"].values():
        # A schema that does not compile raises; only the dead letter's payload may be anything.
        assert bool(schemas.errors(message["payload"], None)) is (message["payload"] != {})
        assert schemas.errors(message["headers"], {})
    for schema in asyncapi["components"]["schemas"].values():
        schemas.errors(schema, None)


@pytest.mark.parametrize("topic", [COMMANDS_TOPIC, EVENTS_TOPIC], ids=["commands", "events"])
async def test_records_on_the_topic_validate_against_the_document(
    demo: Clinic, asyncapi: Any, topic: Topic
) -> None:
    found = await records(demo.settings, topic)
    assert len(found) >= 250  # the demo's
    as_the_document_says(asyncapi, found)


async def test_security_events_validate_against_the_document(demo: Clinic, asyncapi: Any) -> None:
    patient = await demo.patient()
    for path, who in (
        (f"/v1/patients/{patient.id}", demo.staff),
        ("/v1/patients?email=ada@example.org", demo.staff),
        ("/v1/audit?from=2026-03-05", demo.staff),
        ("/v1/audit", patient.headers),
        ("/v1/me", {"Authorization": "Bearer forged"}),
    ):
        await demo.http.get(path, headers=who)
    await demo.http.patch("/v1/me", headers=patient.headers, json={"name": "Ada"})
    await demo.http.delete("/v1/me", headers=patient.headers)
    body = {"email": f"{clock.new_id().hex}@example.org"}
    await demo.http.post("/v1/patients", headers=demo.staff, json=body)

    async def all_there() -> bool:
        found = await records(demo.settings, SECURITY_EVENTS_TOPIC)
        as_the_document_says(asyncapi, found)
        types = {dict(record.headers)["ce_type"].decode().split(".")[2] for record in found}
        return types >= {
            "PatientRead",
            "PatientsSearched",
            "AuditExported",
            "AccessRefused",
            "PatientRegistered",
            "PatientChanged",
            "PatientForgotten",
        }

    await until_async(all_there, "an event of each type", 30)


def as_the_document_says(asyncapi: Any, found: Sequence[ConsumerRecord]) -> None:
    schemas = Schemas(asyncapi)
    by_type = {
        message["name"]: message
        for message in asyncapi["components"]["messages"].values()
        if "name" in message
    }
    for record in found:
        headers = {name: value.decode() for name, value in record.headers}
        message = by_type[headers["ce_type"]]
        assert schemas.errors(message["headers"], headers) == []
        assert schemas.errors(message["payload"], data(record)) == []
        assert schemas.errors(message["bindings"]["kafka"]["key"], record.key.decode()) == []
