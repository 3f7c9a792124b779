"""A patient's new address or phone number: pending until the code that was sent there has come back."""

from dataclasses import replace
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.challenges import Secret
from contracts.commands import Actor
from contracts.fields import Id, StrictModel
from contracts.security import PatientChanged, ProfileField
from infra.errors import TransientError
from infra.postgres import Connection
from infra.tokens import Access
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Login, OnlyPatient
from ingress.http.network import Network
from ingress.http.problems import Code, not_found
from ingress.http.views import answer
from ingress.login.bodies import ChallengeView, LoginCode, invalid_code
from ingress.login.challenges import Wrong
from ingress.login.routes import account_of, count_failure
from ingress.openapi.responses import BODY_PROBLEMS, answers
from ingress.patients.profile import Email, PatientView, Phone, check_writable
from ingress.patients.routes import check_free, found, patient_answer
from ingress.patients.undo import sign_undo
from ingress.resources import Resources, resources
from storage.login.sessions import check_not_ended
from storage.notices import plan_notice
from storage.patient_addresses import AddressTakenError
from storage.profiles import Profile, Registered

ASKED = answers(
    Code.STEP_UP_REQUIRED,
    Code.FORBIDDEN,
    Code.NOT_FOUND,
    Code.LOG_UNAVAILABLE,
    *BODY_PROBLEMS,
)
CONFIRMED = answers(
    Code.INVALID_CODE, Code.FORBIDDEN, Code.NOT_FOUND, Code.ADDRESS_TAKEN,
    Code.LOG_UNAVAILABLE, *BODY_PROBLEMS,
)  # fmt: skip

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


class EmailBody(StrictModel):
    """A new address."""

    email: Email


class PhoneBody(StrictModel):
    """A new phone number."""

    phone: Phone


class ConfirmBody(StrictModel):
    """The code that was sent to the new address or number."""

    challenge_id: Id
    code: LoginCode


@router.post(
    "/v1/me/email",
    response_model=ChallengeView,
    status_code=202,
    summary="Ask for a new email address",
    responses={202: {"description": "A code is sent to the new address."}, **ASKED},
)
async def change_email(request: Request, caller: OnlyPatient, body: EmailBody) -> Response:
    """A code is sent to the new address, whether or not it is another patient's.

    Nothing changes before it has come back. Needs a login of the last 5 minutes.
    """
    app = resources(request)
    known = await found(app, caller.id)
    check_writable(body.email, app.settings)
    return await _begin(request, known, account_of(app, body.email), body.email)


@router.post(
    "/v1/me/phone",
    response_model=ChallengeView,
    status_code=202,
    summary="Ask for a new phone number",
    responses={202: {"description": "A code is sent to the new number."}, **ASKED},
)
async def change_phone(request: Request, caller: OnlyPatient, body: PhoneBody) -> Response:
    """A code is sent to the new number, or by mail if the clinic sends no text messages.

    Nothing changes before it has come back. Needs a login of the last 5 minutes.
    """
    app = resources(request)
    known = await found(app, caller.id)
    recipient = app.keys.login_account(body.phone)
    return await _begin(request, known, recipient, known.profile.email, body.phone)


@router.post(
    "/v1/me/email/confirm",
    response_model=PatientView,
    summary="Confirm my new email address",
    responses=CONFIRMED,
)
async def confirm_email(request: Request, caller: OnlyPatient, login: Login, body: ConfirmBody) -> Response:
    """The code from the mail. The former address gets a notice, with a link that undoes it for 7 days.

    409 if the address belongs to another patient. Recorded in the security log.
    """
    return await _confirm(request, login, body, ProfileField.EMAIL)


@router.post(
    "/v1/me/phone/confirm",
    response_model=PatientView,
    summary="Confirm my new phone number",
    responses=CONFIRMED,
)
async def confirm_phone(request: Request, caller: OnlyPatient, login: Login, body: ConfirmBody) -> Response:
    """The code from the message. The former number gets a notice, with a link that undoes it for 7 days.

    Recorded in the security log.
    """
    return await _confirm(request, login, body, ProfileField.PHONE)


async def _begin(
    request: Request, known: Registered, recipient: bytes, email: str, phone: str | None = None
) -> Response:
    app, language = resources(request), known.profile.language
    give_back = await app.login_limits.take_mail(Network.of(request), recipient)
    challenge = await app.challenges.begin(email, language, give_back, person_id=known.id, phone=phone)
    view = ChallengeView(challenge_id=challenge.challenge_id, expires_at=challenge.expires_at)
    return answer(view, ZoneInfo(app.settings.time_zone), 202)


async def _confirm(request: Request, login: Access, body: ConfirmBody, field: ProfileField) -> Response:
    app, network, caller = resources(request), Network.of(request), login.actor
    await app.login_limits.check_network(network)
    async with app.challenges.checked(body.challenge_id, body.code, caller.id) as checked:
        if isinstance(checked, Wrong) or (checked.phone is None) is (field is ProfileField.PHONE):
            await count_failure(app, network, "wrong_code", None)
            raise invalid_code(checked.tries_left if isinstance(checked, Wrong) else 0)
        proved = checked.email if checked.phone is None else checked.phone
        known = await found(app, caller.id)
        former: str | None = getattr(known.profile, field)
        if proved != former:
            await check_free(request, caller, known.id, None if checked.phone else checked.email)
            await _record(request, caller, known.id, field)
            known = await _changed(request, login, known, field, proved)
    return patient_answer(app, known)


async def _record(request: Request, caller: Actor, patient_id: UUID, field: ProfileField) -> None:
    event = PatientChanged(**event_context(request, caller), patient_id=patient_id, fields=(field,))
    await resources(request).security.record(event)


def _to_the_former(app: Resources, known: Registered, field: ProfileField) -> Secret:
    profile = known.profile
    undo = sign_undo(app.keys, known.id, field, getattr(profile, field))
    phone = profile.phone if field is ProfileField.PHONE else None
    return Secret(email=profile.email, phone=phone, language=profile.language, undo=undo)


async def _changed(
    request: Request, login: Access, known: Registered, field: ProfileField, proved: str
) -> Registered:
    app = resources(request)

    def change(profile: Profile) -> Profile:
        return (
            replace(profile, email=proved) if field is ProfileField.EMAIL else replace(profile, phone=proved)
        )

    async def beside(connection: Connection) -> None:
        await check_not_ended(connection, login.session_id)
        # With the change: nobody's address goes without their knowing.
        await plan_notice(connection, app.keys, _to_the_former(app, known, field), known.id)

    try:
        changed = await app.patients.change(known.id, change, beside)
    except AddressTakenError:
        await check_free(request, login.actor, known.id, proved)
        raise TransientError("the address was taken and is free again") from None
    if changed is None:
        raise not_found()
    return changed
