"""Long answers are compressed for clients that accept it, and entity tags know of it (RFC 9110)."""

from collections.abc import Collection

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GZIP_TAG_END = '-gzip"'
# A shorter answer fits into one packet anyway.
BYTES_MIN = 1_000
# Half of the time of level 6, for some bytes more.
LEVEL = 4
# The length of a compressed secret may tell parts of it (BREACH).
NEVER = ("/v1/auth/",)


class Compressed:
    """ASGI middleware: gzip for whatever is long enough and not an event stream or compressed already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http" or scope["path"].startswith(NEVER):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name_once(MutableHeaders(raw=message["headers"]))
            await send(message)

        if _accepts_gzip(Headers(scope=scope)):
            await GZipResponder(self._app, BYTES_MIN, LEVEL)(scope, receive, sending)
        else:
            await IdentityResponder(self._app, BYTES_MIN)(scope, receive, sending)


def tagged(request: Request, content: bytes, etag: str, cache_control: str, media_type: str) -> Response:
    """The content, or 304 if the client has it. `etag` is the content's own, in quotes.

    What will be compressed has another tag: a strong one is of the bytes as they are sent (section 8.8.3.3).
    """
    if len(content) >= BYTES_MIN and _accepts_gzip(request.headers):
        etag = etag[:-1] + GZIP_TAG_END
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if has_tag(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def has_tag(if_none_match: str, etag: str) -> bool:
    """True if the client has this version (RFC 9110, section 13.1.2: weak comparison), compressed or not."""
    tags = {_of_content(tag.strip().removeprefix("W/")) for tag in if_none_match.split(",")}
    return _of_content(etag) in tags or "*" in tags


def _of_content(etag: str) -> str:
    return etag.removesuffix(GZIP_TAG_END) + '"' if etag.endswith(GZIP_TAG_END) else etag


def best_encoding(accepted: str, offered: Collection[str]) -> str:
    """The smallest of the encodings that `Accept-Encoding` names (RFC 9110, section 12.5.3)."""
    names = set()
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            names.add(name.strip().lower())
    return next((name for name in ("br", "gzip") if name in names and name in offered), "identity")


def _accepts_gzip(headers: Headers) -> bool:
    return best_encoding(headers.get("accept-encoding", ""), ("gzip",)) == "gzip"


def _name_once(headers: MutableHeaders) -> None:
    vary = headers.get("vary", "")
    if "," in vary:
        headers["vary"] = ", ".join(dict.fromkeys(name.strip() for name in vary.split(",")))
