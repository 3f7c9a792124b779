"""`GET /v1/doctors/{id}/availability`: the free slots, for anyone."""

import datetime
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from contracts.fields import Code, Date
from ingress.availability import cache as availability_cache
from ingress.http.compression import tagged
from ingress.http.parameters import PathId
from ingress.http.problems import Code as ProblemCode
from ingress.http.problems import invalid
from ingress.http.strict_json import StrictRoute
from ingress.http.views import View, ZonedInstant
from ingress.openapi.responses import ETAG, IF_NONE_MATCH, open_answers
from ingress.request_limits.middleware import budget_of
from ingress.resources import resources

DAYS_MAX = 62

router = APIRouter(route_class=StrictRoute, tags=["doctors"])


class SlotView(View):
    """A time that can be booked."""

    starts_at: ZonedInstant
    ends_at: ZonedInstant


class DayView(View):
    """The slots of one local date."""

    date: datetime.date
    slots: list[SlotView]


class AvailabilityView(View):
    """Free slots by local day."""

    doctor_id: UUID
    time_zone: str
    visit_type: str
    # `from` is a keyword of Python.
    starts_on: date = Field(serialization_alias="from")
    ends_on: date = Field(serialization_alias="to")
    days: list[DayView]


@router.get(
    "/v1/doctors/{doctor_id}/availability",
    response_model=AvailabilityView,
    summary="Free slots of a doctor",
    responses={
        200: {"description": "The free slots.", "headers": {"ETag": ETAG}},
        304: {"description": "Not modified.", "headers": {"ETag": ETAG}},
        **open_answers(ProblemCode.NOT_FOUND, ProblemCode.INVALID_FIELDS),
    },
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_availability(
    request: Request,
    doctor_id: PathId,
    starts_on: Annotated[
        Date | None, Query(alias="from", description="first local date; default today")
    ] = None,
    ends_on: Annotated[
        Date | None, Query(alias="to", description="last local date, inclusive; default 13 days after `from`")
    ] = None,
    visit_type: Annotated[
        Code | None, Query(description="code of a visit type; default the doctor's first")
    ] = None,
) -> Response:
    """By the doctor's local day, at most 62 days. `ETag` changes when the answer changes, also by time alone.

    An answer covers at most about 6,000 starts of the doctor's booking grid. Where the period has more, the
    answer ends with an earlier whole day, and its `to` is that day: ask again from the next day on.
    """
    if starts_on is None and ends_on is not None:
        raise invalid("/from", "missing", "`from` is required with `to`.")
    if starts_on is not None:
        ends_on = starts_on + availability_cache.DEFAULT_PERIOD if ends_on is None else ends_on
        check_period(starts_on, ends_on)
    query = availability_cache.Query(doctor_id, visit_type, starts_on, ends_on)
    answer = await resources(request).availability.answer(query, budget_of(request))
    return tagged(request, answer.body, answer.etag, "no-cache", "application/json")


def check_period(starts_on: date, ends_on: date, days_max: int = DAYS_MAX) -> None:
    """Refuse a period that ends before it starts or is too long.

    Raises:
        Problem: 422.
    """
    if ends_on < starts_on:
        raise invalid("/to", "ends_before_start", "`to` is before `from`.")
    if (ends_on - starts_on).days >= days_max:
        raise invalid("/to", "period_too_long", f"The period must not exceed {days_max} days.")
