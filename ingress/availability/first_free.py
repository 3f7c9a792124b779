"""`GET /v1/availability`: the first free slots of each doctor, for anyone."""

import json
import unicodedata
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from contracts.fields import Code, Id, Instant, SingleLineText
from infra import clock
from infra.jobs import all_of
from ingress.availability import cache as availability_cache
from ingress.availability.cache import AvailabilityCache
from ingress.availability.routes import SlotView
from ingress.doctors.reads import DoctorView, after_doctor, doctor_before
from ingress.http.parameters import PAGE_SIZE_MAX, Cursor
from ingress.http.problems import Code as ProblemCode
from ingress.http.strict_json import StrictRoute
from ingress.http.views import View
from ingress.openapi.responses import open_answers
from ingress.request_limits.budgets import Budget
from ingress.request_limits.middleware import budget_of
from ingress.resources import resources
from scheduling.state import Doctor
from storage.rows import doctor_from_row

SLOTS_MAX = 5

router = APIRouter(route_class=StrictRoute, tags=["doctors"])


class FirstFreeView(View):
    """A doctor, and the first slots for a visit of this type; none if nothing is free."""

    doctor: DoctorView
    visit_type: str
    slots: list[SlotView]


class FirstFreeList(View):
    """Doctors, the one with the earliest slot first; those without a free slot last, by name."""

    items: list[FirstFreeView]
    next_cursor: str | None


@router.get(
    "/v1/availability",
    response_model=FirstFreeList,
    summary="First free slots of each doctor",
    responses=open_answers(ProblemCode.INVALID_FIELDS),
)
async def list_first_free(
    request: Request,
    visit_type: Annotated[
        Code | None,
        Query(description="only doctors that offer this visit type; default each doctor's first"),
    ] = None,
    specialty: Annotated[SingleLineText | None, Query(description="only doctors of this specialty")] = None,
    doctor_id: Annotated[Id | None, Query(description="only this doctor")] = None,
    after: Annotated[
        Instant | None, Query(description="only slots that start later than this instant")
    ] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="doctors per page")] = PAGE_SIZE_MAX,
) -> Response:
    """Active doctors, up to 200 a page, the earliest slot first; up to 5 slots of each.

    With more doctors than fit on a page, pages go by name, and each is in the order of its slots.
    """
    app = resources(request)
    name, id_ = doctor_before(cursor)
    wanted_specialty = unicodedata.normalize("NFC", specialty) if specialty else None
    rows = await app.pool.fetch(
        availability_cache.SQL["active"], wanted_specialty, doctor_id, visit_type, name, id_, limit + 1
    )
    doctors = [doctor_from_row(row) for row in rows[:limit]]
    next_cursor = after_doctor(doctors[-1]) if len(rows) > limit else None
    earliest = max(after, clock.now()) if after else clock.now()
    budget = budget_of(request)
    items = await all_of(
        _first_free(app.availability, budget, doctor, visit_type or doctor.visit_types[0].code, earliest)
        for doctor in doctors
    )
    items.sort(key=lambda item: (_first_start(item), item["doctor"]["name"]))
    return Response(to_json({"items": items, "next_cursor": next_cursor}), media_type="application/json")


async def _first_free(
    cache: AvailabilityCache, budget: Budget, doctor: Doctor, visit_type: str, after: datetime
) -> dict[str, Any]:
    slots: list[dict[str, str]] = []
    async for slot in _free(cache, budget, doctor, visit_type, after):
        slots.append(slot)
        if len(slots) == SLOTS_MAX:
            break
    shown = DoctorView.model_validate(doctor).model_dump(mode="json")
    return {"doctor": shown, "visit_type": visit_type, "slots": slots}


async def _free(
    cache: AvailabilityCache, budget: Budget, doctor: Doctor, visit_type: str, after: datetime
) -> AsyncIterator[dict[str, str]]:
    """Slots after an instant, in order, as far ahead as patients may book."""
    zone = ZoneInfo(doctor.time_zone)
    horizon = clock.now() + timedelta(days=doctor.policy.horizon_days)
    starts_on, last = after.astimezone(zone).date(), horizon.astimezone(zone).date()
    while starts_on <= last:
        ends_on = min(starts_on + availability_cache.DEFAULT_PERIOD, last)
        budget.spend(1)  # as if it had been asked for by itself
        query = availability_cache.Query(doctor.id, visit_type, starts_on, ends_on)
        answer = await cache.answer(query, budget)
        found = json.loads(answer.body)
        for day in found["days"]:
            for slot in day["slots"]:
                if datetime.fromisoformat(slot["starts_at"]) > after:
                    yield slot
        # A long answer ends early.
        starts_on = date.fromisoformat(found["to"]) + timedelta(days=1)


def _first_start(item: dict[str, Any]) -> float:
    slots = item["slots"]
    return datetime.fromisoformat(slots[0]["starts_at"]).timestamp() if slots else float("inf")
