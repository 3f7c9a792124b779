"""Writes about appointments: book, reschedule, cancel, record the outcome."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from contracts.commands import (
    Actor,
    ActorKind,
    BookAppointment,
    CancelAppointment,
    RecordOutcome,
    RescheduleAppointment,
    VisitOutcome,
    derived_id,
)
from contracts.fields import Code, Id, Instant, MultiLineText, StrictModel
from infra.crypto.sealing import DataKey
from infra.queries import load_queries
from ingress.booking.reads import find_appointment
from ingress.commands.submit import CommandIdentity, command_id_of, identify, submit
from ingress.http.auth import AuthenticatedRoute, Caller, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code as ProblemCode
from ingress.http.problems import Problem, invalid
from ingress.openapi.responses import write
from ingress.resources import Resources, resources
from storage.patients import REASON

_SQL = load_queries(Path(__file__).with_name("queries.sql"))

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])


class BookBody(StrictModel):
    """An appointment to book. `patient_id` is for staff; patients book for themselves."""

    doctor_id: Id
    starts_at: Instant
    visit_type: Code
    reason: MultiLineText | None = None
    patient_id: Id | None = None


EXPECTED = "the version that the appointment must have, else it is refused as `changed_meanwhile`"
Version = Annotated[int, Field(strict=True, ge=1, description=EXPECTED)]


class RescheduleBody(StrictModel):
    """The new time. Doctor and visit type stay the same unless given."""

    starts_at: Instant
    doctor_id: Id | None = None
    visit_type: Code | None = None
    expected_version: Version | None = None


class CancelReason(StrEnum):
    """The reasons that staff give for a cancellation. A code, as it stays on the log: no free text."""

    DOCTOR_ILL = "doctor_ill"
    DOCTOR_AWAY = "doctor_away"
    ILLNESS = "illness"
    PATIENT_ASKED = "patient_asked"
    BOOKED_BY_MISTAKE = "booked_by_mistake"
    MOVED_ELSEWHERE = "moved_elsewhere"
    EQUIPMENT = "equipment"
    OTHER = "other"


class OutcomeBody(StrictModel):
    """The outcome of a visit."""

    outcome: VisitOutcome
    expected_version: Version | None = None


@router.post(
    "/v1/appointments",
    summary="Book an appointment",
    **write(ProblemCode.FORBIDDEN, ProblemCode.UNKNOWN_PATIENT),
)
async def book_appointment(request: Request, caller: Caller, body: BookBody) -> Response:
    """The slot is booked once the command is confirmed, not before."""
    patient_id = _patient(caller, body.patient_id)
    command_id = command_id_of(request, caller)
    data_key = await _data_key(resources(request), caller, patient_id)
    said = body.said() | {"patient_id": patient_id}
    identity = identify(request, caller, BookAppointment, data_key=data_key, **said)
    appointment_id = derived_id(command_id, "appointment")
    command = BookAppointment(
        **identity,
        doctor_id=body.doctor_id,
        appointment_id=appointment_id,
        patient_id=patient_id,
        visit_type=body.visit_type,
        starts_at=body.starts_at,
        reason=data_key.seal_text(body.reason, REASON, appointment_id) if body.reason else None,
    )
    return await submit(request, command)


@router.post(
    "/v1/appointments/{appointment_id}/reschedule",
    summary="Reschedule an appointment",
    **write(ProblemCode.NOT_FOUND),
)
async def reschedule_appointment(
    request: Request, caller: Caller, appointment_id: PathId, body: RescheduleBody
) -> Response:
    """To another time and optionally another doctor, in one step: never both times or neither."""
    said = body.said() | {"appointment_id": appointment_id}
    identity = identify(request, caller, RescheduleAppointment, **said)
    command = RescheduleAppointment(
        **identity,
        doctor_id=await _doctor_addressed(request, caller, identity, appointment_id, body.doctor_id),
        appointment_id=appointment_id,
        starts_at=body.starts_at,
        visit_type=body.visit_type,
        expected_version=body.expected_version,
    )
    return await submit(request, command)


@router.delete(
    "/v1/appointments/{appointment_id}",
    summary="Cancel an appointment",
    **write(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND, ProblemCode.INVALID_FIELDS, body=False),
)
async def cancel_appointment(
    request: Request,
    caller: Caller,
    appointment_id: PathId,
    reason: Annotated[CancelReason | None, Query(description="the reason; staff only")] = None,
    expected_version: Annotated[int | None, Query(ge=1, description=EXPECTED)] = None,
) -> Response:
    """Idempotent: cancelling a cancelled appointment is confirmed and changes nothing."""
    said: dict[str, Any] = {"appointment_id": appointment_id, "reason": reason}
    if expected_version is not None:
        said["expected_version"] = expected_version
    identity = identify(request, caller, CancelAppointment, **said)
    if reason is not None and caller.kind is not ActorKind.STAFF:
        raise Problem(ProblemCode.FORBIDDEN, "Only staff can give a reason.")
    command = CancelAppointment(
        **identity,
        doctor_id=await _doctor_addressed(request, caller, identity, appointment_id),
        appointment_id=appointment_id,
        reason=reason,
        expected_version=expected_version,
    )
    return await submit(request, command)


@router.post(
    "/v1/appointments/{appointment_id}/outcome",
    summary="Record the outcome of a visit",
    **write(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND),
)
async def record_outcome(
    request: Request, caller: Staff, appointment_id: PathId, body: OutcomeBody
) -> Response:
    """Staff only, after the visit has started.

    Can be corrected until the end of the day after the visit, in the doctor's zone.
    """
    said = body.said() | {"appointment_id": appointment_id}
    identity = identify(request, caller, RecordOutcome, **said)
    command = RecordOutcome(
        **identity,
        doctor_id=await _doctor_addressed(request, caller, identity, appointment_id),
        appointment_id=appointment_id,
        outcome=body.outcome,
        expected_version=body.expected_version,
    )
    return await submit(request, command)


async def _doctor_addressed(
    request: Request,
    caller: Actor,
    identity: CommandIdentity,
    appointment_id: UUID,
    named: UUID | None = None,
) -> UUID:
    """The doctor whom a command about an appointment is sent to; where it names none, the appointment's.

    That is the one the appointment had at the first try: a retry is the same command, wherever it is by then.

    Raises:
        Problem: 404, there is no such appointment that the caller may know of.
    """
    app = resources(request)
    appointment = await find_appointment(app, caller, appointment_id)
    if named is not None:
        return named
    doctor_id: UUID | None = await app.pool.fetchval(
        _SQL["first_doctor"], identity["command_id"], appointment_id, appointment["doctor_id"]
    )
    assert doctor_id is not None, "it was inserted or is there"
    return doctor_id


def _patient(caller: Actor, named: UUID | None) -> UUID:
    if caller.kind is ActorKind.STAFF:
        if named is None:
            raise invalid("/patient_id", "missing", "`patient_id` is required for staff.")
        return named
    if named not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients can book only for themselves.")
    return caller.id


async def _data_key(app: Resources, caller: Actor, patient_id: UUID) -> DataKey:
    data_key = await app.patients.data_key(patient_id)
    if data_key is not None:
        return data_key
    if caller.kind is ActorKind.STAFF:
        raise Problem(ProblemCode.UNKNOWN_PATIENT, "Unknown patient.")
    raise Problem(ProblemCode.UNAUTHENTICATED, "A valid access token is required.")
