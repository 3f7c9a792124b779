"""Logging in: `POST /v1/auth/challenges` and `/v1/auth/tokens`."""

from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Request, Response

from contracts.commands import Actor, ActorKind
from contracts.security import LoginFailed, LoginSucceeded, PatientRegistered, SessionEnded
from infra import clock
from infra.errors import LogUnavailableError
from infra.tokens import LIFETIME, Role, issue_token
from ingress.audit.security_log import event_context
from ingress.http.network import Network
from ingress.http.problems import Code, Problem
from ingress.http.strict_json import StrictRoute
from ingress.http.views import answer
from ingress.login.bodies import (
    ChallengeBody,
    ChallengeView,
    LoginBody,
    Proof,
    StaffLoginBody,
    TokensView,
    invalid_code,
    invalid_factors,
)
from ingress.login.challenges import Proved, Wrong
from ingress.login.cookie import set_cookie
from ingress.login.passkeys.bodies import PasskeyLoginBody, invalid_passkey
from ingress.login.passkeys.login import log_in_by_passkey
from ingress.openapi.responses import BODY_PROBLEMS, open_answers
from ingress.pages.routes import best_language
from ingress.patients.profile import check_writable
from ingress.resources import Resources, resources
from storage import mail_address
from storage.login.passkeys import Rejected
from storage.login.passwords import TooManyChecksError
from storage.login.sessions import Continued
from storage.login.staff import Failed
from storage.profiles import Language, Profile

# RFC 8176: the person has something that the code was sent to.
BY_CODE = ("otp",)
# Where NIST SP 800-63B-4, section 3.2.2, would close the account. Nothing is closed: whoever fails on purpose
# would lock out its owner.
FAILURES_ALERT = 100

_log = structlog.get_logger(__name__)

router = APIRouter(route_class=StrictRoute, tags=["login"])


