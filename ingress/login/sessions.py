"""Staying logged in and logging out: `/v1/auth/refresh`, `/v1/auth/logout` and `/v1/me/sessions`."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.commands import Actor
from contracts.security import CalendarLinkChanged, SessionEnded, TokenReused
from infra.errors import LogUnavailableError
from infra.tokens import Role
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Login, bearer_token
from ingress.http.parameters import PathId
from ingress.http.problems import Code, Problem, not_found
from ingress.http.strict_json import StrictRequest, StrictRoute
from ingress.http.views import answer
from ingress.login.bodies import RefreshBody, SessionList, SessionView, TokensView
from ingress.login.cookie import clear_cookie, cookie_of, is_same_origin
from ingress.login.routes import tokens_answer
from ingress.openapi.responses import BODY_PROBLEMS, Responses, answers, open_answers
from ingress.resources import Resources, resources
from storage.login.sessions import Reused, Session

ENDED: Responses = {204: {"description": "Logged out."}}


class _MaybeEmptyRequest(StrictRequest):
    """A strict request whose body may be left out."""

    async def body(self) -> bytes:
        """The body, empty if there is none. Raises what `StrictRequest.body` does."""
        length = self.headers.get("content-length", "0")
        if length == "0" and "transfer-encoding" not in self.headers:
            return b""
        return await super().body()


class OptionalBodyRoute(StrictRoute):
    """A route for clients that have nothing to say beside their cookie."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a request that may be empty."""
        handle = super(StrictRoute, self).get_route_handler()

        async def handle_maybe_empty(request: Request) -> Response:
            return await handle(_MaybeEmptyRequest(request.scope, request.receive))

        return handle_maybe_empty


router = APIRouter(route_class=OptionalBodyRoute, tags=["login"])
own_router = APIRouter(route_class=AuthenticatedRoute, tags=["login"])


@router.post(
    "/v1/auth/refresh",
    response_model=TokensView,
    summary="Stay logged in",
    responses=open_answers(Code.UNAUTHENTICATED, *BODY_PROBLEMS),
)
async def refresh_login(request: Request, body: RefreshBody | None = None) -> Response:
    """A new access token and the next refresh token. Each refresh token works once: if one is used again, its
    login ends. If the answer was lost, the same request within 30 seconds gets the same refresh token.

    From a page of the clinic the cookie counts (`Sec-Fetch-Site: same-origin`, else an equal `Origin`).
    """
    app = resources(request)
    given = body.refresh_token if body else None
    token = given or cookie_of(request)
    continued = await app.sessions.refresh(token) if token else None
    if isinstance(continued, Reused):
        session = continued.session
        app.revoked.add(session.id)
        await _record(app, TokenReused(**event_context(request, session.actor), family_id=session.id))
        continued = None
    if continued is not None and not await _may_go_on(app, continued.session):
        await app.sessions.end(continued.session.id, "person_is_gone")
        app.revoked.add(continued.session.id)
        continued = None
    if continued is None:
        raise Problem(Code.UNAUTHENTICATED, "The refresh token is not valid: please log in.")
    return tokens_answer(app, continued, in_cookie=given is None)


@router.post(
    "/v1/auth/logout",
    status_code=204,
    summary="Log out",
    responses={**ENDED, **open_answers(*BODY_PROBLEMS)},
)
async def log_out(request: Request, body: RefreshBody | None = None) -> Response:
    """Ends the login of the refresh token, of the cookie and of the access token, whichever are given.

    Idempotent.
    """
    app = resources(request)
    session_ids = set()
    for token in (body.refresh_token if body else None, cookie_of(request)):
        session_ids.add(await app.sessions.session_of_token(token) if token else None)
    access = app.tokens.check(bearer_token(request))
    session_ids.add(access.session_id if access else None)
    for session_id in session_ids - {None}:
        assert session_id is not None, "it was taken out"
        whose = await app.sessions.end(session_id, "logged_out")
        app.revoked.add(session_id)
        if whose is not None:
            await _record_end(request, whose, session_id, "logged_out")
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    if is_same_origin(request):  # a form on another site must not log anybody out
        clear_cookie(response)
    return response


@own_router.get(
    "/v1/me/sessions",
    response_model=SessionList,
    summary="My logins",
    responses=answers(Code.FORBIDDEN),
)
async def list_sessions(request: Request, login: Login) -> Response:
    """Where the caller is logged in."""
    app = resources(request)
    items = [
        SessionView(
            id=session.id,
            role=session.role,
            methods=list(session.methods),
            begun_at=session.begun_at,
            used_at=session.used_at,
            ends_at=session.ends_at,
            current=session.id == login.session_id,
        )
        for session in await app.sessions.of(login.actor.id)
    ]
    return answer(SessionList(items=items, next_cursor=None), ZoneInfo(app.settings.time_zone))


@own_router.delete(
    "/v1/me/sessions",
    status_code=204,
    summary="Log out everywhere",
    responses={**ENDED, **answers(Code.FORBIDDEN)},
)
async def end_sessions(request: Request, login: Login) -> Response:
    """Ends all logins of the caller, this one included, and withdraws a patient's calendar link.

    Calendar links of doctors go on.
    """
    app, caller = resources(request), login.actor
    ended = await app.sessions.end_all(caller.id, "ended_by_person")
    app.revoked.add(login.session_id, *ended.session_ids)
    for session_id in ended.session_ids:
        await _record_end(request, caller, session_id, "ended_by_person")
    if ended.had_link:
        context = event_context(request, caller)
        await _record(app, CalendarLinkChanged(**context, patient_id=caller.id, change="withdrawn"))
    response = Response(status_code=204)
    clear_cookie(response)
    return response


@own_router.delete(
    "/v1/me/sessions/{session_id}",
    status_code=204,
    summary="End a login",
    responses={**ENDED, **answers(Code.FORBIDDEN, Code.NOT_FOUND)},
)
async def end_session(request: Request, login: Login, session_id: PathId) -> Response:
    """Ends one login of the caller: of a device that was lost."""
    app = resources(request)
    if not await app.sessions.end_own(session_id, login.actor.id, "ended_by_person"):
        raise not_found()
    app.revoked.add(session_id)
    await _record_end(request, login.actor, session_id, "ended_by_person")
    return Response(status_code=204)


async def _record_end(request: Request, actor: Actor, session_id: UUID, reason: str) -> None:
    ended = SessionEnded(**event_context(request, actor), family_id=session_id, reason=reason)
    await _record(resources(request), ended)


async def _record(app: Resources, event: SessionEnded | TokenReused | CalendarLinkChanged) -> None:
    """Before the answer if the log can be reached, else later or counted as lost: access ends without it."""
    try:
        await app.security.record(event)
    except LogUnavailableError:
        app.security.offer(event)


async def _may_go_on(app: Resources, session: Session) -> bool:
    if session.role is Role.PATIENT:
        return await app.patients.is_known(session.person_id)
    return await app.staff_logins.is_active(session.person_id, session.role)


router.routes.extend(own_router.routes)
