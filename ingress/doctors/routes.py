"""Writes about doctors: register, update, set the hours."""

from fastapi import APIRouter, Request, Response

from contracts.commands import RegisterDoctor, SetWeeklyHours, UpdateDoctor, derived_id
from contracts.doctors import (
    DoctorChange,
    Hours,
    Policy,
    PolicyChange,
    VisitType,
    VisitTypesOf,
    WeeklyHoursOf,
)
from contracts.fields import Id, SingleLineText, StrictModel, TimeZone
from ingress.commands.submit import identify, submit
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code
from ingress.openapi.responses import write
from ingress.resources import resources

router = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


class VisitTypeBody(VisitType, StrictModel):
    """A kind of visit: its length and the time the doctor needs before and after it, in minutes."""


class PolicyBody(Policy, StrictModel):
    """How far ahead, how late and how often patients may book."""


class PolicyChangeBody(PolicyChange, StrictModel):
    """The values of a policy that change; the others stay."""


class HoursBody(Hours, StrictModel):
    """Hours on one weekday (ISO 8601: 1 is Monday), in the doctor's local time, while valid."""


class RegisterBody(StrictModel):
    """A new doctor. `id` is only for doctors taken over from another system."""

    id: Id | None = None
    name: SingleLineText
    specialty: SingleLineText
    time_zone: TimeZone | None = None
    visit_types: VisitTypesOf[VisitTypeBody]
    policy: PolicyBody = PolicyBody()


class UpdateBody(DoctorChange, StrictModel):
    """Fields to change; omitted fields stay the same."""

    visit_types: VisitTypesOf[VisitTypeBody] | None = None
    policy: PolicyChangeBody | None = None


class ScheduleBody(StrictModel):
    """The complete weekly hours."""

    hours: WeeklyHoursOf[HoursBody]


@router.post("/v1/doctors", summary="Register a doctor", **write(Code.FORBIDDEN))
async def register_doctor(request: Request, caller: Staff, body: RegisterBody) -> Response:
    """Staff only. A new doctor has no weekly hours. The default time zone is the clinic's."""
    identity = identify(request, caller, RegisterDoctor, **body.said())
    command = RegisterDoctor(
        **identity,
        doctor_id=body.id or derived_id(identity["command_id"], "doctor"),
        name=body.name,
        specialty=body.specialty,
        time_zone=body.time_zone or resources(request).settings.time_zone,
        visit_types=body.visit_types,
        policy=body.policy,
    )
    return await submit(request, command)


@router.put(
    "/v1/doctors/{doctor_id}/schedule",
    summary="Set the weekly hours of a doctor",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def set_schedule(request: Request, caller: Staff, doctor_id: PathId, body: ScheduleBody) -> Response:
    """Staff only. Replaces all hours. Existing bookings outside the new hours stay."""
    identity = identify(request, caller, SetWeeklyHours, doctor_id=doctor_id, **body.said())
    return await submit(request, SetWeeklyHours(**identity, doctor_id=doctor_id, hours=body.hours))


@router.patch(
    "/v1/doctors/{doctor_id}",
    summary="Update a doctor",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def update_doctor(request: Request, caller: Staff, doctor_id: PathId, body: UpdateBody) -> Response:
    """Staff only. An inactive doctor keeps existing bookings and accepts no new ones."""
    identity = identify(request, caller, UpdateDoctor, doctor_id=doctor_id, **body.said())
    return await submit(request, UpdateDoctor(**identity, doctor_id=doctor_id, **dict(body)))
