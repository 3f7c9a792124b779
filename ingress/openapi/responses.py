"""Parts of the OpenAPI document that routers declare: headers, and the problems of an operation."""

from http import HTTPStatus
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from contracts.command_resource import CommandResource
from ingress.http.problems import HEADERS, MEANINGS, MEDIA_TYPE, STATUS, Code

Json = dict[str, Any]
Responses = dict[int | str, Json]

SCHEMA_PREFIX = "#/components/schemas/"


class FieldError(BaseModel):
    """An error in one field. It never contains the value."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) to the field, or a slash and the name of a parameter"
    )
    code: str
    detail: str


class ProblemBody(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    code: str = Field(description="one of `Code`, or one that a later release adds")
    detail: str
    errors: list[FieldError] = Field(
        default=[], description="with `invalid_fields`: the fields and what is wrong with each"
    )
    tries_left: int | None = Field(
        default=None, description="with `invalid_code`: how many more tries the code allows"
    )


class Write(TypedDict):
    """Arguments for the decorator of a write, beside its path and summary."""

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
    "A unique value chosen by the client, quoted or not. A request repeated with the same key and body gets "
    "the same answer and has no second effect; the same key with a different body is an error.",
    "7c4a8d09-ca37-4e1b-9f3a-5b0c2f1e6d21",
    required=True,
    pattern='^("[ -~]{1,255}"|(?!""$)[!-~]{1,255})$',
)
PREFER = header(
    "Prefer",
    "`wait=N`: respond when the command is decided, or after N seconds, at most 10 (RFC 7240).",
    "wait=10",
)
IF_NONE_MATCH = header(
    "If-None-Match", "The `ETag` of an earlier answer: 304 if it has not changed (RFC 9110).", '"0123abcd"'
)
LAST_EVENT_ID = header(
    "Last-Event-ID", "The id of the last event received: the stream continues after it.", ".".join(["0"] * 12)
)


def _response_header(description: str, example: str, **schema: Any) -> Json:
    return {
        "required": True,
        "description": description,
        "schema": {"type": "string", **schema},
        "example": example,
    }


LOCATION = _response_header("URL of the resource", "/v1/commands/AAIC3k", format="uri-reference")
RETRY_AFTER = _response_header("seconds to wait before the next request", "1", pattern="^[0-9]+$")
ETAG = _response_header("identifies this version of the answer", '"0123abcd"')
RATE_LIMIT = {
    "RateLimit": _response_header(
        "`r`: the units that are left; `t`: seconds until there are all again", '"network";r=0;t=17'
    ),
    "RateLimit-Policy": _response_header(
        "`q`: the units of everybody of this kind within `w` seconds", '"network";q=60000;w=60'
    ),
}
RESPONSE_HEADERS = {
    "Retry-After": RETRY_AFTER,
    "WWW-Authenticate": _response_header("RFC 6750", "Bearer"),
    **RATE_LIMIT,
}
PREFERENCE_APPLIED = _response_header("present if the answer waited because of `Prefer`", "wait=10") | {
    "required": False
}
REPLAYED = _response_header("present if this request is a repeated one", "true", const="true") | {
    "required": False
}


def problems(*codes: Code) -> Responses:
    """The `responses=` of an operation that can end in these problems, by status."""
    found: dict[HTTPStatus, list[Code]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(STATUS[code], []).append(code)
    return {int(status): _problem(status, of_status) for status, of_status in sorted(found.items())}


def answers(*codes: Code) -> Responses:
    """The problems of an operation for those who are logged in: these, and those that each has."""
    return open_answers(Code.UNAUTHENTICATED, *codes)


def open_answers(*codes: Code) -> Responses:
    """The problems of an operation for anyone: these, and those that each has."""
    return problems(*codes, Code.RATE_LIMITED, Code.STORE_UNAVAILABLE, Code.INTERNAL_ERROR)


BODY_PROBLEMS = (
    Code.MALFORMED_JSON,
    Code.BODY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.INVALID_FIELDS,
)
"""Problems that any body may have."""


def write(*codes: Code, body: bool = True) -> Write:
    """Arguments for the decorator of a write to the book; `codes` are its problems beside those of all."""
    location = {"Location": LOCATION}
    decided = {"Preference-Applied": PREFERENCE_APPLIED, "Idempotency-Replayed": REPLAYED}
    always = (
        Code.IDEMPOTENCY_KEY_MISSING,
        Code.IDEMPOTENCY_KEY_REUSED,
        Code.LOG_UNAVAILABLE,
        Code.BUSY,
    )
    return Write(
        response_model=CommandResource,
        status_code=202,
        responses={
            200: {
                "model": CommandResource,
                "description": "The command is decided: `confirmed`, `refused` or `failed`.",
                "headers": location | decided,
            },
            202: {
                "description": "The command is accepted and not decided yet; its status is at `Location`.",
                "headers": location | {"Retry-After": RETRY_AFTER},
            },
            **answers(*always, *(BODY_PROBLEMS if body else ()), *codes),
        },
        openapi_extra={"parameters": [IDEMPOTENCY_KEY, PREFER]},
    )


def _problem(status: HTTPStatus, codes: list[Code]) -> Json:
    names = {name: None for code in codes for name in HEADERS.get(code, ())}
    names |= dict.fromkeys(RATE_LIMIT if Code.RATE_LIMITED in codes else ())
    response: Json = {
        "description": " ".join(f"`{code}`: {MEANINGS[code]}" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"{SCHEMA_PREFIX}Problem"},
                "examples": {str(code): {"value": _example(code)} for code in codes},
            }
        },
    }
    return response | ({"headers": {name: RESPONSE_HEADERS[name] for name in names}} if names else {})


def _example(code: Code) -> Json:
    status = STATUS[code]
    shown = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": str(code),
        "detail": MEANINGS[code],
    }
    if code is Code.INVALID_FIELDS:
        error = {"pointer": "/starts_at", "code": "instant", "detail": "There is no such date and time"}
        shown["errors"] = [error]
    if code is Code.INVALID_CODE:
        shown["tries_left"] = 4
    return shown
