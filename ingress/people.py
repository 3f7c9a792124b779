"""The patients' directory over HTTP: for staff, and for each patient alone."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from contracts.commands import Actor, ActorKind, CancelAppointment
from contracts.security import (
    PatientChanged,
    PatientForgotten,
    PatientRead,
    PatientRegistered,
    PatientsSearched,
)
from infra import clock
from infra.errors import TransientError
from ingress.callers import AuthenticatedRoute, OnlyPatient, Staff
from ingress.openapi import BODY_PROBLEMS, LOCATION, answers
from ingress.paths import PathId
from ingress.patients import AddressTakenError, Registered
from ingress.problems import Code, Problem, not_found
from ingress.profiles import Email, PatientBody, PatientList, PatientView, ProfileChange
from ingress.resources import Resources, resources
from ingress.security import told
from ingress.tracing import traceparent
from ingress.views import local

FORGOTTEN = "patient_forgotten"

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


@router.post(
    "/v1/patients",
    response_model=PatientView,
    status_code=201,
    summary="Register a patient",
    responses={
        200: {"model": PatientView, "description": "The address is known already: the patient as they are."},
        201: {"description": "Registered.", "headers": {"Location": LOCATION}},
        **answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
    },
)
async def register_patient(request: Request, caller: Staff, body: PatientBody) -> Response:
    """Staff only. Recorded before it is done. 200 with the patient as they are if the address is known."""
    here = resources(request)
    profile = body.profile(here.settings.language)
    known = await here.patients.find_by_address(body.email)
    if known is None:
        new = clock.new_id()
        await here.security.record(PatientRegistered(**told(request, caller), patient_id=new))
        if await here.patients.add(profile, new):
            return _answer(here, await _found(here, new), 201, {"Location": f"/v1/patients/{new}"})
        known = await here.patients.find_by_address(body.email)
    if known is None:
        raise not_found()  # the one with the address was forgotten this moment
    await here.security.record(PatientRead(**told(request, caller), patient_id=known.id))
    return _answer(here, known)


@router.get(
    "/v1/patients",
    response_model=PatientList,
    summary="Find a patient",
    responses=answers(Code.FORBIDDEN, Code.INVALID_FIELDS, Code.LOG_UNAVAILABLE),
)
async def find_patients(request: Request, caller: Staff, email: Annotated[Email, Query()]) -> Response:
    """Staff only. By mail address, upper or lower case. Recorded before it is answered."""
    here = resources(request)
    known = await here.patients.find_by_address(email)
    found = [] if known is None else [known]
    ids = tuple(one.id for one in found)
    await here.security.record(PatientsSearched(**told(request, caller), by="email", patient_ids=ids))
    page = PatientList(items=[_view(here, one) for one in found], next_cursor=None)
    return Response(page.model_dump_json(), media_type="application/json")


@router.get(
    "/v1/patients/{patient_id}",
    response_model=PatientView,
    summary="One patient",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
)
async def get_patient(request: Request, caller: Staff, patient_id: PathId) -> Response:
    """Staff only. Recorded before it is answered."""
    here = resources(request)
    known = await _found(here, patient_id)
    await here.security.record(PatientRead(**told(request, caller), patient_id=patient_id))
    return _answer(here, known)


@router.patch(
    "/v1/patients/{patient_id}",
    response_model=PatientView,
    summary="Change a patient's profile",
    responses=answers(
        *(Code.FORBIDDEN, Code.NOT_FOUND, Code.ADDRESS_TAKEN, Code.LOG_UNAVAILABLE), *BODY_PROBLEMS
    ),
)
async def change_patient(
    request: Request, caller: Staff, patient_id: PathId, body: ProfileChange
) -> Response:
    """Staff only. Recorded before it is done. 409 if the new address is another patient's."""
    here = resources(request)
    known = await _found(here, patient_id)
    await here.security.record(PatientRead(**told(request, caller), patient_id=patient_id))
    return _answer(here, await _changed(request, caller, known, body))


