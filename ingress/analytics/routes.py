"""`GET /v1/analytics/…`: figures about visits, for staff. None is about a patient."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from infra.queries import load_queries
from ingress.analytics.open_time import open_time
from ingress.analytics.period import AskedPeriod, FiguresPeriod, Grouping
from ingress.analytics.tables import CSV, table_answer
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.problems import Code
from ingress.http.views import View
from ingress.openapi.responses import Responses, answers
from ingress.request_limits.middleware import budget_of
from ingress.resources import Resources, resources
from storage.rows import doctor_from_row

_GROUPS = {Grouping.DOCTOR: "a.doctor_id::text", Grouping.VISIT_TYPE: "a.visit_type"}
_SQL = {
    by: load_queries(Path(__file__).with_name("queries.sql"), group=_GROUPS.get(by, "p.number::text"))
    for by in Grouping
}
_NAMES = {Grouping.DOCTOR: "doctor_names", Grouping.VISIT_TYPE: "visit_type_names"}

RATE_DIGITS, HOURS_DIGITS = 4, 2
MINUTE = timedelta(minutes=1)

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


class GroupView(View):
    """The figures of a group."""

    group: str = Field(description="id of a doctor, a date, or code of a visit type")
    name: str | None = Field(
        description="the doctor's; of a visit type, if all doctors call it the same; null for dates"
    )


class FiguresView(View):
    """Figures of a period. Groups of dates are all there, others if there is anything to tell of them."""

    model_config = ConfigDict(serialize_by_alias=True)

    # `from` is a keyword of Python.
    starts_on: date = Field(serialization_alias="from")
    ends_on: date = Field(serialization_alias="to")
    by: Grouping
    time_zone: str


class UtilisationGroup(GroupView):
    """How much of the open time was booked."""

    open_minutes: int | None = Field(description="of weekly hours without time off; null by visit type")
    booked_minutes: int = Field(description="of visits that are booked, completed or no-shows")
    utilisation: float | None = Field(
        description="booked by open minutes, to four digits; above 1 where visits lie outside of the hours; "
        "null where nothing was open"
    )


class UtilisationView(FiguresView):
    """Utilisation of a period."""

    items: list[UtilisationGroup]


class OutcomesGroup(GroupView):
    """Numbers of appointments."""

    booked: int = Field(description="without an outcome, whether the visit is over or not")
    completed: int
    no_show: int
    cancelled_by_patient: int
    cancelled_by_staff: int
    cancelled_by_clinic: int
    total: int
    no_show_rate: float | None = Field(
        description="no-shows divided by completed visits plus no-shows, to four digits; null where none"
    )


class OutcomesView(FiguresView):
    """Outcomes of a period."""

    items: list[OutcomesGroup]


class LeadTimeGroup(GroupView):
    """Hours from booking to start, to two digits; null where there are none."""

    count: int
    median_hours: float | None
    p90_hours: float | None
    mean_hours: float | None


class LeadTimeView(FiguresView):
    """Lead times of a period."""

    items: list[LeadTimeGroup]


_ANSWERS: Responses = {
    200: {"content": {CSV: {"schema": {"type": "string"}}}},
    **answers(Code.FORBIDDEN, Code.INVALID_FIELDS),
}


@router.get(
    "/v1/analytics/utilisation",
    response_model=UtilisationView,
    summary="Utilisation",
    responses=_ANSWERS,
)
async def get_utilisation(request: Request, caller: Staff, asked: AskedPeriod) -> Response:
    """Staff only. Booked minutes divided by open minutes, in at most 366 days: JSON, or CSV where `Accept`
    prefers it.

    Minutes count to the day in which they lie. Open are the weekly hours as they are now, of doctors who are
    active now. A visit counts with all its minutes, within the hours or not, and without its buffers.
    """
    app = resources(request)
    booked = await _rows(app, asked, "booked")
    opened: Mapping[str, timedelta] = {}
    if asked.by is not Grouping.VISIT_TYPE:
        opened = await _open(app, asked, request)
    items = []
    for group, name in await _groups(app, asked, booked.keys() | opened.keys()):
        open_minutes = opened.get(group, timedelta()) / MINUTE
        booked_minutes = booked[group]["seconds"] / 60 if group in booked else 0
        items.append(
            UtilisationGroup(
                group=group,
                name=name,
                open_minutes=None if asked.by is Grouping.VISIT_TYPE else round(open_minutes),
                booked_minutes=round(booked_minutes),
                utilisation=_ratio(booked_minutes, open_minutes),
            )
        )
    view = UtilisationView(**_head(asked), items=items)
    return table_answer(request, view, items=items, kind=UtilisationGroup, name="utilisation.csv")


@router.get("/v1/analytics/outcomes", response_model=OutcomesView, summary="Outcomes", responses=_ANSWERS)
async def get_outcomes(request: Request, caller: Staff, asked: AskedPeriod) -> Response:
    """Staff only. What became of the appointments that start in at most 366 days: JSON, or CSV where `Accept`
    prefers it."""
    app = resources(request)
    rows = await _rows(app, asked, "outcomes")
    none = dict.fromkeys(OutcomesGroup.model_fields, 0)
    items = []
    for group, name in await _groups(app, asked, rows.keys()):
        counts = {**none, **rows.get(group, {}), "group": group, "name": name}
        counts["no_show_rate"] = _ratio(counts["no_show"], counts["completed"] + counts["no_show"])
        items.append(OutcomesGroup(**counts))
    view = OutcomesView(**_head(asked), items=items)
    return table_answer(request, view, items=items, kind=OutcomesGroup, name="outcomes.csv")


@router.get("/v1/analytics/lead-time", response_model=LeadTimeView, summary="Lead time", responses=_ANSWERS)
async def get_lead_time(request: Request, caller: Staff, asked: AskedPeriod) -> Response:
    """Staff only. Hours from the booking of visits to their start, for those that start in at most 366 days:
    JSON, or CSV where `Accept` prefers it.

    A visit that was rescheduled counts from its first booking to its last start; cancelled ones do not count.
    """
    app = resources(request)
    rows = await _rows(app, asked, "lead_times")
    hours = ("median_hours", "p90_hours", "mean_hours")
    items = [
        LeadTimeGroup(
            group=group,
            name=name,
            count=rows[group]["count"] if group in rows else 0,
            **{field: round(rows[group][field], HOURS_DIGITS) if group in rows else None for field in hours},
        )
        for group, name in await _groups(app, asked, rows.keys())
    ]
    view = LeadTimeView(**_head(asked), items=items)
    return table_answer(request, view, items=items, kind=LeadTimeGroup, name="lead-time.csv")


def _head(asked: FiguresPeriod) -> dict[str, Any]:
    return {
        "starts_on": asked.starts_on,
        "ends_on": asked.ends_on,
        "by": asked.by,
        "time_zone": asked.time_zone,
    }


async def _rows(app: Resources, asked: FiguresPeriod, query: str) -> dict[str, asyncpg.Record]:
    """What was counted, by group."""
    starts, ends = zip(*asked.parts, strict=True)
    async with app.figures:
        rows = await app.pool.fetch(_SQL[asked.by][query], starts, ends)
    return {_named(asked, row["group"]): row for row in rows}


def _named(asked: FiguresPeriod, group: str) -> str:
    return asked.dates[int(group) - 1].isoformat() if asked.dates else group


async def _open(app: Resources, asked: FiguresPeriod, request: Request) -> Mapping[str, timedelta]:
    """The open time of all doctors, by group."""
    rows = await app.pool.fetch(_SQL[asked.by]["working_doctors"])
    doctors = map(doctor_from_row, rows)
    found = await app.turns.take(open_time(doctors, asked.parts), budget_of(request))
    total: defaultdict[str, timedelta] = defaultdict(timedelta)
    for (doctor_id, number), opened in found.items():
        total[asked.dates[number].isoformat() if asked.dates else str(doctor_id)] += opened
    return total


async def _groups(
    app: Resources, asked: FiguresPeriod, found: Collection[str]
) -> list[tuple[str, str | None]]:
    """The groups of the answer in order, each with its name."""
    if asked.dates:
        return [(day.isoformat(), None) for day in asked.dates]
    rows = await app.pool.fetch(_SQL[asked.by][_NAMES[asked.by]])
    names = {row["group"]: row["name"] for row in rows}
    return sorted(
        ((group, names.get(group)) for group in found), key=lambda named: (named[1] or "", named[0])
    )


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, RATE_DIGITS) if whole else None
