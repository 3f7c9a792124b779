"""Errors as `application/problem+json` (RFC 9457), each with a stable `code`. None ever echoes a value."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from infra.errors import LogUnavailableError, TransientError
from infra.postgres import OUTAGES, is_outage

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"

_log = structlog.get_logger(__name__)


class Code(StrEnum):
    """What went wrong, for machines. Clients rely on the names."""

    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    MALFORMED_JSON = "malformed_json"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_FIELDS = "invalid_fields"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    UNKNOWN_PATIENT = "unknown_patient"
    ADDRESS_TAKEN = "address_taken"
    LOG_UNAVAILABLE = "log_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    BUSY = "busy"
    INTERNAL_ERROR = "internal_error"


STATUS = {
    Code.IDEMPOTENCY_KEY_MISSING: HTTPStatus.BAD_REQUEST,
    Code.MALFORMED_JSON: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.INVALID_FIELDS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNKNOWN_PATIENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.ADDRESS_TAKEN: HTTPStatus.CONFLICT,
    Code.LOG_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
MEANINGS = {
    Code.IDEMPOTENCY_KEY_MISSING: "One Idempotency-Key of 1 to 255 visible ASCII characters is needed.",
    Code.MALFORMED_JSON: "The body is not JSON (RFC 8259), or names a field twice.",
    Code.UNAUTHENTICATED: "A valid access token is needed.",
    Code.FORBIDDEN: "The caller may not do this.",
    Code.NOT_FOUND: "There is no such thing, or none that the caller may know of.",
    Code.METHOD_NOT_ALLOWED: "This method is not for this path.",
    Code.BODY_TOO_LARGE: "The body is too large.",
    Code.UNSUPPORTED_MEDIA_TYPE: "The body has to be application/json.",
    Code.INVALID_FIELDS: "Some fields are not valid; `errors` tells which, and why.",
    Code.IDEMPOTENCY_KEY_REUSED: "The Idempotency-Key was used for another request.",
    Code.UNKNOWN_PATIENT: "There is no such patient.",
    Code.ADDRESS_TAKEN: "This mail address belongs to another patient.",
    Code.LOG_UNAVAILABLE: "The log did not answer in time. Repeat the request, a write with the same key.",
    Code.STORE_UNAVAILABLE: "A part of the clinic is away. Try again.",
    Code.BUSY: "Too much waits to be decided. Repeat the request later, with the same key.",
    Code.INTERNAL_ERROR: "That should not have happened.",
}
"""What each code says, for the documentation; an answer's `detail` may be more exact."""

HEADERS = {
    Code.UNAUTHENTICATED: {"WWW-Authenticate": "Bearer"},
    Code.LOG_UNAVAILABLE: {"Retry-After": RETRY_AFTER_S},
    Code.STORE_UNAVAILABLE: {"Retry-After": RETRY_AFTER_S},
    Code.BUSY: {"Retry-After": RETRY_AFTER_S},
}


class Problem(HTTPException):
    """An answer that is an error. `errors` are items with `pointer` (RFC 6901), `code` and `detail`."""

    def __init__(
        self,
        code: Code,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(STATUS[code], detail, HEADERS.get(code, {}) | dict(headers or {}))
        self.code = code
        self.errors = errors


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """The problem with one field."""
    return Problem(
        Code.INVALID_FIELDS, "A field is not valid.", [{"pointer": pointer, "code": code, "detail": detail}]
    )


def not_found() -> Problem:
    """Nothing there, or nothing that the caller may know of."""
    return Problem(Code.NOT_FOUND, "There is no such thing here.")


class ForeignProblem(Problem):
    """404 for what is there and is another patient's: to the client the same as `not_found`."""

    def __init__(self, appointment_id: UUID | None = None) -> None:
        problem = not_found()
        super().__init__(problem.code, problem.detail)
        self.appointment_id = appointment_id


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    handlers: dict[type[Exception], Any] = {
        RequestValidationError: _invalid_fields,
        HTTPException: _http_exception,
        LogUnavailableError: _log_unavailable,
        TransientError: _store_unavailable,
        **dict.fromkeys(OUTAGES, _outage),
        Exception: _internal_error,
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
    return Response(json.dumps(body), problem.status_code, problem.headers, MEDIA_TYPE)


async def _invalid_fields(request: Request, error: RequestValidationError) -> Response:
    found = [(_pointer(item["loc"]), item) for item in error.errors()]
    errors = [
        {"pointer": pointer, "code": item["type"], "detail": item["msg"]}
        for pointer, item in found
        # Of a list with wrong items pydantic says too that it lacks them.
        if item["type"] != "too_short" or not any(other.startswith(f"{pointer}/") for other, _ in found)
    ]
    return answer(Problem(Code.INVALID_FIELDS, "Some fields are not valid.", errors))


def _pointer(loc: Sequence[str | int]) -> str:
    # The first part tells body, query, path or header apart.
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc[1:])


async def _http_exception(request: Request, error: HTTPException) -> Response:
    if isinstance(error, Problem):
        return answer(error)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = Problem(Code.METHOD_NOT_ALLOWED, "This method is not for this path.")
        problem.headers = {"Allow": ", ".join(_methods(request))}
        return answer(problem)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return answer(not_found())
    return answer(Problem(Code.MALFORMED_JSON, "The request cannot be read."))


def _methods(request: Request) -> Iterator[str]:
    # Starlette names those of the first route with this path only; RFC 9110, section 15.5.6, wants all.
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


async def _log_unavailable(request: Request, error: LogUnavailableError) -> Response:
    return answer(Problem(Code.LOG_UNAVAILABLE, MEANINGS[Code.LOG_UNAVAILABLE]))


async def _store_unavailable(request: Request, error: Exception) -> Response:
    return answer(Problem(Code.STORE_UNAVAILABLE, "A part of the clinic is away. Try again."))


async def _outage(request: Request, error: Exception) -> Response:
    if not is_outage(error):
        raise error
    _log.warning("postgres is away", error=repr(error))
    return await _store_unavailable(request, error)


async def _internal_error(request: Request, error: Exception) -> Response:
    return answer(Problem(Code.INTERNAL_ERROR, "That should not have happened."))
