"""Request bodies are bounded and strict JSON (RFC 8259)."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ingress.http.problems import Code, Problem, invalid

BODY_BYTES_MAX = 64 * 1024
INTEGER_DIGITS_MAX = 300


async def read_bounded(request: Request) -> bytes:
    """The body.

    Raises:
        Problem: 415 if it is encoded (RFC 9110, section 8.4), 413 if it is too large.
    """
    encodings = ",".join(request.headers.getlist("content-encoding")).split(",")
    if any(encoding.strip().lower() not in ("", "identity") for encoding in encodings):
        detail = "The body must not have a Content-Encoding."
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "identity"})
    chunks: list[bytes] = []
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdecimal() else 0
    if size <= BODY_BYTES_MAX:
        size = 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_BYTES_MAX:
                break
    if size > BODY_BYTES_MAX:
        raise Problem(Code.BODY_TOO_LARGE, f"The body must not exceed {BODY_BYTES_MAX} bytes.")
    return b"".join(chunks)


class StrictRequest(Request):
    """A request whose body is bounded, strict JSON without duplicate keys."""

    async def body(self) -> bytes:
        """The body.

        Raises:
            Problem: 415 if it is encoded or not JSON by its type, 413 if too large, 400 if empty.
        """
        if not hasattr(self, "_body"):
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
            self._body = await read_bounded(self)
        if not self._body:
            raise Problem(Code.MALFORMED_JSON, "The body is empty.")
        return self._body

    async def json(self) -> Any:
        """The JSON value.

        Raises:
            Problem: 400, the body is not JSON; 422, it is what FastAPI takes for a body that was left out.
        """
        try:
            value = _DECODER.decode((await self.body()).decode("utf-8"))
        except (ValueError, RecursionError):
            raise Problem(Code.MALFORMED_JSON, "The body is not JSON, or has a duplicate key.") from None
        if value is None or value == "":
            raise invalid("", "model_attributes_type", "The body must be an object.")
        return value


class StrictRoute(APIRoute):
    """A route whose bodies are read by `StrictRequest`, and whose requests are answered whatever happens."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given the strict request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            try:
                return await handle(StrictRequest(request.scope, request.receive))
            except asyncio.CancelledError:
                # Only the end of the process cuts a request off, when it waits for longer than the server.
                raise Problem(Code.STORE_UNAVAILABLE, "The server is stopping; please retry.") from None

        return handle_strictly


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("duplicate key")
    return value


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int | float:
    # Python refuses longer ones, though they are JSON; as floats they are far outside every limit.
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_json, parse_int=_integer)
