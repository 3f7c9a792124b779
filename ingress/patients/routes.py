"""The patient directory over HTTP: for staff, and for patients their own profile."""

from functools import partial
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.commands import Actor
from contracts.security import (
    PatientChanged,
    PatientForgotten,
    PatientRead,
    PatientRegistered,
    PatientsSearched,
    ProfileField,
)
from infra import clock
from infra.errors import TransientError
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, OnlyPatient, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code, Problem, not_found
from ingress.http.tracing import traceparent
from ingress.http.views import answer
from ingress.openapi.responses import BODY_PROBLEMS, LOCATION, answers
from ingress.patients.profile import OwnProfileChange, PatientBody, PatientView, ProfileChange
from ingress.resources import Resources, resources
from storage.patient_addresses import AddressTakenError
from storage.patients import FORGOTTEN
from storage.profiles import Registered

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


@router.post(
    "/v1/patients",
    response_model=PatientView,
    status_code=201,
    summary="Register a patient",
    responses={
        200: {
            "model": PatientView,
            "description": "A patient with this address exists already; returned unchanged.",
        },
        201: {"description": "Registered.", "headers": {"Location": LOCATION}},
        **answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
    },
)
async def register_patient(request: Request, caller: Staff, body: PatientBody) -> Response:
    """Staff only. 200 with the existing patient if the address is known. Recorded in the security log."""
    app = resources(request)
    profile = body.profile(app.settings)
    known = await app.patients.find_by_address(body.email)
    if known is None:
        new = clock.new_id()
        await app.security.record(PatientRegistered(**event_context(request, caller), patient_id=new))
        if await app.patients.add(profile, new):
            return patient_answer(app, await found(app, new), 201, {"Location": f"/v1/patients/{new}"})
        known = await app.patients.find_by_address(body.email)
    if known is None:
        raise not_found()  # the one with the address was forgotten this moment
    await app.security.record(PatientRead(**event_context(request, caller), patient_id=known.id))
    return patient_answer(app, known)


@router.get(
    "/v1/patients/{patient_id:uuid}",
    response_model=PatientView,
    summary="Get a patient",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
)
async def get_patient(request: Request, caller: Staff, patient_id: PathId) -> Response:
    """Staff only. Recorded in the security log."""
    app = resources(request)
    known = await found(app, patient_id)
    await app.security.record(PatientRead(**event_context(request, caller), patient_id=patient_id))
    return patient_answer(app, known)


@router.patch(
    "/v1/patients/{patient_id:uuid}",
    response_model=PatientView,
    summary="Update a patient",
    responses=answers(
        Code.FORBIDDEN, Code.NOT_FOUND, Code.ADDRESS_TAKEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS
    ),
)
async def change_patient(
    request: Request, caller: Staff, patient_id: PathId, body: ProfileChange
) -> Response:
    """Staff only. 409 if the new address belongs to another patient. Recorded in the security log."""
    app = resources(request)
    known = await found(app, patient_id)
    await app.security.record(PatientRead(**event_context(request, caller), patient_id=patient_id))
    return patient_answer(app, await _changed(request, caller, known, body))


@router.get(
    "/v1/me",
    response_model=PatientView,
    summary="Get my profile",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def get_me(request: Request, caller: OnlyPatient) -> Response:
    """Patients only."""
    app = resources(request)
    return patient_answer(app, await found(app, caller.id))


@router.patch(
    "/v1/me",
    response_model=PatientView,
    summary="Update my profile",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
)
async def change_me(request: Request, caller: OnlyPatient, body: OwnProfileChange) -> Response:
    """Patients only. Recorded in the security log.

    A new address or phone number has to be proved: `POST /v1/me/email` and `/v1/me/phone`.
    """
    app = resources(request)
    known = await found(app, caller.id)
    return patient_answer(app, await _changed(request, caller, known, body))


@router.delete(
    "/v1/me",
    status_code=204,
    summary="Forget me",
    responses={
        204: {"description": "Forgotten."},
        **answers(Code.STEP_UP_REQUIRED, Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
    },
)
async def forget_me(request: Request, caller: OnlyPatient) -> Response:
    """Patients only. Deletes the profile and cancels upcoming appointments. Past ones stay, without a name.

    Needs a login of the last 5 minutes. Idempotent.
    """
    app = resources(request)
    forgotten = await app.patients.is_forgotten(caller.id)
    if forgotten is None:
        raise not_found()
    if not forgotten:
        # Recorded first: no patient is gone without a record. A repeated request records the same event.
        event_id = uuid5(caller.id, FORGOTTEN)
        await app.security.record(
            PatientForgotten(**event_context(request, caller, event_id), patient_id=caller.id)
        )
        await app.patients.forget(caller.id, traceparent(request))
        app.forgetting.poke()
    return Response(status_code=204)


async def _changed(request: Request, caller: Actor, known: Registered, body: OwnProfileChange) -> Registered:
    app = resources(request)
    email = body.email if isinstance(body, ProfileChange) else None
    change = partial(body.of, settings=app.settings)
    change(known.profile)  # what is refused anyway is not recorded
    await check_free(request, caller, known.id, email)
    changes = body.changes()
    if fields := tuple(field for field in ProfileField if field in changes):
        event = PatientChanged(**event_context(request, caller), patient_id=known.id, fields=fields)
        await app.security.record(event)
    try:
        changed = await app.patients.change(known.id, change)
    except AddressTakenError:
        await check_free(request, caller, known.id, email)
        raise TransientError("the address was taken and is free again") from None
    if changed is None:
        raise not_found()
    return changed


async def check_free(request: Request, caller: Actor, patient_id: UUID, email: str | None) -> None:
    """Refuse an address that belongs to another patient.

    Raises:
        Problem: 409.
    """
    app = resources(request)
    other = await another_with(app, patient_id, email)
    if other is None:
        return
    # The answer tells that the address is a patient's: it is a search that found them.
    searched = PatientsSearched(**event_context(request, caller), by="email", patient_ids=(other.id,))
    await app.security.record(searched)
    raise Problem(Code.ADDRESS_TAKEN, "This email address belongs to another patient.")


async def another_with(app: Resources, patient_id: UUID, email: str | None) -> Registered | None:
    """The patient who has this address, if that is another one."""
    other = await app.patients.find_by_address(email) if email else None
    return None if other is None or other.id == patient_id else other


async def found(app: Resources, patient_id: UUID) -> Registered:
    """The patient. Raises Problem: 404."""
    known = await app.patients.find(patient_id)
    if known is None:
        raise not_found()
    return known


def patient_answer(
    app: Resources, patient: Registered, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """The patient's profile as an answer."""
    return answer(PatientView.of(patient), ZoneInfo(app.settings.time_zone), status, headers)
