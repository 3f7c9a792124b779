"""Who calls, and what they may."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from contracts.commands import Actor, ActorKind
from ingress.bodies import StrictRoute
from ingress.problems import Code, Problem
from ingress.resources import Resources, resources

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]


class AuthenticatedRoute(StrictRoute):
    """A route that looks at nothing before it knows who calls; the caller is in `request.state.caller`.

    Whom it turns away is told as a security event.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["openapi_extra"] = {"security": SECURITY, **(kwargs.get("openapi_extra") or {})}
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The strict handler, behind the check of the token (RFC 6750)."""
        handle = super().get_route_handler()

        async def handle_authenticated(request: Request) -> Response:
            here = resources(request)
            caller = None
            try:
                caller = request.state.caller = authenticated(request, here)
                return await handle(request)
            except Problem as problem:
                here.refused_access.tell(request, problem, caller)
                raise

        return handle_authenticated


def authenticated(request: Request, here: Resources) -> Actor:
    """Who the bearer token speaks for.

    Raises:
        Problem: 401.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    actor = here.tokens.check(token.strip()) if scheme.lower() == "bearer" else None
    if actor is None:
        raise Problem(Code.UNAUTHENTICATED, "A valid access token is needed.")
    return actor


async def _caller(request: Request) -> Actor:
    caller = request.state.caller
    assert isinstance(caller, Actor), "an AuthenticatedRoute put it there"
    return caller


async def _staff(request: Request) -> Actor:
    caller = await _caller(request)
    if caller.kind is not ActorKind.STAFF:
        raise Problem(Code.FORBIDDEN, "Only staff may do this.")
    return caller


async def _patient(request: Request) -> Actor:
    caller = await _caller(request)
    if caller.kind is not ActorKind.PATIENT:
        raise Problem(Code.FORBIDDEN, "Only patients have this.")
    return caller


Caller = Annotated[Actor, Depends(_caller)]
Staff = Annotated[Actor, Depends(_staff)]
OnlyPatient = Annotated[Actor, Depends(_patient)]
