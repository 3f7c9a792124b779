"""Writes about doctors: register, update, set the hours."""

from fastapi import APIRouter, Request, Response

from contracts.commands import RegisterDoctor, SetWeeklyHours, UpdateDoctor, made_id
from contracts.doctors import Policy, PolicyChange, VisitTypes, WeeklyHours
from contracts.fields import Flag, Id, Line, Model, TimeZone
from ingress.callers import AuthenticatedRoute, Staff
from ingress.openapi import write
from ingress.paths import PathId
from ingress.problems import Code
from ingress.resources import resources
from ingress.submit import named, submit

router = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


class RegisterBody(Model):
    """A new doctor. `id` only to keep one from another system."""

    id: Id | None = None
    name: Line
    specialty: Line
    time_zone: TimeZone | None = None
    visit_types: VisitTypes
    policy: Policy = Policy()


class UpdateBody(Model):
    """What changes; the rest stays."""

    name: Line | None = None
    specialty: Line | None = None
    time_zone: TimeZone | None = None
    visit_types: VisitTypes | None = None
    policy: PolicyChange | None = None
    active: Flag | None = None


class ScheduleBody(Model):
    """The weekly hours, all of them."""

    hours: WeeklyHours


@router.post("/v1/doctors", summary="Register a doctor", **write(Code.FORBIDDEN))
async def register_doctor(request: Request, caller: Staff, body: RegisterBody) -> Response:
    """Staff only. The doctor has no hours yet. The time zone is the clinic's if none is given."""
    name = named(request, caller, RegisterDoctor, **body.model_dump(mode="json"))
    command = RegisterDoctor(
        **name,
        doctor_id=body.id or made_id(name["command_id"], "doctor"),
        name=body.name,
        specialty=body.specialty,
        time_zone=body.time_zone or resources(request).settings.time_zone,
        visit_types=body.visit_types,
        policy=body.policy,
    )
    return await submit(request, command)


@router.put(
    "/v1/doctors/{doctor_id}/schedule",
    summary="Set a doctor's weekly hours",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def set_schedule(request: Request, caller: Staff, doctor_id: PathId, body: ScheduleBody) -> Response:
    """Staff only. Replaces all hours. Bookings that no longer fit stay."""
    name = named(request, caller, SetWeeklyHours, doctor_id=doctor_id, **body.model_dump(mode="json"))
    command = SetWeeklyHours(
        **name,
        doctor_id=doctor_id,
        hours=body.hours,
    )
    return await submit(request, command)


@router.patch(
    "/v1/doctors/{doctor_id}",
    summary="Change a doctor",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def update_doctor(request: Request, caller: Staff, doctor_id: PathId, body: UpdateBody) -> Response:
    """Staff only. An inactive doctor keeps the bookings and takes no new ones."""
    name = named(request, caller, UpdateDoctor, doctor_id=doctor_id, **body.model_dump(mode="json"))
    command = UpdateDoctor(
        **name,
        doctor_id=doctor_id,
        name=body.name,
        specialty=body.specialty,
        time_zone=body.time_zone,
        visit_types=body.visit_types,
        policy=body.policy,
        active=body.active,
    )
    return await submit(request, command)
