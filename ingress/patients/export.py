"""`GET /v1/me/export`: all that is kept about a patient, and who saw it (GDPR, articles 15 and 20)."""

from pathlib import Path
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.commands import Actor
from contracts.security import PersonalDataExported
from infra import clock
from infra.crypto.sealing import DataKey
from infra.queries import load_queries
from ingress.audit.security_log import event_context
from ingress.booking.views import AppointmentView
from ingress.http.auth import AuthenticatedRoute, OnlyPatient
from ingress.http.problems import Code, not_found
from ingress.http.views import View, ZonedInstant, answer
from ingress.login.passkeys.bodies import PasskeyView
from ingress.openapi.responses import answers
from ingress.patients.profile import PatientView
from ingress.patients.routes import found
from ingress.resources import Resources, resources
from storage.login.calendar_links import Owner, OwnerKind
from storage.notes import Note
from storage.patients import REASON

APPOINTMENTS_MAX = 10_000
NOTES_MAX = 10_000
SEEN_MAX = 10_000
FILE_NAME = "my-data.json"

_SQL = load_queries(Path(__file__).with_suffix(".sql"))

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


class OwnAppointmentView(AppointmentView):
    """An appointment of the patient's own, with the reason that was given for it."""

    reason: str | None


class LoginView(View):
    """A login that goes on."""

    methods: list[str]
    begun_at: ZonedInstant
    used_at: ZonedInstant


class OwnNoteView(View):
    """A note about the patient, by a member of staff."""

    text: str
    written_by: Literal["staff"]
    written_at: ZonedInstant


class SeenView(View):
    """A member of staff read or changed something about the patient, alone or in a list."""

    at: ZonedInstant
    action: str
    view: str | None = Field(description="the screen or list, where it was one")
    staff_id: UUID | None


class MyDataView(View):
    """All that is kept about the patient."""

    exported_at: ZonedInstant
    patient: PatientView
    appointments: list[OwnAppointmentView]
    notes: list[OwnNoteView] = Field(description="the latest first")
    logins: list[LoginView]
    passkeys: list[PasskeyView]
    calendar_link_made_at: ZonedInstant | None = Field(description="its address is not kept")
    seen_by_staff: list[SeenView] = Field(
        description="the latest first; from the audit trail, seconds behind"
    )


@router.get(
    "/v1/me/export",
    response_model=MyDataView,
    summary="All data about me",
    responses=answers(Code.STEP_UP_REQUIRED, Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
)
async def export_me(request: Request, caller: OnlyPatient) -> Response:
    """Patients only. The profile, all appointments with their reasons, notes of staff, logins, passkeys and
    calendar link, and which members of staff saw or changed something. As a file.

    Recorded in the security log. Needs a login of the last 5 minutes.
    """
    app = resources(request)
    known = await found(app, caller.id)
    data_key = await app.patients.data_key(caller.id)
    if data_key is None:
        raise not_found()  # forgotten this moment
    await app.security.record(PersonalDataExported(**event_context(request, caller), patient_id=caller.id))
    appointments = await app.pool.fetch(_SQL["appointments"], caller.id, APPOINTMENTS_MAX)
    view = MyDataView(
        exported_at=clock.now(),
        patient=PatientView.of(known),
        appointments=[_appointment(row, data_key) for row in appointments],
        notes=[_note(note) for note in await app.notes.of(caller.id, NOTES_MAX)],
        logins=[LoginView.model_validate(session) for session in await app.sessions.of(caller.id)],
        calendar_link_made_at=await app.calendar_links.made_at(Owner(OwnerKind.PATIENT, caller.id)),
        passkeys=[PasskeyView.model_validate(passkey) for passkey in await app.passkeys.of(caller)],
        seen_by_staff=await _seen(app, caller),
    )
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return answer(view, ZoneInfo(app.settings.time_zone), headers=headers)


def _appointment(row: asyncpg.Record, data_key: DataKey) -> OwnAppointmentView:
    sealed = row["reason"]
    reason = None if sealed is None else data_key.open_text(sealed, REASON, row["id"])
    return OwnAppointmentView.model_validate({**row, "reason": reason})


def _note(note: Note) -> OwnNoteView:
    return OwnNoteView(text=note.text, written_by="staff", written_at=note.written_at)


async def _seen(app: Resources, caller: Actor) -> list[SeenView]:
    rows = await app.pool.fetch(_SQL["seen_by_staff"], caller.id, SEEN_MAX)
    return [
        SeenView(at=row["occurred_at"], action=row["action"], view=row["view"], staff_id=row["actor_id"])
        for row in rows
    ]
