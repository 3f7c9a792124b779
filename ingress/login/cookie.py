"""The refresh token in a cookie, for pages: no script can read it, and no other site's request counts."""

from datetime import datetime
from urllib.parse import urlsplit

from fastapi import Request, Response

from infra import clock

# The prefix makes browsers refuse it from another host, without `Secure`, or with another path (RFC 6265bis).
NAME = "__Host-clinic_refresh"


def set_cookie(response: Response, refresh_token: str, ends_at: datetime) -> None:
    """Store the token in the browser until the session ends."""
    response.set_cookie(
        NAME,
        refresh_token,
        max_age=max(0, int((ends_at - clock.now()).total_seconds())),
        path="/",
        secure=True,
        httponly=True,
        samesite="strict",
    )


def clear_cookie(response: Response) -> None:
    """Remove it from the browser."""
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="strict")


def cookie_of(request: Request) -> str | None:
    """The token, if the clinic's own page sent the request.

    Browsers say so in `Sec-Fetch-Site` (Fetch Metadata), older ones in `Origin`; scripts can set neither.
    """
    token = request.cookies.get(NAME)
    return token if token and is_same_origin(request) else None


def is_same_origin(request: Request) -> bool:
    """True if a page of the clinic sent the request."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    own = (request.url.scheme, request.headers.get("host"))
    return bool(origin) and (parts.scheme, parts.netloc) == own
