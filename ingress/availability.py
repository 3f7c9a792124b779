"""`GET /v1/doctors/{id}/availability`: the free slots, for anyone."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.fields import Code, Date
from ingress import availability_cache
from ingress.bodies import StrictRoute
from ingress.openapi import ETAG, IF_NONE_MATCH, open_answers
from ingress.paths import PathId
from ingress.problems import Code as ProblemCode
from ingress.problems import invalid
from ingress.resources import resources
from ingress.views import AvailabilityView

DAYS_MAX = 62

router = APIRouter(route_class=StrictRoute, tags=["doctors"])


@router.get(
    "/v1/doctors/{doctor_id}/availability",
    response_model=AvailabilityView,
    summary="A doctor's free slots",
    responses={
        200: {"description": "The free slots.", "headers": {"ETag": ETAG}},
        304: {"description": "They are those that you have.", "headers": {"ETag": ETAG}},
        **open_answers(ProblemCode.NOT_FOUND, ProblemCode.INVALID_FIELDS),
    },
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_availability(
    request: Request,
    doctor_id: PathId,
    starts_on: Annotated[Date | None, Query(alias="from", description="first local date; today")] = None,
    ends_on: Annotated[Date | None, Query(alias="to", description="last local date, inclusive")] = None,
    visit_type: Annotated[Code | None, Query(description="a visit type's code; the doctor's first")] = None,
) -> Response:
    """By the doctor's local day. `ETag` changes with whatever changes the answer, the time included."""
    if starts_on is None and ends_on is not None:
        raise invalid("/from", "missing", "With `to`, `from` is needed.")
    if starts_on is not None:
        ends_on = starts_on + availability_cache.DEFAULT_PERIOD if ends_on is None else ends_on
        check_period(starts_on, ends_on)
    query = availability_cache.Query(doctor_id, visit_type, starts_on, ends_on)
    answer = await resources(request).availability.answer(query)
    headers = {"ETag": answer.etag, "Cache-Control": "no-cache"}
    if _has(request.headers.get("if-none-match", ""), answer.etag):
        return Response(status_code=304, headers=headers)
    return Response(answer.body, headers=headers, media_type="application/json")


def check_period(starts_on: date, ends_on: date) -> None:
    """Refuse a period that ends before it starts or is too long.

    Raises:
        Problem: 422.
    """
    if ends_on < starts_on:
        raise invalid("/to", "ends_before_start", "`to` is before `from`.")
    if (ends_on - starts_on).days >= DAYS_MAX:
        raise invalid("/to", "period_too_long", f"A period has at most {DAYS_MAX} days.")


def _has(if_none_match: str, etag: str) -> bool:
    # RFC 9110, section 13.1.2: weak comparison.
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags
