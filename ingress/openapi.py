"""The OpenAPI document: what FastAPI finds in the routes, completed by what it cannot know.

A router says with `answers`, `open_answers` or `write` which problems an operation can end in; examples and
links are found by the names of schemas and operations (`ingress.examples`, `ingress.links`).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from contracts.command_resource import CommandResource
from infra import clock
from ingress import examples
from ingress.links import LINKS
from ingress.problems import HEADERS, MEANINGS, MEDIA_TYPE, STATUS, Code
from ingress.resources import resources

Json = dict[str, Any]
Responses = dict[int | str, Json]

SCHEMA_PREFIX = "#/components/schemas/"
ASSETS = "/docs/assets"
DESCRIPTION = """\
A clinic's appointment book. Every write to the book is a command: it is put on a log, and answered **202**
with a receipt to ask about, or, with `Prefer: wait=10`, **200** with the decision. A refusal is an answer, not
an error. Every write has an `Idempotency-Key`: repeat the request with the same key when no answer came.

Get a token with `clinic token staff` or `clinic token patient EMAIL`. The examples work on the demo data.
"""
TAGS = [
    {"name": "appointments", "description": "Book, move, cancel and read appointments."},
    {"name": "doctors", "description": "Doctors, their hours, their time off, and their free slots."},
    {"name": "commands", "description": "What became of a write."},
    {"name": "patients", "description": "The patients' directory."},
    {"name": "staff", "description": "The day at a glance, and live."},
    {"name": "operation", "description": "For operators."},
]

router = APIRouter(include_in_schema=False)


class FieldError(BaseModel):
    """What is wrong with one field; the value itself is never told."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = Field(description="a JSON pointer (RFC 6901), or a parameter's name behind a slash")
    code: str
    detail: str


class ProblemBody(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="forbid", title="Problem")

    type: str
    title: str
    status: int
    code: Code
    detail: str
    errors: list[FieldError] = Field(default=[], description="with `invalid_fields`: which, and why")


class Write(TypedDict):
    """What the decorator of a write is given, beside its path and summary."""

    response_model: type[CommandResource]
    status_code: int
    responses: Responses
    openapi_extra: Json


def header(name: str, description: str, example: str, **schema: Any) -> Json:
    """A request header, as a parameter; `required=True` and keywords of its schema in `schema`."""
    required = schema.pop("required", False)
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "The request's name, quoted or not, which you make up. Sent again with the same body it is answered the "
    "same and nothing happens twice; with another body it is refused.",
    "7c4a8d09-ca37-4e1b-9f3a-5b0c2f1e6d21",
    required=True,
    pattern='^("[ -~]{1,255}"|(?!""$)[!-~]{1,255})$',
)
PREFER = header(
    "Prefer", "`wait=N`: answer when it is decided, or after N seconds, at most 10 (RFC 7240).", "wait=10"
)
IF_NONE_MATCH = header(
    "If-None-Match", "An `ETag` that you have: 304 if it is still the answer's (RFC 9110).", '"0123abcd"'
)
LAST_EVENT_ID = header(
    "Last-Event-ID", "The id of the last event that you have: go on behind it.", ".".join(["0"] * 12)
)


