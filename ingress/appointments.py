"""Appointments: book and cancel, read one or a page."""

from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from contracts.command_resource import CommandResource
from contracts.commands import Actor, ActorKind, BookAppointment, CancelAppointment, made_id
from contracts.fields import Code, Id, Instant, Lines, Model
from ingress.callers import AuthenticatedRoute, Caller
from ingress.paging import PAGE_SIZE, Cursor, Limit, bad_cursor, cursor_after, key_before
from ingress.paths import PathId
from ingress.patients import REASON_CONTEXT
from ingress.problems import Code as ProblemCode
from ingress.problems import Problem, invalid, not_found
from ingress.resources import Resources, resources
from ingress.submit import command_id, submit
from ingress.views import AppointmentList, AppointmentView
from scheduling.rows import appointment_from_row
from scheduling.state import Appointment, Status

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


class BookBody(Model):
    """What is wanted. `patient_id` is for staff; patients book for themselves."""

    doctor_id: Id
    starts_at: Instant
    visit_type: Code
    reason: Lines | None = None
    patient_id: Id | None = None


@router.post(
    "/v1/appointments", response_model=CommandResource, status_code=202, summary="Book an appointment"
)
async def book_appointment(request: Request, caller: Caller, body: BookBody) -> Response:
    """The slot is taken if the decision says so, not before."""
    here = resources(request)
    id_ = command_id(request, caller)
    patient_id = _patient(caller, body.patient_id)
    asked = body.model_dump(mode="json") | {"type": "BookAppointment", "patient_id": str(patient_id)}
    command = BookAppointment(
        command_id=id_,
        fingerprint=here.keys.fingerprint(asked),
        actor=caller,
        doctor_id=body.doctor_id,
        appointment_id=made_id(id_, "appointment"),
        patient_id=patient_id,
        visit_type=body.visit_type,
        starts_at=body.starts_at,
        reason=await _sealed_reason(here, caller, patient_id, body.reason),
    )
    return await submit(request, command)


@router.delete(
    "/v1/appointments/{appointment_id}",
    response_model=CommandResource,
    status_code=202,
    summary="Cancel an appointment",
)
async def cancel_appointment(
    request: Request,
    caller: Caller,
    appointment_id: PathId,
    reason: Annotated[Code | None, Query(description="a code; for staff")] = None,
) -> Response:
    """Cancelling what is cancelled already is confirmed."""
    here = resources(request)
    id_ = command_id(request, caller)
    if reason is not None and caller.kind is not ActorKind.STAFF:
        raise Problem(ProblemCode.FORBIDDEN, "Only staff give a reason.")
    appointment = await _find(here, caller, appointment_id)
    command = CancelAppointment(
        command_id=id_,
        # Not of the doctor, who may be another one when the request is repeated.
        fingerprint=here.keys.fingerprint(
            {"type": "CancelAppointment", "appointment_id": str(appointment_id), "reason": reason}
        ),
        actor=caller,
        doctor_id=appointment.doctor_id,
        appointment_id=appointment_id,
        reason=reason,
    )
    return await submit(request, command)


@router.get("/v1/appointments/{appointment_id}", response_model=AppointmentView, summary="One appointment")
async def get_appointment(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """For its patient and for staff."""
    here = resources(request)
    appointment = await _find(here, caller, appointment_id)
    view = AppointmentView.of(appointment, ZoneInfo(here.settings.time_zone))
    return Response(view.model_dump_json(), media_type="application/json")


@router.get("/v1/appointments", response_model=AppointmentList, summary="List appointments")
async def list_appointments(
    request: Request,
    caller: Caller,
    status: Status | None = None,
    starts_from: Annotated[Instant | None, Query(alias="from", description="earliest start")] = None,
    starts_until: Annotated[Instant | None, Query(alias="to", description="start before this")] = None,
    doctor_id: Id | None = None,
    patient_id: Id | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """By start. Patients see their own; staff see all."""
    here = resources(request)
    after_start, after_id = _key(cursor)
    rows = await here.pool.fetch(
        """
        SELECT * FROM booking.appointments
        WHERE ($1::uuid IS NULL OR patient_id = $1) AND ($2::uuid IS NULL OR doctor_id = $2)
            AND ($3::text IS NULL OR status = $3)
            AND ($4::timestamptz IS NULL OR starts_at >= $4) AND ($5::timestamptz IS NULL OR starts_at < $5)
            AND ($6::timestamptz IS NULL OR (starts_at, id) > ($6, $7))
        ORDER BY starts_at, id LIMIT $8
        """,
        *(_patient_filter(caller, patient_id), doctor_id, status, starts_from, starts_until),
        *(after_start, after_id, limit + 1),
    )
    zone = ZoneInfo(here.settings.time_zone)
    items = [appointment_from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    page = AppointmentList(
        items=[AppointmentView.of(item, zone) for item in items],
        next_cursor=cursor_after([items[-1].visit.starts.isoformat(), str(items[-1].id)]) if more else None,
    )
    return Response(page.model_dump_json(), media_type="application/json")


def _patient(caller: Actor, named: UUID | None) -> UUID:
    if caller.kind is ActorKind.STAFF:
        if named is None:
            raise invalid("/patient_id", "missing", "Staff book for a patient.")
        return named
    if named not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients book for themselves.")
    return caller.id


async def _sealed_reason(here: Resources, caller: Actor, patient_id: UUID, reason: str | None) -> str | None:
    data_key = await here.patients.data_key(patient_id)
    if data_key is None:
        if caller.kind is ActorKind.STAFF:
            raise Problem(ProblemCode.UNKNOWN_PATIENT, "There is no such patient.")
        raise Problem(ProblemCode.UNAUTHENTICATED, "A valid access token is needed.")
    return None if reason is None else data_key.seal_text(reason, REASON_CONTEXT)


async def _find(here: Resources, caller: Actor, appointment_id: UUID) -> Appointment:
    row = await here.pool.fetchrow("SELECT * FROM booking.appointments WHERE id = $1", appointment_id)
    if row is None or (caller.kind is ActorKind.PATIENT and row["patient_id"] != caller.id):
        raise not_found()
    return appointment_from_row(row)


def _patient_filter(caller: Actor, wanted: UUID | None) -> UUID | None:
    if caller.kind is ActorKind.STAFF:
        return wanted
    if wanted not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients see their own appointments.")
    return caller.id


def _key(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    starts_at, id_ = key_before(cursor, 2)
    try:
        return _INSTANT.validate_python(starts_at), UUID(id_)
    except ValueError:
        raise bad_cursor() from None
