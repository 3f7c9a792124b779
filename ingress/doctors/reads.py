"""Reads of doctors, for anyone: a list, one doctor, the weekly hours."""

import unicodedata
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.doctors import Hours, Policy, VisitType
from contracts.fields import SingleLineText
from infra.postgres import Connection
from infra.queries import load_queries
from ingress.http.parameters import PAGE_SIZE, Cursor, Limit, PathId, cursor_after, key_before
from ingress.http.problems import Code, not_found
from ingress.http.strict_json import StrictRoute
from ingress.http.views import View, answer
from ingress.openapi.responses import open_answers
from ingress.resources import Resources, resources
from scheduling.state import Doctor
from storage.rows import doctor_from_row

FIRST_KEY = ("", "00000000-0000-0000-0000-000000000000")

router = APIRouter(route_class=StrictRoute, tags=["doctors"])
_SQL = load_queries(Path(__file__).with_name("queries.sql"))


class DoctorView(View):
    """A doctor."""

    id: UUID
    name: str
    specialty: str
    time_zone: str
    active: bool
    visit_types: tuple[VisitType, ...]
    policy: Policy


class DoctorList(View):
    """A page of doctors."""

    items: list[DoctorView]
    next_cursor: str | None


class ScheduleView(View):
    """A doctor's weekly hours, local to `time_zone`."""

    doctor_id: UUID
    time_zone: str
    hours: tuple[Hours, ...]


@router.get(
    "/v1/doctors",
    response_model=DoctorList,
    summary="List doctors",
    responses=open_answers(Code.INVALID_FIELDS),
)
async def list_doctors(
    request: Request,
    specialty: Annotated[SingleLineText | None, Query(description="only doctors of this specialty")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """Sorted by name."""
    name, id_ = doctor_before(cursor)
    asked = unicodedata.normalize("NFC", specialty) if specialty else None
    rows = await resources(request).pool.fetch(_SQL["page"], name, id_, asked, limit + 1)
    found = [doctor_from_row(row) for row in rows[:limit]]
    next_cursor = after_doctor(found[-1]) if len(rows) > limit else None
    items = [DoctorView.model_validate(doctor) for doctor in found]
    return answer(DoctorList(items=items, next_cursor=next_cursor))


@router.get(
    "/v1/doctors/{doctor_id}",
    response_model=DoctorView,
    summary="Get a doctor",
    responses=open_answers(Code.NOT_FOUND),
)
async def get_doctor(request: Request, doctor_id: PathId) -> Response:
    """Includes visit types and policy."""
    doctor = await find_doctor(resources(request), doctor_id)
    return answer(DoctorView.model_validate(doctor))


@router.get(
    "/v1/doctors/{doctor_id}/schedule",
    response_model=ScheduleView,
    summary="Weekly hours of a doctor",
    responses=open_answers(Code.NOT_FOUND),
)
async def get_schedule(request: Request, doctor_id: PathId) -> Response:
    """In the doctor's local time."""
    doctor = await find_doctor(resources(request), doctor_id)
    return answer(ScheduleView(doctor_id=doctor.id, time_zone=doctor.time_zone, hours=doctor.hours))


def doctor_before(cursor: str | None) -> list[str]:
    """The name and the id of the last doctor seen in a list by name.

    Raises:
        Problem: 422, the cursor is not one of such a list.
    """
    return list(FIRST_KEY) if cursor is None else key_before(cursor, 2)


def after_doctor(doctor: Doctor) -> str:
    """The cursor of what comes after a doctor in a list by name."""
    return cursor_after([doctor.name, str(doctor.id)])


async def find_doctor(app: Resources, doctor_id: UUID, connection: Connection | None = None) -> Doctor:
    """The doctor, as the connection sees it where one is given.

    Raises:
        Problem: 404.
    """
    row = await (connection or app.pool).fetchrow(_SQL["doctor"], doctor_id)
    if row is None:
        raise not_found()
    return doctor_from_row(row)