def _told(description: str, example: str, **schema: Any) -> Json:
    return {
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


LOCATION = _told("where to read it", "/v1/commands/AAIC3k", format="uri-reference")
RETRY_AFTER = _told("seconds", "1", pattern="^[0-9]+$")
ETAG = _told("names this answer", '"0123abcd"')
RESPONSE_HEADERS = {"Retry-After": RETRY_AFTER, "WWW-Authenticate": _told("RFC 6750", "Bearer")}
PREFERENCE_APPLIED = _told("if `Prefer` made the answer wait", "wait=10") | {"required": False}
REPLAYED = _told("if it was decided before this request", "true", const="true") | {"required": False}


def problems(*codes: Code) -> Responses:
    """The `responses=` of an operation that can end in these problems, by status."""
    found: dict[HTTPStatus, list[Code]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(STATUS[code], []).append(code)
    return {int(status): _problem(status, some) for status, some in sorted(found.items())}


def answers(*codes: Code) -> Responses:
    """The problems of an operation for those who are logged in: these, and those that each has."""
    return open_answers(Code.UNAUTHENTICATED, *codes)


def open_answers(*codes: Code) -> Responses:
    """The problems of an operation for anyone: these, and those that each has."""
    return problems(*codes, Code.STORE_UNAVAILABLE, Code.INTERNAL_ERROR)


BODY_PROBLEMS = (
    Code.MALFORMED_JSON,
    Code.BODY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.INVALID_FIELDS,
)
"""What can be wrong with any body."""


def write(*codes: Code, body: bool = True) -> Write:
    """What the decorator of a write to the book is given: its problems are these, and those of all writes."""
    location = {"Location": LOCATION}
    decided = {"Preference-Applied": PREFERENCE_APPLIED, "Idempotency-Replayed": REPLAYED}
    always = (Code.IDEMPOTENCY_KEY_MISSING, Code.IDEMPOTENCY_KEY_REUSED, Code.LOG_UNAVAILABLE)
    return Write(
        response_model=CommandResource,
        status_code=202,
        responses={
            200: {
                "model": CommandResource,
                "description": "Decided, in time or before: `confirmed`, `refused` or `failed`.",
                "headers": location | decided,
            },
            202: {
                "description": "On the log, not decided yet: ask at `Location`.",
                "headers": location | {"Retry-After": RETRY_AFTER},
            },
            **answers(*always, *(BODY_PROBLEMS if body else ()), *codes),
        },
        openapi_extra={"parameters": [IDEMPOTENCY_KEY, PREFER]},
    )


def _problem(status: HTTPStatus, codes: list[Code]) -> Json:
    names = {name for code in codes for name in HEADERS.get(code, ())}
    only = {"properties": {"code": {"enum": [str(code) for code in codes]}, "status": {"const": int(status)}}}
    response: Json = {
        "description": " ".join(f"`{code}`: {MEANINGS[code]}" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": {"allOf": [{"$ref": f"{SCHEMA_PREFIX}Problem"}, only]},
                "examples": {str(code): {"value": examples.problem(code)} for code in codes},
            }
        },
    }
    return response | ({"headers": {name: RESPONSE_HEADERS[name] for name in names}} if names else {})


@router.get("/openapi.json")
async def get_document(request: Request) -> Response:
    """The document. Its examples are about next week, so it is made anew when the week is over."""
    zone = ZoneInfo(resources(request).settings.time_zone)
    today = clock.now().astimezone(zone).date()
    monday = today + timedelta(days=8 - today.isoweekday())
    made_for, content = getattr(request.app.state, "openapi", (None, b""))
    if made_for != monday:
        content = json.dumps(document(request.app, monday, zone)).encode()
        request.app.state.openapi = (monday, content)
    return Response(content, media_type="application/json")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """Swagger UI, from files of our own: a clinic may have no internet."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Clinic",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"docExpansion": "list", "persistAuthorization": True},
    )


def install(app: FastAPI) -> None:
    """Serve the document, and Swagger UI to read it."""
    app.include_router(router)
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))


def document(app: FastAPI, monday: date, zone: ZoneInfo) -> Json:
    """The document, with examples in the week that begins on `monday`."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components = found["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schemas = components["schemas"]
    problem = ProblemBody.model_json_schema(ref_template=SCHEMA_PREFIX + "{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        _tell_formats(schema)
    for path in found["paths"].values():
        for operation in path.values():
            _complete(operation, examples.bodies(monday, zone), examples.parameters(monday))
    return found


def _complete(operation: Json, bodies: Mapping[str, Json], parameters: Mapping[str, Any]) -> None:
    answered = operation["responses"]
    if "application/json" in answered.get("422", {}).get("content", {}):
        del answered["422"]  # FastAPI's own, which is never sent
    for media in _media([operation.get("requestBody", {}), *answered.values()]):
        shown = bodies.get(media.get("schema", {}).get("$ref", "").removeprefix(SCHEMA_PREFIX))
        if shown:
            media["examples"] = shown
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in parameters:
            parameter["example"] = parameters[parameter["name"]]
    for status in ("200", "201", "202"):
        links = LINKS.get(operation["operationId"])
        if links and status in answered:
            answered[status]["links"] = links


def _media(parts: list[Json]) -> Iterator[Json]:
    for part in parts:
        yield from part.get("content", {}).values()


def _tell_formats(schema: Json) -> None:
    """Views hold instants and dates as finished text; their names tell which is which."""
    for name, value in schema.get("properties", {}).items():
        format_ = "date-time" if name.endswith("_at") or name == "at" else "date" if name == "date" else None
        for option in (value, *value.get("anyOf", ())):
            if format_ and option.get("type") == "string":
                option["format"] = format_
