"""Headers that tell browsers to do less with an answer: also with one that nobody meant a browser to show."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Data are no pages: nothing in them is loaded, run or framed.
DATA_POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Of pages that have no policy of their own: the documentation's, which have scripts in them.
PAGE_POLICY = b"object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
FOR_DATA = [*HEADERS, (b"content-security-policy", DATA_POLICY)]
# RFC 6797, section 7.2: not on a connection without TLS.
STAY_WITH_TLS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class ForBrowsers:
    """ASGI middleware that adds the headers to each answer that does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        transport = [STAY_WITH_TLS] if scope.get("scheme") == "https" else []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = dict(message.get("headers", ()))
                is_page = present.get(b"content-type", b"").startswith(b"text/html")
                policy = (b"content-security-policy", PAGE_POLICY if is_page else DATA_POLICY)
                added = [header for header in (*HEADERS, policy, *transport) if header[0] not in present]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, sending)
