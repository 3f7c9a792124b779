"""Time off: take it, give it back."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from contracts.commands import BlockTime, UnblockTime, made_id
from contracts.fields import Flag, Instant, Lines, Model
from ingress.callers import AuthenticatedRoute, Staff
from ingress.openapi import write
from ingress.paths import PathId
from ingress.problems import Code
from ingress.resources import resources
from ingress.submit import named, submit

router = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


class TimeOffBody(Model):
    """When the doctor is away. `cancel_conflicting` cancels the bookings in it instead of refusing."""

    starts_at: Instant
    ends_at: Instant
    note: Lines | None = None
    cancel_conflicting: Flag = False

    @field_validator("ends_at")
    @classmethod
    def _in_order(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise PydanticCustomError("ends_before_start", "The time off must end after it starts")
        return ends_at


@router.post(
    "/v1/doctors/{doctor_id}/time-off",
    summary="Take time off",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def block_time(request: Request, caller: Staff, doctor_id: PathId, body: TimeOffBody) -> Response:
    """Staff only."""
    name = named(request, caller, BlockTime, doctor_id=doctor_id, **body.model_dump(mode="json"))
    command = BlockTime(
        **name,
        doctor_id=doctor_id,
        time_off_id=made_id(name["command_id"], "time-off"),
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        note=resources(request).keys.seal_note(body.note),
        cancel_conflicting=body.cancel_conflicting,
    )
    return await submit(request, command)


@router.delete(
    "/v1/doctors/{doctor_id}/time-off/{time_off_id}",
    summary="Give time off back",
    **write(Code.FORBIDDEN, Code.NOT_FOUND, body=False),
)
async def unblock_time(request: Request, caller: Staff, doctor_id: PathId, time_off_id: PathId) -> Response:
    """Staff only. Bookings that were cancelled stay cancelled."""
    command = UnblockTime(
        **named(request, caller, UnblockTime, doctor_id=doctor_id, time_off_id=time_off_id),
        doctor_id=doctor_id,
        time_off_id=time_off_id,
    )
    return await submit(request, command)
