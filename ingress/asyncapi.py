"""`GET /asyncapi.json`: the topics and their messages (AsyncAPI 3.0), made from the contracts."""

import json
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from contracts.commands import COMMANDS as COMMAND_MODELS
from contracts.envelope import TYPE_PREFIX, VERSION_SUFFIX
from contracts.events import FACTS
from contracts.schemas import message_schemas
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS, LOGIN_CHALLENGES, SECURITY_EVENTS, TOPICS, Topic
from infra.kafka import topic_name
from ingress.openapi import problems
from ingress.problems import Code
from ingress.resources import resources

TITLES = {
    COMMANDS: "What is asked of the appointment book, keyed by doctor. Kept for ever, LogAppendTime.",
    EVENTS: "What happened, in order and without a gap per partition, keyed like its command. Kept for ever.",
    DEAD_LETTERS: "Records that cannot be decided, as they came, with headers that say why and where from.",
    SECURITY_EVENTS: "Logins, refusals of access, staff reading patient data, exports, forgetting.",
    LOGIN_CHALLENGES: "Login challenges to mail; neither code nor address.",
}
HEADERS = {
    "ce_specversion": "always 1.0",
    "ce_id": "the command's or the event's id",
    "ce_type": "such as clinic.booking.BookAppointment.v1",
    "ce_source": "the service that wrote it",
    "ce_time": "RFC 3339",
    "ce_subject": "the appointment's id, or else the doctor's",
    "ce_sequence": "events only: counts a partition's events from 1",
    "content-type": "application/json",
    "traceparent": "W3C Trace Context, if the request had one",
}

router = APIRouter(tags=["operation"])


@router.get(
    "/asyncapi.json",
    response_model=dict[str, Any],
    summary="The topics and messages, as AsyncAPI",
    responses=problems(Code.INTERNAL_ERROR),
)
async def get_asyncapi(request: Request) -> Response:
    """For consumers of the events, and for operators."""
    settings = resources(request).settings
    addresses = tuple(topic_name(settings, topic) for topic in TOPICS)
    return Response(_document(addresses), media_type="application/json")


@cache
def _document(addresses: tuple[str, ...]) -> str:
    channels = {
        topic.name: _channel(topic, address) for topic, address in zip(TOPICS, addresses, strict=True)
    }
    return json.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Clinic", "version": "1", "description": "CloudEvents 1.0, binary mode."},
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": {
                "decide": _operation("receive", COMMANDS),
                "tell": _operation("send", EVENTS),
                "setAside": _operation("send", DEAD_LETTERS),
            },
            "components": {"messages": {name: _message(name, schema) for name, schema in _schemas()}},
        }
    )


def _schemas() -> list[tuple[str, dict[str, Any]]]:
    return [(file_name.partition(".")[0], schema) for file_name, schema in message_schemas().items()]


def _channel(topic: Topic, address: str) -> dict[str, Any]:
    names = {COMMANDS: COMMAND_MODELS, EVENTS: FACTS}.get(topic, ())
    return {
        "address": address,
        "title": topic.name,
        "description": TITLES[topic],
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in names},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention_ms},
            }
        },
    }


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name.replace('/', '~1')}"}}


def _message(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{TYPE_PREFIX}{name}{VERSION_SUFFIX}",
        "headers": {
            "type": "object",
            "properties": {
                header: {"type": "string", "description": text} for header, text in HEADERS.items()
            },
        },
        "payload": schema,
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}}},
    }
