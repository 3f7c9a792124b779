"""Doctors: register them, set their hours, read both."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.command_resource import CommandResource
from contracts.commands import RegisterDoctor, SetWeeklyHours, made_id
from contracts.doctors import Policy, VisitTypes, WeeklyHours
from contracts.fields import Id, Line, Model, TimeZone
from ingress.bodies import StrictRoute
from ingress.callers import AuthenticatedRoute, Staff
from ingress.paging import PAGE_SIZE, Cursor, Limit, cursor_after, key_before
from ingress.paths import PathId
from ingress.problems import not_found
from ingress.resources import Resources, resources
from ingress.submit import command_id, submit
from ingress.views import DoctorList, DoctorView, ScheduleView
from scheduling.rows import doctor_from_row
from scheduling.state import Doctor

reads = APIRouter(route_class=StrictRoute, tags=["doctors"])
writes = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


class RegisterBody(Model):
    """A new doctor. `id` only to keep one from another system."""

    id: Id | None = None
    name: Line
    specialty: Line
    time_zone: TimeZone | None = None
    visit_types: VisitTypes
    policy: Policy = Policy()


class ScheduleBody(Model):
    """The weekly hours, all of them."""

    hours: WeeklyHours


@writes.post("/v1/doctors", response_model=CommandResource, status_code=202, summary="Register a doctor")
async def register_doctor(request: Request, caller: Staff, body: RegisterBody) -> Response:
    """Staff only. The doctor has no hours yet. The time zone is the clinic's if none is given."""
    here = resources(request)
    id_ = command_id(request, caller)
    command = RegisterDoctor(
        command_id=id_,
        fingerprint=here.keys.fingerprint({"type": "RegisterDoctor", **body.model_dump(mode="json")}),
        actor=caller,
        doctor_id=body.id or made_id(id_, "doctor"),
        name=body.name,
        specialty=body.specialty,
        time_zone=body.time_zone or here.settings.time_zone,
        visit_types=body.visit_types,
        policy=body.policy,
    )
    return await submit(request, command)


@writes.put(
    "/v1/doctors/{doctor_id}/schedule",
    response_model=CommandResource,
    status_code=202,
    summary="Set a doctor's weekly hours",
)
async def set_schedule(request: Request, caller: Staff, doctor_id: PathId, body: ScheduleBody) -> Response:
    """Staff only. Replaces all hours. Bookings that no longer fit stay."""
    asked = {"type": "SetWeeklyHours", "doctor_id": str(doctor_id), **body.model_dump(mode="json")}
    command = SetWeeklyHours(
        command_id=command_id(request, caller),
        fingerprint=resources(request).keys.fingerprint(asked),
        actor=caller,
        doctor_id=doctor_id,
        hours=body.hours,
    )
    return await submit(request, command)


@reads.get("/v1/doctors", response_model=DoctorList, summary="List doctors")
async def list_doctors(
    request: Request,
    specialty: Annotated[Line | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """By name, then id."""
    after = ["", "00000000-0000-0000-0000-000000000000"]
    if cursor is not None:
        after = key_before(cursor, 2)
    rows = await resources(request).pool.fetch(
        """
        SELECT * FROM booking.doctor_books
        WHERE (name, id::text) > ($1, $2) AND ($3::text IS NULL OR specialty = $3)
        ORDER BY name, id::text LIMIT $4
        """,
        *(*after, specialty, limit + 1),
    )
    doctors = [DoctorView.of(doctor_from_row(row)) for row in rows[:limit]]
    more = len(rows) > limit
    page = DoctorList(
        items=doctors, next_cursor=cursor_after([doctors[-1].name, str(doctors[-1].id)]) if more else None
    )
    return Response(page.model_dump_json(), media_type="application/json")


@reads.get("/v1/doctors/{doctor_id}", response_model=DoctorView, summary="One doctor")
async def get_doctor(request: Request, doctor_id: PathId) -> Response:
    """With visit types and policy."""
    doctor = await _find(resources(request), doctor_id)
    return Response(DoctorView.of(doctor).model_dump_json(), media_type="application/json")


@reads.get("/v1/doctors/{doctor_id}/schedule", response_model=ScheduleView, summary="A doctor's weekly hours")
async def get_schedule(request: Request, doctor_id: PathId) -> Response:
    """In the doctor's local time."""
    doctor = await _find(resources(request), doctor_id)
    schedule = ScheduleView(doctor_id=doctor.id, time_zone=doctor.time_zone, hours=doctor.hours)
    return Response(schedule.model_dump_json(), media_type="application/json")


async def _find(here: Resources, doctor_id: UUID) -> Doctor:
    row = await here.pool.fetchrow("SELECT * FROM booking.doctor_books WHERE id = $1", doctor_id)
    if row is None:
        raise not_found()
    return doctor_from_row(row)
