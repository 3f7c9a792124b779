"""`GET /asyncapi.json`: the topics and their messages (AsyncAPI 3.0), made from the contracts."""

import json
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from contracts.commands import COMMAND_TYPES
from contracts.events import FACT_TYPES
from contracts.schemas import message_schemas
from contracts.security import NOBODY, SECURITY_TYPES
from contracts.topics import (
    COMMANDS_TOPIC,
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    LOGIN_CHALLENGES_TOPIC,
    SECURITY_EVENTS_TOPIC,
    TOPICS,
    Topic,
)
from infra.kafka.connection import topic_name
from ingress.http.problems import Code
from ingress.openapi.responses import problems
from ingress.resources import resources

TITLES = {
    COMMANDS_TOPIC: "Commands to the appointment book, keyed by doctor. Kept forever, LogAppendTime.",
    EVENTS_TOPIC: "Events, in order and gapless per partition, with the key of their command. Kept forever.",
    DEAD_LETTERS_TOPIC: "Records that cannot be processed, unchanged, with headers for reason and origin.",
    SECURITY_EVENTS_TOPIC: "Logins, refused access, patient data read or changed, exports, erasures.",
    LOGIN_CHALLENGES_TOPIC: "Login challenges to mail; neither code nor address.",
}
ATTRIBUTES = {
    "ce_specversion": "always 1.0",
    "ce_id": "the command's or the event's id",
    "ce_type": "the name and version of the message",
    "ce_source": "the service that wrote it; of a booking event, with the partition",
    "ce_time": "RFC 3339",
    "ce_subject": "the appointment's or the patient's id, or else the doctor's or the principal",
    "content-type": "application/json",
}
SEQUENCE = {"ce_sequence": "counts a partition's events from 1, without a gap; zero-padded in newer events"}
MAC = {"ce_mac": "shows that a worker wrote it: HMAC-SHA-256, 32 hex digits; older events have none"}
TRACEPARENT = {"traceparent": "W3C Trace Context of the request: its own, or one made for it"}
DEAD_LETTER = "DeadLetter"
DEAD_LETTER_HEADERS = {
    "dlq_reason": "why: a code",
    "dlq_detail": "why: where and what kind; never a value",
    "dlq_topic": "where it came from",
    "dlq_topic_id": "the id that Kafka gave to that topic",
    "dlq_partition": "where it came from",
    "dlq_offset": "where it came from",
}
KEY = {"kafka": {"key": {"type": "string", "format": "uuid", "description": "the doctor's id"}}}
PRINCIPAL = {
    "kafka": {
        "key": {
            "type": "string",
            "pattern": f"^({NOBODY}|(patient|staff|system):[0-9a-f-]{{36}})$",
            "description": f"who acted: kind and id, or `{NOBODY}` where nobody is known",
        }
    }
}
SCHEMAS = "#/components/schemas/"

Json = dict[str, Any]

router = APIRouter(tags=["operation"])


@router.get(
    "/asyncapi.json",
    operation_id="get_asyncapi",  # which makes the title of its schema, too
    response_model=dict[str, Any],
    summary="Topics and messages (AsyncAPI)",
    responses=problems(Code.RATE_LIMITED, Code.INTERNAL_ERROR),
)
async def get_asyncapi(request: Request) -> Response:
    """For consumers of the events, and for operators."""
    settings = resources(request).settings
    addresses = tuple(topic_name(settings, topic) for topic in TOPICS)
    return Response(_document(addresses), media_type="application/json")


@cache
def _document(addresses: tuple[str, ...]) -> str:
    messages, schemas = _messages()
    return json.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Clinic", "version": "1", "description": "CloudEvents 1.0, binary mode."},
            "defaultContentType": "application/json",
            "channels": {
                topic.name: _channel(topic, address) for topic, address in zip(TOPICS, addresses, strict=True)
            },
            "operations": {
                "ask": _operation("send", COMMANDS_TOPIC),
                "decide": _operation("receive", COMMANDS_TOPIC),
                "tell": _operation("send", EVENTS_TOPIC),
                "setAside": _operation("send", DEAD_LETTERS_TOPIC),
                "record": _operation("send", SECURITY_EVENTS_TOPIC),
                "keep": _operation("receive", SECURITY_EVENTS_TOPIC),
            },
            "components": {"messages": messages, "schemas": schemas},
        }
    )


def _messages() -> tuple[dict[str, Json], dict[str, Json]]:
    """Every message, and the schemas that their payloads share."""
    events = {model.__name__ for model in FACT_TYPES}
    security = {model.__name__ for model in SECURITY_TYPES}
    messages: dict[str, Json] = {
        DEAD_LETTER: {
            "title": "A record as it came, with headers that say why it is here",
            "headers": _headers(DEAD_LETTER_HEADERS, {}),
            "payload": {},
            "bindings": {"kafka": {}},
        }
    }
    shared: dict[str, Json] = {}
    for file_name, schema in message_schemas().items():
        name = file_name.partition(".")[0]
        # In a document of its own `#/$defs/…` is the schema's; here it would be this document's.
        payload = json.loads(json.dumps(schema).replace("#/$defs/", SCHEMAS))
        del payload["$schema"]
        for part_name, part in payload.pop("$defs", {}).items():
            assert shared.setdefault(part_name, part) == part, f"two messages mean different {part_name}"
        sequence = SEQUENCE if name in events else {}
        messages[name] = {
            "name": schema["title"],
            "summary": schema["description"],
            "headers": _headers(ATTRIBUTES | sequence, TRACEPARENT | (MAC if name in events else {})),
            "payload": payload,
            "bindings": PRINCIPAL if name in security else KEY,
        }
    return messages, shared


def _headers(required: dict[str, str], optional: dict[str, str]) -> Json:
    headers = {name: {"type": "string", "description": text} for name, text in (required | optional).items()}
    return {"type": "object", "required": list(required), "properties": headers}


def _channel(topic: Topic, address: str) -> Json:
    models = {
        COMMANDS_TOPIC: COMMAND_TYPES,
        EVENTS_TOPIC: FACT_TYPES,
        SECURITY_EVENTS_TOPIC: SECURITY_TYPES,
    }.get(topic, ())
    names = [DEAD_LETTER] if topic == DEAD_LETTERS_TOPIC else [model.__name__ for model in models]
    return {
        "address": address,
        "title": topic.name,
        "description": TITLES[topic],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention_ms},
            }
        },
    }


def _operation(action: str, topic: Topic) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}