@router.get(
    "/v1/me",
    response_model=PatientView,
    summary="My profile",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def get_me(request: Request, caller: OnlyPatient) -> Response:
    """For patients."""
    here = resources(request)
    return _answer(here, await _found(here, caller.id))


@router.patch(
    "/v1/me",
    response_model=PatientView,
    summary="Change my profile",
    responses=answers(
        *(Code.FORBIDDEN, Code.NOT_FOUND, Code.ADDRESS_TAKEN, Code.LOG_UNAVAILABLE), *BODY_PROBLEMS
    ),
)
async def change_me(request: Request, caller: OnlyPatient, body: ProfileChange) -> Response:
    """For patients. Recorded before it is done. 409 if the new address is another patient's."""
    here = resources(request)
    known = await _found(here, caller.id)
    return _answer(here, await _changed(request, caller, known, body))


@router.delete(
    "/v1/me",
    status_code=204,
    summary="Forget me",
    responses={
        204: {"description": "Forgotten."},
        **answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
    },
)
async def forget_me(request: Request, caller: OnlyPatient) -> Response:
    """For patients. Upcoming appointments are cancelled; what happened stays on record, without a name."""
    here = resources(request)
    await _found(here, caller.id)
    await _cancel_upcoming(request, caller.id)
    # Before it is done: never a patient who is gone without a record. The same event when asked again.
    event_id = uuid5(caller.id, FORGOTTEN)
    await here.security.record(PatientForgotten(**told(request, caller, event_id), patient_id=caller.id))
    await here.patients.forget(caller.id)
    # Nothing new is taken from here on; what was decided since the first look goes, too.
    await _cancel_upcoming(request, caller.id)
    return Response(status_code=204)


async def _cancel_upcoming(request: Request, patient_id: UUID) -> None:
    here = resources(request)
    rows = await here.pool.fetch(
        """
        SELECT id, doctor_id FROM booking.appointments
        WHERE patient_id = $1 AND status = 'booked' AND starts_at > now()
        """,
        patient_id,
    )
    for row in rows:
        command_id = uuid5(row["id"], FORGOTTEN)  # the same when the patient asks again
        command = CancelAppointment(
            command_id=command_id,
            fingerprint=here.keys.fingerprint(
                {"type": "CancelAppointment", "appointment_id": str(row["id"])}
            ),
            actor=Actor(kind=ActorKind.SYSTEM, id=patient_id),
            doctor_id=row["doctor_id"],
            appointment_id=row["id"],
            reason=FORGOTTEN,
        )
        await here.log.append(command, traceparent(request))


async def _changed(request: Request, caller: Actor, known: Registered, body: ProfileChange) -> Registered:
    here = resources(request)
    body.of(known.profile)  # what is refused anyway is not recorded
    await _check_free(request, caller, known.id, body.email)
    if fields := tuple(body.changes()):
        change = PatientChanged(**told(request, caller), patient_id=known.id, fields=fields)
        await here.security.record(change)
    try:
        changed = await here.patients.change(known.id, body.of)
    except AddressTakenError:
        await _check_free(request, caller, known.id, body.email)
        raise TransientError("the address was taken this moment, and is free again") from None
    if changed is None:
        raise not_found()
    return changed


async def _check_free(request: Request, caller: Actor, patient_id: UUID, email: str | None) -> None:
    here = resources(request)
    other = await here.patients.find_by_address(email) if email else None
    if other is None or other.id == patient_id:
        return
    # The answer tells that the address is a patient's: it is a search that found them.
    found = PatientsSearched(**told(request, caller), by="email", patient_ids=(other.id,))
    await here.security.record(found)
    raise Problem(Code.ADDRESS_TAKEN, "This mail address belongs to another patient.")


async def _found(here: Resources, patient_id: UUID) -> Registered:
    known = await here.patients.find(patient_id)
    if known is None:
        raise not_found()
    return known


def _view(here: Resources, known: Registered) -> PatientView:
    created_at = local(known.created_at, ZoneInfo(here.settings.time_zone))
    return PatientView(id=known.id, created_at=created_at, **asdict(known.profile))


def _answer(
    here: Resources, known: Registered, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(_view(here, known).model_dump_json(), status, headers, "application/json")