@router.post(
    "/v1/auth/challenges",
    response_model=ChallengeView,
    status_code=202,
    summary="Ask for a login code",
    responses={
        202: {"description": "A code is sent to the address."},
        **open_answers(Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
    },
)
async def begin_login(request: Request, body: ChallengeBody) -> Response:
    """A mail with a code of 8 digits, valid for 10 minutes and 5 tries, at most 3 an hour and 10 a day."""
    app = resources(request)
    check_writable(body.email, app.settings)
    give_back = await app.login_limits.take_mail(Network.of(request), account_of(app, body.email))
    language = body.language or _language(request, app)
    challenge = await app.challenges.begin(body.email, language, give_back)
    view = ChallengeView(challenge_id=challenge.challenge_id, expires_at=challenge.expires_at)
    return answer(view, ZoneInfo(app.settings.time_zone), 202, {"Cache-Control": "no-store"})


@router.post(
    "/v1/auth/tokens",
    response_model=TokensView,
    summary="Log in",
    responses=open_answers(Code.INVALID_CODE, Code.LOG_UNAVAILABLE, Code.BUSY, *BODY_PROBLEMS),
)
async def log_in(request: Request, body: Proof) -> Response:
    """Tokens for the code from the mail: a new address becomes a patient. 401 `invalid_code` says how many
    tries are left (`tries_left`); after the last one a new code is needed.

    Staff give address, password and a code of their authenticator, each of which counts once, or a recovery
    code. A passkey answers `POST /v1/auth/passkeys/options`, whosever it is."""
    app = resources(request)
    network = Network.of(request)
    await app.login_limits.check_network(network)
    if isinstance(body, StaffLoginBody):
        began = await _as_staff(request, app, network, body)
    elif isinstance(body, PasskeyLoginBody):
        began = await _by_passkey(request, app, network, body)
    else:
        began = await _as_patient(request, app, network, body)
    return tokens_answer(app, began, in_cookie=body.session == "cookie")


async def _as_patient(request: Request, app: Resources, network: Network, body: LoginBody) -> Continued:
    async with app.challenges.checked(body.challenge_id, body.code) as checked:
        if isinstance(checked, Wrong):
            account = None if checked.email is None else account_of(app, checked.email)
            await count_failure(app, network, "wrong_code", account)
            context = event_context(request, None)
            failed = LoginFailed(**context, reason="wrong_code", challenge_id=body.challenge_id)
            app.security.offer(failed)
            raise invalid_code(checked.tries_left)
        actor = await _patient(request, app, checked)
        began = await app.sessions.begin(actor.id, Role.PATIENT, BY_CODE)
        await app.sessions.forget_failures(account_of(app, checked.email))
        await _record(request, app, began, body.challenge_id)
    return began


async def _as_staff(request: Request, app: Resources, network: Network, body: StaffLoginBody) -> Continued:
    account = account_of(app, body.email)

    async def record(began: Continued) -> None:
        await _record(request, app, began, clock.new_id())

    try:
        began = await app.staff_logins.log_in(body.email, body.password, body.totp, record)
    except TooManyChecksError:
        raise Problem(Code.BUSY, "Too many people log in at this moment; please retry.") from None
    if isinstance(began, Failed):
        await count_failure(app, network, began.reason, account)
        actor = Actor(kind=ActorKind.STAFF, id=began.staff_id) if began.staff_id else None
        app.security.offer(LoginFailed(**event_context(request, actor), reason=began.reason))
        raise invalid_factors()
    await app.sessions.forget_failures(account)
    return began


async def _by_passkey(
    request: Request, app: Resources, network: Network, body: PasskeyLoginBody
) -> Continued:
    outcome = await log_in_by_passkey(app, body.challenge_id, body.passkey)
    if isinstance(outcome, Rejected):
        await count_failure(app, network, outcome.reason, None)
        context = event_context(request, outcome.owner)
        app.security.offer(LoginFailed(**context, reason=outcome.reason, challenge_id=body.challenge_id))
        raise invalid_passkey()
    began, kept = outcome
    await _record(request, app, began, body.challenge_id, kept.id)
    return began


async def _record(
    request: Request, app: Resources, began: Continued, challenge_id: UUID, passkey_id: UUID | None = None
) -> None:
    succeeded = LoginSucceeded(
        **event_context(request, began.session.actor),
        challenge_id=challenge_id,
        family_id=began.session.id,
        passkey_id=passkey_id,
    )
    try:
        await app.security.record(succeeded)
    except LogUnavailableError:
        # The client has no token of it, and nobody is logged in without a record.
        await app.sessions.end(began.session.id, "not_recorded")
        # The login may be in the log after all: so that its end follows.
        context = event_context(request, began.session.actor)
        app.security.offer(SessionEnded(**context, family_id=began.session.id, reason="not_recorded"))
        raise


async def count_failure(app: Resources, network: Network, reason: str, account: bytes | None) -> None:
    """Count a failed login, of the network and of the account."""
    await app.login_limits.count_failure(network, reason)
    if account is not None and await app.sessions.count_failure(account) == FAILURES_ALERT:
        _log.error(
            "an account's logins fail again and again: somebody may be guessing", failures=FAILURES_ALERT
        )


def tokens_answer(app: Resources, continued: Continued, *, in_cookie: bool) -> Response:
    """An access token of the session, and its refresh token in the body or the cookie."""
    session = continued.session
    access_token = issue_token(
        app.signing_keys.signing,
        session.person_id,
        session.role,
        session_id=session.id,
        authenticated_at_s=int(session.authenticated_at.timestamp()),
        methods=session.methods,
    )
    view = TokensView(
        access_token=access_token,
        token_type="Bearer",  # noqa: S106 (a scheme)
        expires_in=int(LIFETIME.total_seconds()),
        refresh_token=None if in_cookie else continued.refresh_token,
    )
    response = answer(view, headers={"Cache-Control": "no-store"})
    if in_cookie:
        set_cookie(response, continued.refresh_token, session.ends_at)
    return response


def account_of(app: Resources, email: str) -> bytes:
    """A keyed hash of the address in its comparable form, by which logins are counted."""
    return app.keys.login_account(mail_address.comparable(email))


def _language(request: Request, app: Resources) -> Language:
    own = app.settings.language
    offered = (own, *(language for language in get_args(Language) if language != own))
    best = best_language(request.headers.get("accept-language", ""), offered)
    return next(language for language in offered if language == best)


async def _patient(request: Request, app: Resources, proved: Proved) -> Actor:
    known = await app.patients.find_by_address(proved.email)
    id_ = clock.new_id() if known is None else known.id
    actor = Actor(kind=ActorKind.PATIENT, id=id_)
    if known is None:
        await app.security.record(PatientRegistered(**event_context(request, actor), patient_id=id_))
        profile = Profile(proved.email, language=proved.language)
        if await app.patients.add(profile, id_) is None:
            # Somebody else registered the address at this moment.
            return await _patient(request, app, proved)
    return actor
