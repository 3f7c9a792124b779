"""Authentication of the caller, and the decision whether they may call an operation."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from contracts.commands import Actor, ActorKind
from infra.tokens import Access
from ingress.http.access import ACCESS, STEP_UP
from ingress.http.problems import MEANINGS, Code, Problem
from ingress.http.strict_json import StrictRoute
from ingress.resources import Resources, resources
from storage.login.sessions import SessionEndedError

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]


class AuthenticatedRoute(StrictRoute):
    """A route that authenticates the caller before anything else, and lets in whom its row in `ACCESS` names.

    The caller's token is in `request.state.access`. Refusals of access are recorded as security events.
    Answers are personal: no cache may store them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["openapi_extra"] = {"security": SECURITY, **(kwargs.get("openapi_extra") or {})}
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The strict handler, behind the check of the token (RFC 6750).

        Raises:
            KeyError: the operation has no row in the table of access.
        """
        handle = super().get_route_handler()
        row = ACCESS[self.name]

        async def handle_authenticated(request: Request) -> Response:
            caller = None
            try:
                access = request.state.access = authenticated(request, resources(request))
                caller = access.actor
                if access.role not in row:
                    raise Problem(Code.FORBIDDEN, f"Not for {access.role}.")
                if self.name in STEP_UP and not access.is_recent():
                    raise Problem(Code.STEP_UP_REQUIRED, MEANINGS[Code.STEP_UP_REQUIRED])
                try:
                    response = await handle(request)
                except SessionEndedError:
                    # Elsewhere, and this ingress did not know yet.
                    resources(request).revoked.add(access.session_id)
                    raise unauthenticated() from None
                response.headers.setdefault("Cache-Control", "no-store")
                return response
            except Problem as problem:
                resources(request).refused_access.record(request, problem, caller)
                raise

        return handle_authenticated


def authenticated(request: Request, resources: Resources) -> Access:
    """The content of the bearer token.

    Raises:
        Problem: 401.
    """
    access = access_of(request, resources)
    if access is None:
        raise unauthenticated()
    return access


def unauthenticated() -> Problem:
    """There is no access token, or it does not count any more."""
    return Problem(Code.UNAUTHENTICATED, "A valid access token is required.")


def access_of(request: Request, resources: Resources) -> Access | None:
    """The content of the bearer token; None if there is no valid one."""
    token = bearer_token(request)
    access = resources.tokens.check(token) if token else None
    return None if access is None or access.session_id in resources.revoked else access


def bearer_token(request: Request) -> str:
    """The token in the `Authorization` header (RFC 6750, section 2.1), empty if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _login(request: Request) -> Access:
    access = request.state.access
    assert isinstance(access, Access), "set by AuthenticatedRoute"
    return access


async def _caller(request: Request) -> Actor:
    return (await _login(request)).actor


async def _staff(request: Request) -> Actor:
    caller = await _caller(request)
    if caller.kind is not ActorKind.STAFF:
        raise Problem(Code.FORBIDDEN, "For staff only.")
    return caller


async def _patient(request: Request) -> Actor:
    caller = await _caller(request)
    if caller.kind is not ActorKind.PATIENT:
        raise Problem(Code.FORBIDDEN, "For patients only.")
    return caller


Login = Annotated[Access, Depends(_login)]
"""The content of the caller's token."""
Caller = Annotated[Actor, Depends(_caller)]
Staff = Annotated[Actor, Depends(_staff)]
OnlyPatient = Annotated[Actor, Depends(_patient)]
