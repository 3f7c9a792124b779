"""Compresses answers for clients that accept it (RFC 9110, section 8.4.1.3)."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.http.parameters import best_encoding

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
                headers = MutableHeaders(raw=message["headers"])
                _weaken_tag(headers)
                _name_once(headers)
            await send(message)

        accepted = Headers(scope=scope).get("accept-encoding", "")
        if best_encoding(accepted, ("gzip",)) == "gzip":
            await GZipResponder(self._app, BYTES_MIN, LEVEL)(scope, receive, sending)
        else:
            await IdentityResponder(self._app, BYTES_MIN)(scope, receive, sending)


def _weaken_tag(headers: MutableHeaders) -> None:
    # A strong tag would say that these are the bytes of the answer without compression (section 8.8.3.3). The
    # pages' files have a tag for each encoding.
    etag = headers.get("etag", "")
    if etag.startswith('"') and headers.get("content-encoding") == "gzip" and not etag.endswith('-gzip"'):
        headers["etag"] = f"W/{etag}"


def _name_once(headers: MutableHeaders) -> None:
    vary = headers.get("vary", "")
    if "," in vary:
        headers["vary"] = ", ".join(dict.fromkeys(name.strip() for name in vary.split(",")))
