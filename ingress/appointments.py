"""Writes about appointments: book, reschedule, cancel, note the outcome."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.commands import (
    Actor,
    ActorKind,
    BookAppointment,
    CancelAppointment,
    Outcome,
    RecordOutcome,
    RescheduleAppointment,
    made_id,
)
from contracts.fields import Code, Id, Instant, Lines, Model
from ingress.appointment_reads import find_appointment
from ingress.callers import AuthenticatedRoute, Caller, Staff
from ingress.openapi import write
from ingress.paths import PathId
from ingress.patients import REASON_CONTEXT
from ingress.problems import Code as ProblemCode
from ingress.problems import Problem, invalid
from ingress.resources import Resources, resources
from ingress.submit import Name, named, submit

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])


class BookBody(Model):
    """What is wanted. `patient_id` is for staff; patients book for themselves."""

    doctor_id: Id
    starts_at: Instant
    visit_type: Code
    reason: Lines | None = None
    patient_id: Id | None = None


class RescheduleBody(Model):
    """Where the appointment goes. Doctor and visit type stay as they are unless named."""

    starts_at: Instant
    doctor_id: Id | None = None
    visit_type: Code | None = None


class OutcomeBody(Model):
    """How the visit ended."""

    outcome: Outcome


@router.post(
    "/v1/appointments",
    summary="Book an appointment",
    **write(ProblemCode.FORBIDDEN, ProblemCode.UNKNOWN_PATIENT),
)
async def book_appointment(request: Request, caller: Caller, body: BookBody) -> Response:
    """The slot is taken if the decision says so, not before."""
    patient_id = _patient(caller, body.patient_id)
    asked = body.model_dump(mode="json") | {"patient_id": patient_id}
    name = named(request, caller, BookAppointment, **asked)
    command = BookAppointment(
        **name,
        doctor_id=body.doctor_id,
        appointment_id=made_id(name["command_id"], "appointment"),
        patient_id=patient_id,
        visit_type=body.visit_type,
        starts_at=body.starts_at,
        reason=await _sealed_reason(resources(request), caller, patient_id, body.reason),
    )
    return await submit(request, command)


@router.post(
    "/v1/appointments/{appointment_id}/reschedule",
    summary="Move an appointment",
    **write(ProblemCode.NOT_FOUND),
)
async def reschedule_appointment(
    request: Request, caller: Caller, appointment_id: PathId, body: RescheduleBody
) -> Response:
    """To another time, and perhaps another doctor, in one step: never both times or neither."""
    asked = body.model_dump(mode="json") | {"appointment_id": appointment_id}
    name = named(request, caller, RescheduleAppointment, **asked)
    doctor_id = await _doctor_asked(request, caller, name, appointment_id)
    command = RescheduleAppointment(
        **name,
        doctor_id=body.doctor_id or doctor_id,
        appointment_id=appointment_id,
        starts_at=body.starts_at,
        visit_type=body.visit_type,
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
    reason: Annotated[Code | None, Query(description="a code; for staff")] = None,
) -> Response:
    """Cancelling what is cancelled already is confirmed."""
    name = named(request, caller, CancelAppointment, appointment_id=appointment_id, reason=reason)
    if reason is not None and caller.kind is not ActorKind.STAFF:
        raise Problem(ProblemCode.FORBIDDEN, "Only staff give a reason.")
    command = CancelAppointment(
        **name,
        doctor_id=await _doctor_asked(request, caller, name, appointment_id),
        appointment_id=appointment_id,
        reason=reason,
    )
    return await submit(request, command)


@router.post(
    "/v1/appointments/{appointment_id}/outcome",
    summary="Note how a visit ended",
    **write(ProblemCode.FORBIDDEN, ProblemCode.NOT_FOUND),
)
async def record_outcome(
    request: Request, caller: Staff, appointment_id: PathId, body: OutcomeBody
) -> Response:
    """Staff only, once the visit has begun."""
    name = named(request, caller, RecordOutcome, appointment_id=appointment_id, outcome=body.outcome)
    command = RecordOutcome(
        **name,
        doctor_id=await _doctor_asked(request, caller, name, appointment_id),
        appointment_id=appointment_id,
        outcome=body.outcome,
    )
    return await submit(request, command)


async def _doctor_asked(request: Request, caller: Actor, name: Name, appointment_id: UUID) -> UUID:
    """The doctor whom a command that names none is about: of a repeated one, the one of the first time.

    Raises:
        Problem: 404, there is no such appointment that the caller may know of.
    """
    here = resources(request)
    appointment = await find_appointment(here, caller, appointment_id)
    key = await here.pool.fetchval(
        """
        SELECT key FROM booking.events WHERE subject = $1 AND subject <> key AND command_id = $2 LIMIT 1
        """,
        *(str(appointment_id), name["command_id"]),
    )
    return appointment.doctor_id if key is None else UUID(key)


def _patient(caller: Actor, named: UUID | None) -> UUID:
    if caller.kind is ActorKind.STAFF:
        if named is None:
            raise invalid("/patient_id", "missing", "Staff book for a patient.")
        return named
    if named not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients book for themselves.")
    return caller.id


async def _sealed_reason(here: Resources, caller: Actor, patient_id: UUID, reason: str | None) -> str | None:
    if not await here.patients.is_known(patient_id):
        if caller.kind is ActorKind.STAFF:
            raise Problem(ProblemCode.UNKNOWN_PATIENT, "There is no such patient.")
        raise Problem(ProblemCode.UNAUTHENTICATED, "A valid access token is needed.")
    data_key = None if reason is None else await here.patients.data_key(patient_id)
    return data_key.seal_text(reason, REASON_CONTEXT) if data_key and reason else None
