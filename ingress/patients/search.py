"""Searches in the patient directory, for staff. Each is one event in the security log, before the answer."""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from contracts.commands import Actor
from contracts.security import PatientsSearched
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import bad_cursor, cursor_after, key_before
from ingress.http.problems import Code
from ingress.http.views import answer
from ingress.openapi.responses import BODY_PROBLEMS, answers
from ingress.patients.profile import (
    SEARCH_LIMIT,
    PatientList,
    PatientLookup,
    PatientSearch,
    PatientView,
    SearchedEmail,
)
from ingress.request_limits.steps import all_in_steps
from ingress.resources import resources
from storage.patient_finder import NOBODY
from storage.profiles import Registered

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


@router.post(
    "/v1/patients/search",
    response_model=PatientList,
    summary="Search for patients",
    responses=answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
)
async def search_patients(request: Request, caller: Staff, body: PatientSearch) -> Response:
    """Staff only. Finds the patients who have all that is given, up to 50 a page. Recorded in the security
    log.

    In a body, as a URL is kept in many places: histories, logs of proxies. Even a page with few items, or
    none, may have a `next_cursor`: go on with that as `cursor`, and the same search.
    """
    app, sought = resources(request), body.sought()
    after = _after(body.cursor)
    by = "_".join(field.name for field in fields(sought) if getattr(sought, field.name) is not None)
    if sought.email is not None:
        known = await app.patients.find_by_address(sought.email)
        found = [] if known is None or not sought.matches(known.profile) else [known]
        return await _recorded_list(request, caller, by, found)
    take = partial(all_in_steps, request)
    found, last = await app.patient_finder.find(sought, SEARCH_LIMIT, after, take)
    next_cursor = None if last is None else cursor_after([str(last)])
    return await _recorded_list(request, caller, by, found, next_cursor)


@router.post(
    "/v1/patients/lookup",
    response_model=PatientList,
    summary="Look up patients by id",
    responses=answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
)
async def look_up_patients(request: Request, caller: Staff, body: PatientLookup) -> Response:
    """Staff only. The patients with these ids, without those who are unknown or forgotten, in any order.

    Recorded in the security log, as one event.
    """
    app = resources(request)
    found = await app.patients.find_all(dict.fromkeys(body.ids))
    return await _recorded_list(request, caller, "id", found)


@router.get(
    "/v1/patients",
    response_model=PatientList,
    summary="Find patients",
    deprecated=True,
    responses=answers(Code.FORBIDDEN, Code.INVALID_FIELDS, Code.LOG_UNAVAILABLE),
)
async def find_patients(
    request: Request, caller: Staff, email: Annotated[SearchedEmail, Query()]
) -> Response:
    """Staff only. The same as `POST /v1/patients/search`, which keeps the address out of URLs."""
    return await search_patients(request, caller, PatientSearch(email=email))


async def _recorded_list(
    request: Request, caller: Actor, by: str, found: Sequence[Registered], next_cursor: str | None = None
) -> Response:
    app = resources(request)
    ids = tuple(patient.id for patient in found)
    await app.security.record(PatientsSearched(**event_context(request, caller), by=by, patient_ids=ids))
    page = PatientList(items=[PatientView.of(patient) for patient in found], next_cursor=next_cursor)
    return answer(page, ZoneInfo(app.settings.time_zone))


def _after(cursor: str | None) -> UUID:
    if cursor is None:
        return NOBODY
    [id_] = key_before(cursor, 1)
    try:
        return UUID(id_)
    except ValueError:
        raise bad_cursor() from None
