"""`GET /v1/feeds/{secret}.ics`: a calendar that calendar programs subscribe to (RFC 5545, RFC 7986).

It says as little as a calendar needs, since such calendars lie with other companies and are shared with
family and colleagues: of a patient's visits time and clinic, of a doctor's time and kind of visit.
"""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter

from infra import clock
from infra.ical.entry import CalendarEntry
from infra.ical.feed import feed_text
from infra.queries import load_queries
from ingress.doctors.reads import find_doctor
from ingress.http.compression import tagged
from ingress.http.problems import Code, not_found
from ingress.http.strict_json import StrictRoute
from ingress.openapi.responses import ETAG, IF_NONE_MATCH, open_answers
from ingress.resources import Resources, resources
from storage.login.calendar_links import OwnerKind
from storage.profiles import Language

VISITS_MAX = 1_000
"""Some 300 kB."""
REFRESH_AFTER = timedelta(hours=1)
MEDIA_TYPE = "text/calendar; charset=utf-8"
APPOINTMENT: dict[Language, str] = {"en": "Appointment", "de": "Termin"}

router = APIRouter(route_class=StrictRoute, tags=["appointments"])
_VISITS = {
    kind: load_queries(Path(__file__).with_name("queries.sql"), owner=f"{kind}_id")["visits"]
    for kind in OwnerKind
}


@router.get(
    "/v1/feeds/{secret}.ics",
    response_class=Response,
    summary="Calendar subscription",
    responses={
        200: {
            "description": "A calendar.",
            "content": {"text/calendar": {"schema": {"type": "string"}}},
            "headers": {"ETag": ETAG},
        },
        304: {"description": "Not modified.", "headers": {"ETag": ETAG}},
        **open_answers(Code.NOT_FOUND),
    },
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
async def get_feed(
    request: Request, secret: Annotated[str, PathParameter(description="from the address of a calendar link")]
) -> Response:
    """iCalendar (RFC 5545), for whoever has the address: the next 1,000 visits that are booked and not over.

    A patient's has times alone, a doctor's times and kinds of visits. 404 once the link was withdrawn or
    replaced, or its patient forgotten.
    """
    app = resources(request)
    owner = await app.calendar_links.owner_of(secret)
    if owner is None:
        raise not_found()
    content = await (_of_patient if owner.kind is OwnerKind.PATIENT else _of_doctor)(app, owner.id)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # For the program that asked alone, which may keep it and ask whether it is still right.
    response = tagged(request, content, etag, "private, no-cache", MEDIA_TYPE)
    if response.body:
        # A name, or browsers would name the file by the secret.
        response.headers["Content-Disposition"] = 'attachment; filename="appointments.ics"'
    return response


async def _of_patient(app: Resources, patient_id: UUID) -> bytes:
    known = await app.patients.find(patient_id)
    if known is None:
        raise not_found()  # forgotten this moment
    settings, language = app.settings, known.profile.language
    page_language = language if language in settings.page_languages else settings.page_languages[0]
    pages = f"{settings.url.rstrip('/')}/{page_language}/appointments"
    summary = f"{APPOINTMENT[language]}, {settings.name}"
    rows = await app.pool.fetch(_VISITS[OwnerKind.PATIENT], patient_id, clock.now(), VISITS_MAX)
    zone = ZoneInfo(settings.time_zone)
    entries = [_entry(app, row, zone, summary, f"{pages}/{row['id']}") for row in rows]
    return feed_text(settings.name, zone, entries, REFRESH_AFTER)


async def _of_doctor(app: Resources, doctor_id: UUID) -> bytes:
    doctor = await find_doctor(app, doctor_id)
    rows = await app.pool.fetch(_VISITS[OwnerKind.DOCTOR], doctor_id, clock.now(), VISITS_MAX)
    zone = ZoneInfo(doctor.time_zone)
    names = {visit_type.code: visit_type.name for visit_type in doctor.visit_types}
    entries = [_entry(app, row, zone, names.get(row["visit_type"], row["visit_type"])) for row in rows]
    return feed_text(doctor.name, zone, entries, REFRESH_AFTER)


def _entry(
    app: Resources, row: asyncpg.Record, zone: ZoneInfo, summary: str, url: str | None = None
) -> CalendarEntry:
    return CalendarEntry(
        appointment_id=row["id"],
        version=row["version"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        zone=zone,
        summary=summary,
        clinic=app.settings.address or app.settings.name,
        stamped_at=row["changed_at"] or row["booked_at"],
        url=url,
    )
