"""The patients' directory over HTTP: for staff, and for each patient alone."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field, Strict
from pydantic_core import PydanticCustomError

from contracts.commands import Actor, ActorKind, CancelAppointment
from contracts.fields import Line, Model
from ingress.callers import AuthenticatedRoute, OnlyPatient, Staff
from ingress.openapi import BODY_PROBLEMS, LOCATION, answers
from ingress.paths import PathId
from ingress.patients import ADDRESS, AddressTakenError, Profile, Registered
from ingress.problems import Code, Problem, not_found
from ingress.resources import Resources, resources
from ingress.views import local

FORGOTTEN = "patient_forgotten"

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise PydanticCustomError("email", "A mail address is needed")
    return value


Email = Annotated[str, Strict(), Field(max_length=254), AfterValidator(_address)]
Phone = Annotated[str, Strict(), Field(pattern=r"^\+?[0-9 ()/.-]{3,40}$")]
Language = Literal["en", "de"]


class PatientBody(Model):
    """A new patient."""

    email: Email
    name: Line | None = None
    phone: Phone | None = None
    language: Language = "en"


class ProfileChange(Model):
    """What changes; the rest stays. Null takes a name or a phone away."""

    email: Email | None = None
    name: Line | None = None
    phone: Phone | None = None
    language: Language | None = None


class PatientView(Model):
    """A patient, as staff and the patient see it."""

    id: UUID
    email: str
    name: str | None
    phone: str | None
    language: str
    created_at: str


class PatientList(Model):
    """Patients; one mail address belongs to at most one."""

    items: list[PatientView]
    next_cursor: str | None


@router.post(
    "/v1/patients",
    response_model=PatientView,
    status_code=201,
    summary="Register a patient",
    responses={
        200: {"model": PatientView, "description": "The address is known already: the patient as they are."},
        201: {"description": "Registered.", "headers": {"Location": LOCATION}},
        **answers(Code.FORBIDDEN, *BODY_PROBLEMS),
    },
)
async def register_patient(request: Request, caller: Staff, body: PatientBody) -> Response:
    """Staff only. 200 with the patient as they are if the address is known already."""
    here = resources(request)
    added = await here.patients.add(Profile(**body.model_dump()))
    if added is not None:
        return _answer(here, await _found(here, added), 201, {"Location": f"/v1/patients/{added}"})
    known = await here.patients.find_by_address(body.email)
    if known is None:
        raise not_found()  # the one with the address was forgotten this moment
    return _answer(here, known)


@router.get(
    "/v1/patients",
    response_model=PatientList,
    summary="Find a patient",
    responses=answers(Code.FORBIDDEN, Code.INVALID_FIELDS),
)
async def find_patients(request: Request, caller: Staff, email: Annotated[Email, Query()]) -> Response:
    """Staff only. By mail address, upper or lower case."""
    here = resources(request)
    known = await here.patients.find_by_address(email)
    page = PatientList(items=[] if known is None else [_view(here, known)], next_cursor=None)
    return Response(page.model_dump_json(), media_type="application/json")


@router.get(
    "/v1/patients/{patient_id}",
    response_model=PatientView,
    summary="One patient",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def get_patient(request: Request, caller: Staff, patient_id: PathId) -> Response:
    """Staff only."""
    here = resources(request)
    return _answer(here, await _found(here, patient_id))


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
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.ADDRESS_TAKEN, *BODY_PROBLEMS),
)
async def change_me(request: Request, caller: OnlyPatient, body: ProfileChange) -> Response:
    """For patients. 409 if the new address is another patient's."""
    here = resources(request)
    known = await _found(here, caller.id)
    changes = body.model_dump(exclude_unset=True)
    for required in ("email", "language"):
        if changes.get(required, "") is None:
            del changes[required]
    try:
        await here.patients.change(caller.id, replace(known.profile, **changes))
    except AddressTakenError:
        raise Problem(Code.ADDRESS_TAKEN, "This mail address belongs to another patient.") from None
    return _answer(here, await _found(here, caller.id))


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
    await _cancel_upcoming(here, caller.id)
    await here.patients.forget(caller.id)
    # Nothing new is taken from here on; what was decided since the first look goes, too.
    await _cancel_upcoming(here, caller.id)
    return Response(status_code=204)


async def _cancel_upcoming(here: Resources, patient_id: UUID) -> None:
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
        await here.log.append(command, None)


async def _found(here: Resources, patient_id: UUID) -> Registered:
    known = await here.patients.find(patient_id)
    if known is None:
        raise not_found()
    return known


def _view(here: Resources, known: Registered) -> PatientView:
    profile = known.profile
    return PatientView(
        id=known.id,
        email=profile.email,
        name=profile.name,
        phone=profile.phone,
        language=profile.language,
        created_at=local(known.created_at, ZoneInfo(here.settings.time_zone)),
    )


def _answer(
    here: Resources, known: Registered, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(_view(here, known).model_dump_json(), status, headers, "application/json")
