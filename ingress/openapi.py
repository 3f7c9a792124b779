"""What routers say to the OpenAPI document: the headers of an operation, and the problems it can end in."""

from http import HTTPStatus
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from contracts.command_resource import CommandResource
from ingress import examples
from ingress.problems import HEADERS, MEANINGS, MEDIA_TYPE, STATUS, Code

Json = dict[str, Any]
Responses = dict[int | str, Json]

SCHEMA_PREFIX = "#/components/schemas/"


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
    always = (
        *(Code.IDEMPOTENCY_KEY_MISSING, Code.IDEMPOTENCY_KEY_REUSED),
        *(Code.LOG_UNAVAILABLE, Code.BUSY),
    )
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
