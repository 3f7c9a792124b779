"""Passkeys: options of a login by one, and the caller's own."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.challenges import Secret
from contracts.security import PasskeyAdded, PasskeyRemoved
from infra import clock
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Caller, Login
from ingress.http.network import Network
from ingress.http.parameters import PathId
from ingress.http.problems import MEANINGS, Code, Problem, not_found
from ingress.http.strict_json import StrictRoute
from ingress.http.views import answer
from ingress.login.owner import find_owner
from ingress.login.passkeys.bodies import (
    PasskeyBody,
    PasskeyList,
    PasskeyOptionsView,
    PasskeyView,
    invalid_passkey,
)
from ingress.login.passkeys.challenges import PasskeyChallenge, Purpose
from ingress.login.routes import count_failure
from ingress.openapi.responses import BODY_PROBLEMS, LOCATION, answers, open_answers
from ingress.resources import Resources, resources
from storage.login.passkeys import PASSKEYS_MAX

router = APIRouter(route_class=StrictRoute, tags=["login"])
own_router = APIRouter(route_class=AuthenticatedRoute, tags=["login"])


@router.post(
    "/v1/auth/passkeys/options",
    response_model=PasskeyOptionsView,
    summary="Begin a login by passkey",
    responses=open_answers(),
)
async def begin_passkey_login(request: Request) -> Response:
    """A challenge, valid for 5 minutes and one login. It names nobody: the person chooses a passkey."""
    app, network = resources(request), Network.of(request)
    await app.login_limits.check_network(network)
    await app.login_limits.take_passkey_challenge(network)
    made = await app.passkey_challenges.make(Purpose.LOGIN)
    return _options(app, made, app.relying_party.login_options(made.challenge))


@own_router.get(
    "/v1/me/passkeys",
    response_model=PasskeyList,
    summary="My passkeys",
    responses=answers(Code.FORBIDDEN),
)
async def list_passkeys(request: Request, caller: Caller) -> Response:
    """The passkeys by which the caller can log in."""
    app = resources(request)
    items = [PasskeyView.model_validate(passkey) for passkey in await app.passkeys.of(caller)]
    return answer(PasskeyList(items=items, next_cursor=None), ZoneInfo(app.settings.time_zone))


@own_router.post(
    "/v1/me/passkeys/options",
    response_model=PasskeyOptionsView,
    summary="Begin to add a passkey",
    responses=answers(Code.STEP_UP_REQUIRED, Code.FORBIDDEN, Code.NOT_FOUND, Code.TOO_MANY_PASSKEYS),
)
async def begin_passkey(request: Request, caller: Caller) -> Response:
    """A challenge, valid for 5 minutes and one passkey. Needs a login of the last 5 minutes."""
    app = resources(request)
    await app.login_limits.take_passkey_challenge(Network.of(request))
    person = await find_owner(app, caller)
    if person is None:
        raise not_found()
    user_handle, known = await app.passkeys.known_to_authenticators(caller)
    if len(known) >= PASSKEYS_MAX:
        raise Problem(Code.TOO_MANY_PASSKEYS, MEANINGS[Code.TOO_MANY_PASSKEYS])
    made = await app.passkey_challenges.make(Purpose.REGISTRATION, caller.id, user_handle)
    options = app.relying_party.registration_options(
        made.challenge, user_handle, person.email, person.name, known
    )
    return _options(app, made, options)


@own_router.post(
    "/v1/me/passkeys",
    response_model=PasskeyView,
    status_code=201,
    summary="Add a passkey",
    responses={
        201: {"description": "Added.", "headers": {"Location": LOCATION}},
        **answers(
            Code.INVALID_CODE,
            Code.STEP_UP_REQUIRED,
            Code.FORBIDDEN,
            Code.LOG_UNAVAILABLE,
            *BODY_PROBLEMS,
        ),
    },
)
async def add_passkey(request: Request, login: Login, body: PasskeyBody) -> Response:
    """401 `invalid_code` if it does not answer the challenge, or was added before.

    The person gets a mail about it. Needs a login of the last 5 minutes. Recorded in the security log.
    """
    app, network, caller = resources(request), Network.of(request), login.actor
    await app.login_limits.check_network(network)
    challenge = await app.passkey_challenges.take(body.challenge_id, Purpose.REGISTRATION, caller.id)
    credential = (
        app.relying_party.registered(body.passkey.json_dict(), challenge.challenge, challenge.user_handle)
        if challenge
        else None
    )
    if credential is None:
        await count_failure(app, network, "wrong_passkey", None)
        raise invalid_passkey()
    person = await find_owner(app, caller)
    if person is None:
        raise invalid_passkey()
    await app.login_limits.take_passkey(caller.id)
    passkey_id = clock.new_id()
    await app.security.record(PasskeyAdded(**event_context(request, caller), passkey_id=passkey_id))
    # With it: nobody gets one more without their knowing.
    notice = Secret(email=person.email, language=person.language, passkey_added=True)
    added = await app.passkeys.add(
        caller, credential, body.name, passkey_id, session_id=login.session_id, notice=notice
    )
    if added is None:
        raise invalid_passkey()
    headers = {"Location": f"/v1/me/passkeys/{added.id}"}
    return answer(PasskeyView.model_validate(added), ZoneInfo(app.settings.time_zone), 201, headers)


@own_router.delete(
    "/v1/me/passkeys/{passkey_id:uuid}",
    status_code=204,
    summary="Remove a passkey",
    responses={
        204: {"description": "Removed."},
        **answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
    },
)
async def remove_passkey(request: Request, caller: Caller, passkey_id: PathId) -> Response:
    """Nobody logs in by it any more; the logins that it began go on. The person gets a mail about it.

    Recorded in the security log.
    """
    app = resources(request)
    person = await find_owner(app, caller)
    if person is None or not await app.passkeys.has(caller, passkey_id):
        raise not_found()
    await app.security.record(PasskeyRemoved(**event_context(request, caller), passkey_id=passkey_id))
    notice = Secret(email=person.email, language=person.language, passkey_removed=True)
    await app.passkeys.remove(caller, passkey_id, notice)
    return Response(status_code=204)


def _options(app: Resources, made: PasskeyChallenge, public_key: dict[str, object]) -> Response:
    view = PasskeyOptionsView(challenge_id=made.id, expires_at=made.expires_at, public_key=public_key)
    return answer(view, ZoneInfo(app.settings.time_zone), headers={"Cache-Control": "no-store"})


router.routes.extend(own_router.routes)
