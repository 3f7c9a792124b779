"""Request bodies: read strictly, before anything looks at them (RFC 8259)."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from ingress.problems import Code, Problem

BODY_BYTES_MAX = 64 * 1024
INTEGER_DIGITS_MAX = 300


class StrictRequest(Request):
    """A request whose body is bounded, JSON by the book, and has no key twice."""

    async def body(self) -> bytes:
        """The body.

        Raises:
            Problem: 415 if it is not JSON by its type, 413 if it is too large, 400 if there is none.
        """
        if not hasattr(self, "_body"):
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "The body has to be application/json.")
            self._body = await self._read()
        if not self._body:
            raise Problem(Code.MALFORMED_JSON, "The body is empty.")
        return self._body

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = int(length) if (length := self.headers.get("content-length", "")).isdigit() else 0
        if size <= BODY_BYTES_MAX:
            size = 0
            async for chunk in self.stream():
                chunks.append(chunk)
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    break
        if size > BODY_BYTES_MAX:
            raise Problem(Code.BODY_TOO_LARGE, f"The body may have {BODY_BYTES_MAX} bytes.")
        return b"".join(chunks)

    async def json(self) -> Any:
        """The JSON value.

        Raises:
            Problem: 400, it is none.
        """
        try:
            return _DECODER.decode((await self.body()).decode("utf-8"))
        except (ValueError, RecursionError):
            raise Problem(Code.MALFORMED_JSON, "The body is not JSON, or names a field twice.") from None


class StrictRoute(APIRoute):
    """A route whose bodies are read by `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given the strict request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key twice")
    return value


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _integer(digits: str) -> int | float:
    # Longer ones are refused by Python, though they are JSON; as numbers they are far outside every limit.
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_not_json, parse_int=_integer)
