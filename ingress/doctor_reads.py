"""Reads of doctors, for anyone: a page, one, the weekly hours."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.fields import Line
from ingress.bodies import StrictRoute
from ingress.openapi import open_answers
from ingress.paging import PAGE_SIZE, Cursor, Limit, cursor_after, key_before
from ingress.paths import PathId
from ingress.problems import Code, not_found
from ingress.resources import Resources, resources
from ingress.views import DoctorList, DoctorView, ScheduleView
from scheduling.rows import doctor_from_row
from scheduling.state import Doctor

router = APIRouter(route_class=StrictRoute, tags=["doctors"])


@router.get(
    "/v1/doctors",
    response_model=DoctorList,
    summary="List doctors",
    responses=open_answers(Code.INVALID_FIELDS),
)
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


@router.get(
    "/v1/doctors/{doctor_id}",
    response_model=DoctorView,
    summary="One doctor",
    responses=open_answers(Code.NOT_FOUND),
)
async def get_doctor(request: Request, doctor_id: PathId) -> Response:
    """With visit types and policy."""
    doctor = await find_doctor(resources(request), doctor_id)
    return Response(DoctorView.of(doctor).model_dump_json(), media_type="application/json")


@router.get(
    "/v1/doctors/{doctor_id}/schedule",
    response_model=ScheduleView,
    summary="A doctor's weekly hours",
    responses=open_answers(Code.NOT_FOUND),
)
async def get_schedule(request: Request, doctor_id: PathId) -> Response:
    """In the doctor's local time."""
    doctor = await find_doctor(resources(request), doctor_id)
    schedule = ScheduleView(doctor_id=doctor.id, time_zone=doctor.time_zone, hours=doctor.hours)
    return Response(schedule.model_dump_json(), media_type="application/json")


async def find_doctor(here: Resources, doctor_id: UUID) -> Doctor:
    """The doctor.

    Raises:
        Problem: 404.
    """
    row = await here.pool.fetchrow("SELECT * FROM booking.doctor_books WHERE id = $1", doctor_id)
    if row is None:
        raise not_found()
    return doctor_from_row(row)
