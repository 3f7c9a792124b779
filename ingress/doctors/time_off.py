"""Writes about time off: add and remove it."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import StrictBool, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from contracts.commands import BlockTime, UnblockTime, derived_id
from contracts.fields import Instant, MultiLineText, StrictModel
from ingress.commands.submit import identify, submit
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code
from ingress.openapi.responses import write
from ingress.resources import resources

router = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


class TimeOffBody(StrictModel):
    """A time when the doctor is unavailable.

    `cancel_conflicting` cancels conflicting bookings; without it they are a reason to refuse.
    """

    starts_at: Instant
    ends_at: Instant
    note: MultiLineText | None = None
    cancel_conflicting: StrictBool = False

    @field_validator("ends_at")
    @classmethod
    def _in_order(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise PydanticCustomError("ends_before_start", "The time off must end after it starts")
        return ends_at


@router.post(
    "/v1/doctors/{doctor_id}/time-off",
    summary="Add time off",
    **write(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def block_time(request: Request, caller: Staff, doctor_id: PathId, body: TimeOffBody) -> Response:
    """Staff only."""
    identity = identify(request, caller, BlockTime, doctor_id=doctor_id, **body.said())
    time_off_id = derived_id(identity["command_id"], "time-off")
    command = BlockTime(
        **identity,
        doctor_id=doctor_id,
        time_off_id=time_off_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        note=resources(request).keys.seal_note(body.note, time_off_id),
        cancel_conflicting=body.cancel_conflicting,
    )
    return await submit(request, command)


@router.delete(
    "/v1/doctors/{doctor_id}/time-off/{time_off_id:uuid}",
    summary="Remove time off",
    **write(Code.FORBIDDEN, Code.NOT_FOUND, body=False),
)
async def unblock_time(request: Request, caller: Staff, doctor_id: PathId, time_off_id: PathId) -> Response:
    """Staff only. Bookings cancelled because of it stay cancelled."""
    command = UnblockTime(
        **identify(request, caller, UnblockTime, doctor_id=doctor_id, time_off_id=time_off_id),
        doctor_id=doctor_id,
        time_off_id=time_off_id,
    )
    return await submit(request, command)
