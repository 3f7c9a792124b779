"""Good input for each target, to begin with: random bytes rarely get past a parser's first check."""

import json
from typing import Any

from contracts import cloudevents
from contracts.decision import pack_wake_up
from contracts.events import encode_data
from infra.crypto.sealing import to_base64url
from ingress.audit.scan import Filters, Walk
from ingress.http.parameters import cursor_after
from ops.documents.api import openapi, operations
from tests.authenticator import Authenticator
from tests.fuzzing.targets import CLINIC
from tests.unit.contracts.examples import (
    APPOINTMENT,
    COMMAND_EXAMPLES,
    COMMAND_ID,
    EVENT_ID,
    FACT_EXAMPLES,
    NOW,
    context,
)
from tests.unit.contracts.security_examples import SECURITY_EXAMPLES
from tests.unit.infra.crypto.crafted_tokens import HEADER, claims
from tests.unit.infra.crypto.test_receipts import RECEIPT

HOST = b"Host: clinic.example\r\n"
HEADS = [
    b"GET /v1/doctors?limit=5 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD /v1/doctors HTTP/1.0\r\n\r\n",
    b"POST /v1/appointments HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n"
    + HOST
    + b"\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}",
    b"PUT /%41%zz HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nA: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
]
HEADER_VALUES = [
    b'"key"\nwait=5, respond-async\nsame-origin\nhttps://clinic.example\nclinic.example\n__Host-clinic_refresh=x',
    b'de-DE,de;q=0.9,en;q=0.8\ngzip, br;q=0.0, *\nW/"tag", "other"\n0.0.0.0.0.0.0.0.0.0.0.0',
]
ADDRESSES = ["ada@example.org", "Ä.da+x@bücher.example", "a!#$%&'*+/=?^`{|}~-@xn--bcher-kva.example"]


def json_bodies() -> dict[str, Any]:
    """An example of each JSON body, by the id of its operation."""
    media = {
        operation["operationId"]: operation["requestBody"]["content"]["application/json"]
        for _, _, operation in operations(openapi())
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    return {id_: next(iter(body["examples"].values()))["value"] for id_, body in media.items()}


def _messages() -> list[bytes]:
    commands = [
        (
            cloudevents.command_headers(command, NOW),
            cloudevents.command_key(command),
            command.model_dump_json(),
        )
        for command in COMMAND_EXAMPLES
    ]
    facts = [
        (
            cloudevents.event_headers(EVENT_ID, type(fact).__name__, NOW, str(APPOINTMENT), 3, 7, None),
            b"",
            encode_data(context.model_dump_json(), fact),
        )
        for fact in FACT_EXAMPLES
    ]
    security = [
        (cloudevents.security_headers(event), cloudevents.security_key(event), event.model_dump_json())
        for event in SECURITY_EXAMPLES
    ]
    found = []
    for headers, key, value in [*commands, *facts, *security]:
        by_name = dict(headers)
        parts = [by_name["ce_type"], key, by_name["ce_id"], by_name.get("ce_sequence", b""), value.encode()]
        found.append(b"\0".join(parts))
    return found


def _passkey() -> bytes:
    options = CLINIC.registration_options(bytes(range(32)), bytes(32), "ada@example.org", None, [])
    made = Authenticator(CLINIC.origin).create(options)
    response = made["response"]
    return "\0\0".join((response["clientDataJSON"], response["attestationObject"], made["id"])).encode()


SAMPLES: dict[str, list[bytes]] = {
    "head": HEADS,
    "token": [b"\0".join(json.dumps(part).encode() for part in (HEADER, claims()))],
    "receipt": [RECEIPT.to_bytes() + bytes(16)],
    "cursor": [
        cursor_after(["2026-12-01T09:00:00Z", str(APPOINTMENT)]).encode(),
        Walk.begin(Filters(action=None)).cursor().encode(),
    ],
    "message": _messages(),
    "calendar_link": [to_base64url(bytes(32)).encode()],
    "wake_up": [pack_wake_up([COMMAND_ID, APPOINTMENT])],
    "address": [text.encode() for text in ADDRESSES],
    "headers": HEADER_VALUES,
    "body": [json.dumps(body).encode() for body in json_bodies().values()],
    "passkey": [_passkey()],
}
