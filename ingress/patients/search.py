"""Searches in the patient directory, for staff. Each is one event in the security log, before the answer."""

from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from contracts.commands import Actor
from contracts.security import PatientsSearched
from ingress.audit.security_log import event_context
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.problems import Code
from ingress.http.views import answer
from ingress.openapi.responses import BODY_PROBLEMS, answers
from ingress.patients.profile import PatientList, PatientLookup, PatientSearch, PatientView, SearchedEmail
from ingress.resources import resources
from storage.patients import Registered

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


@router.post(
    "/v1/patients/search",
    response_model=PatientList,
    summary="Search for patients",
    responses=answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE, *BODY_PROBLEMS),
)
async def search_patients(request: Request, caller: Staff, body: PatientSearch) -> Response:
    """Staff only. Finds the patient with this email address. Recorded in the security log.

    In a body, as a URL is kept in many places: histories, logs of proxies.
    """
    return await _search(request, caller, body.email)


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
    return await _search(request, caller, email)


async def _search(request: Request, caller: Actor, email: str) -> Response:
    known = await resources(request).patients.find_by_address(email)
    return await _recorded_list(request, caller, "email", [] if known is None else [known])


async def _recorded_list(request: Request, caller: Actor, by: str, found: Sequence[Registered]) -> Response:
    app = resources(request)
    ids = tuple(patient.id for patient in found)
    await app.security.record(PatientsSearched(**event_context(request, caller), by=by, patient_ids=ids))
    page = PatientList(items=[PatientView.of(patient) for patient in found], next_cursor=None)
    return answer(page, ZoneInfo(app.settings.time_zone))
