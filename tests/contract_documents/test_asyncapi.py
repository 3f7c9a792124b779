"""The AsyncAPI document: every topic, every message, and what really is on the topics is as it says."""

from typing import Any

import pytest

from contracts.commands import COMMANDS as COMMAND_MODELS
from contracts.events import FACTS
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS, TOPICS, Topic
from infra.kafka import topic_name
from tests.clinic import Clinic, data, records
from tests.contract_documents.documents import Schemas, references, resolved


@pytest.fixture(scope="module")
async def asyncapi(demo: Clinic) -> Any:
    return (await demo.http.get("/asyncapi.json")).json()


def test_every_reference_resolves(asyncapi: Any) -> None:
    found = list(references(asyncapi))
    assert found
    for reference in found:
        resolved(asyncapi, reference)


def test_every_topic_is_a_channel_by_the_name_it_has_on_the_broker(demo: Clinic, asyncapi: Any) -> None:
    channels = asyncapi["channels"]
    assert list(channels) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        assert channels[topic.name]["address"] == topic_name(demo.settings, topic)
        assert channels[topic.name]["bindings"]["kafka"]["partitions"] == topic.partitions
        assert channels[topic.name]["description"]


def test_every_message_is_on_its_topic(asyncapi: Any) -> None:
    channels = asyncapi["channels"]
    assert list(channels[COMMANDS.name]["messages"]) == [model.__name__ for model in COMMAND_MODELS]
    assert list(channels[EVENTS.name]["messages"]) == [model.__name__ for model in FACTS]
    assert list(channels[DEAD_LETTERS.name]["messages"]) == ["DeadLetter"]
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


@pytest.mark.parametrize("topic", [COMMANDS, EVENTS], ids=["commands", "events"])
async def test_what_is_on_the_topic_is_as_the_document_says(
    demo: Clinic, asyncapi: Any, topic: Topic
) -> None:
    schemas = Schemas(asyncapi)
    by_type = {
        message["name"]: message
        for message in asyncapi["components"]["messages"].values()
        if "name" in message
    }
    found = await records(demo.settings, topic)
    assert len(found) >= 250  # the demo's
    for record in found:
        headers = {name: value.decode() for name, value in record.headers}
        message = by_type[headers["ce_type"]]
        assert schemas.errors(message["headers"], headers) == []
        assert schemas.errors(message["payload"], data(record)) == []
        assert schemas.errors(message["bindings"]["kafka"]["key"], record.key.decode()) == []
