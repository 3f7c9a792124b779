"""Errors as `application/problem+json` (RFC 9457), each with a stable `code`. None echoes a value."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from infra.errors import LogUnavailableError, TransientError
from infra.postgres import OUTAGES, is_outage
from infra.tokens import RECENT

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"
ERRORS_MAX = 20
"""A body with thousands of mistakes is told of the first: an answer must not be longer than its request."""
# Begins the names of a body's alternatives, which are no part of a pointer into it.
ALTERNATIVE = "alternative: "

_log = structlog.get_logger(__name__)


class Code(StrEnum):
    """The kind of error, for programs. Clients rely on the names."""

    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    MALFORMED_JSON = "malformed_json"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_CODE = "invalid_code"
    STEP_UP_REQUIRED = "step_up_required"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_FIELDS = "invalid_fields"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    UNKNOWN_PATIENT = "unknown_patient"
    ADDRESS_TAKEN = "address_taken"
    TOO_MANY_PASSKEYS = "too_many_passkeys"
    LOG_UNAVAILABLE = "log_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    MALFORMED_REQUEST = "malformed_request"
    REQUEST_TIMEOUT = "request_timeout"
    HEADERS_TOO_LARGE = "headers_too_large"


# RFC 9470, section 3
STEP_UP = f'Bearer error="insufficient_user_authentication", max_age="{RECENT.seconds}"'
UNAVAILABLE = (Code.LOG_UNAVAILABLE, Code.STORE_UNAVAILABLE, Code.BUSY)
STATUS = {
    Code.IDEMPOTENCY_KEY_MISSING: HTTPStatus.BAD_REQUEST,
    Code.MALFORMED_JSON: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.INVALID_CODE: HTTPStatus.UNAUTHORIZED,
    Code.STEP_UP_REQUIRED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.INVALID_FIELDS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNKNOWN_PATIENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    **dict.fromkeys((Code.ADDRESS_TAKEN, Code.TOO_MANY_PASSKEYS), HTTPStatus.CONFLICT),
    **dict.fromkeys(UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE),
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.REQUEST_TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    Code.HEADERS_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}
MEANINGS = {
    Code.IDEMPOTENCY_KEY_MISSING: "One Idempotency-Key of 1 to 255 visible ASCII characters is required.",
    Code.MALFORMED_JSON: "The body is not JSON (RFC 8259), or has a duplicate key.",
    Code.UNAUTHENTICATED: "A valid access token is required.",
    Code.INVALID_CODE: "A part of the login is wrong, used or too old; `tries_left`: how often to try again.",
    Code.STEP_UP_REQUIRED: "This needs a login of the last 5 minutes: please log in again.",
    Code.FORBIDDEN: "The caller is not allowed to do this.",
    Code.NOT_FOUND: "Not found, or not visible to the caller.",
    Code.METHOD_NOT_ALLOWED: "Method not allowed.",
    Code.BODY_TOO_LARGE: "The body is too large.",
    Code.UNSUPPORTED_MEDIA_TYPE: "The body must be application/json.",
    Code.INVALID_FIELDS: "Some fields are not valid; `errors` says which and why.",
    Code.IDEMPOTENCY_KEY_REUSED: "The Idempotency-Key was used for a different request.",
    Code.UNKNOWN_PATIENT: "Unknown patient.",
    Code.ADDRESS_TAKEN: "This email address belongs to another patient.",
    Code.TOO_MANY_PASSKEYS: "There are too many passkeys: one has to be removed first.",
    Code.LOG_UNAVAILABLE: "The event log did not answer in time. Please retry; a write with the same key.",
    Code.STORE_UNAVAILABLE: "A required service is temporarily unavailable; please retry.",
    Code.BUSY: "The booking queue is overloaded. Retry later with the same key.",
    Code.RATE_LIMITED: "Too many requests; please retry after the time in Retry-After.",
    Code.INTERNAL_ERROR: "Internal error.",
    Code.MALFORMED_REQUEST: "The request is not HTTP/1.1, or does not have exactly one valid Host header.",
    Code.REQUEST_TIMEOUT: "The rest of the request did not arrive in time; the connection is closed.",
    Code.HEADERS_TOO_LARGE: "The request target and headers are too large, or too many.",
}
"""The meaning of each code, for the documentation; the `detail` of an answer may be more specific."""

HEADERS = {
    **{code: {"WWW-Authenticate": "Bearer"} for code in (Code.UNAUTHENTICATED, Code.INVALID_CODE)},
    Code.STEP_UP_REQUIRED: {"WWW-Authenticate": STEP_UP},
    **{code: {"Retry-After": RETRY_AFTER_S} for code in (*UNAVAILABLE, Code.RATE_LIMITED)},
}


class Problem(HTTPException):
    """An answer that is an error. `errors` are items with `pointer` (RFC 6901), `code` and `detail`.

    `members` are further fields of the answer (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        code: Code,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(STATUS[code], detail, HEADERS.get(code, {}) | dict(headers or {}))
        self.code = code
        self.errors = errors
        self.members = members or {}


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """The problem with one field."""
    return Problem(
        Code.INVALID_FIELDS, "A field is not valid.", [{"pointer": pointer, "code": code, "detail": detail}]
    )


def not_found() -> Problem:
    """Not found, or not visible to the caller."""
    return Problem(Code.NOT_FOUND, "Not found.")


class ForeignProblem(Problem):
    """404 for something that belongs to another patient; the client cannot tell it from `not_found`."""

    def __init__(self, appointment_id: UUID | None = None) -> None:
        problem = not_found()
        super().__init__(problem.code, problem.detail)
        self.appointment_id = appointment_id


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    handlers: dict[type[Exception], Any] = {
        RequestValidationError: _invalid_fields,
        HTTPException: _http_exception,
        LogUnavailableError: _log_unavailable,
        TransientError: _store_unavailable,
        **dict.fromkeys((*OUTAGES, asyncpg.InterfaceError), _outage),
        Exception: internal_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def answer(problem: Problem) -> Response:
    """The response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status_code).phrase,
        "status": problem.status_code,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = problem.errors
    body |= problem.members
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    return Response(json.dumps(body), problem.status_code, headers, MEDIA_TYPE)


async def _invalid_fields(request: Request, error: RequestValidationError) -> Response:
    found = [(_pointer(item["loc"]), item) for item in error.errors()]
    errors = [
        {"pointer": pointer, "code": item["type"], "detail": item["msg"]}
        for pointer, item in found
        # For a list with invalid items pydantic also reports that it is too short.
        if item["type"] != "too_short" or not any(other.startswith(f"{pointer}/") for other, _ in found)
    ]
    detail = "Some fields are not valid."
    if len(errors) > ERRORS_MAX:
        detail = f"{len(errors)} fields are not valid; the first {ERRORS_MAX} are listed."
    return answer(Problem(Code.INVALID_FIELDS, detail, errors[:ERRORS_MAX]))


def _pointer(loc: Sequence[str | int]) -> str:
    # The first part is where the field is: body, query, path or header.
    parts = [str(part) for part in loc[1:] if not str(part).startswith(ALTERNATIVE)]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


async def _http_exception(request: Request, error: HTTPException) -> Response:
    if isinstance(error, Problem):
        return answer(error)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = Problem(Code.METHOD_NOT_ALLOWED, "Method not allowed.")
        problem.headers = {"Allow": ", ".join(_methods(request))}
        return answer(problem)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(not_found())
    return answer(Problem(Code.MALFORMED_JSON, "The request is malformed."))


def _methods(request: Request) -> Iterator[str]:
    # Starlette names those of the first route with this path; RFC 9110, section 15.5.6, requires all.
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method
            if method == "GET":
                yield "HEAD"


async def _log_unavailable(request: Request, error: LogUnavailableError) -> Response:
    return answer(Problem(Code.LOG_UNAVAILABLE, MEANINGS[Code.LOG_UNAVAILABLE]))


async def _store_unavailable(request: Request, error: Exception) -> Response:
    return answer(
        Problem(Code.STORE_UNAVAILABLE, "A required service is temporarily unavailable; please retry.")
    )


async def _outage(request: Request, error: Exception) -> Response:
    if not is_outage(error):
        raise error
    _log.warning("postgres is unavailable", error=repr(error))
    return await _store_unavailable(request, error)


async def internal_error(request: Request, error: Exception) -> Response:
    """The answer to a bug, which tells nothing about it."""
    return answer(Problem(Code.INTERNAL_ERROR, "Internal error."))
