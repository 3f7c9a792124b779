"""`GET /v1/me/export`: all that is kept about a patient, and who saw it (GDPR, articles 15 and 20)."""

import json
from pathlib import Path
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.commands import Actor
from contracts.security import PersonalDataExported
from infra import clock
from infra.queries import load_queries
from ingress.audit.security_log import event_context
from ingress.booking.history import histories
from ingress.booking.reasons import with_reasons
from ingress.booking.views import AppointmentView, HistoryEntry
from ingress.http.auth import AuthenticatedRoute, OnlyPatient
from ingress.http.problems import Code
from ingress.http.views import View, ZonedInstant, answer
from ingress.login.passkeys.bodies import PasskeyView
from ingress.openapi.responses import answers
from ingress.patients.profile import PatientView
from ingress.patients.routes import found
from ingress.resources import Resources, resources
from storage.login.calendar_links import Owner, OwnerKind
from storage.notes import Note

FILE_NAME = "my-data.json"

_SQL = load_queries(Path(__file__).with_suffix(".sql"))

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


class OwnAppointmentView(AppointmentView):
    """An appointment of the patient's own, with all that happened to it."""

    history: list[HistoryEntry]


class NotificationView(View):
    """A mail or text message to the patient, planned or sent. What it said is not kept."""

    kind: str
    appointment_id: UUID | None
    version: int | None = Field(description="the appointment's, as it told it")
    channel: str | None
    state: str
    dated: ZonedInstant
    finished_at: ZonedInstant | None


class LoginView(View):
    """A login that goes on."""

    methods: list[str]
    begun_at: ZonedInstant
    used_at: ZonedInstant


class OwnEntryView(View):
    """An entry of the audit trail about what the patient did, or the clinic by itself for the patient."""

    at: ZonedInstant
    action: str
    chain: str
    partition: int
    number: int
    hash: str
    content: dict[str, Any] = Field(description="the entry, as the hash covers it")


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
    notifications: list[NotificationView]
    notes: list[OwnNoteView] = Field(description="the latest first")
    logins: list[LoginView]
    passkeys: list[PasskeyView]
    calendar_link_made_at: ZonedInstant | None = Field(description="its address is not kept")
    own_entries: list[OwnEntryView] = Field(
        description="the latest first; from the audit trail, seconds behind"
    )
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
    """Patients only. The profile, all appointments with their reasons and histories, notifications, notes of
    staff, logins, passkeys and calendar link, what the patient did, and which members of staff saw or changed
    something. As a file.

    Recorded in the security log. Needs a login of the last 5 minutes.
    """
    app = resources(request)
    known = await found(app, caller.id)
    await app.security.record(PersonalDataExported(**event_context(request, caller), patient_id=caller.id))
    view = MyDataView(
        exported_at=clock.now(),
        patient=PatientView.of(known),
        appointments=await _appointments(app, caller),
        notifications=[
            NotificationView.model_validate(dict(row))
            for row in await app.pool.fetch(_SQL["notifications"], caller.id)
        ],
        notes=[_note(note) for note in await app.notes.of(caller.id)],
        logins=[LoginView.model_validate(session) for session in await app.sessions.of(caller.id)],
        calendar_link_made_at=await app.calendar_links.made_at(Owner(OwnerKind.PATIENT, caller.id)),
        passkeys=[PasskeyView.model_validate(passkey) for passkey in await app.passkeys.of(caller)],
        own_entries=await _own_entries(app, caller),
        seen_by_staff=await _seen(app, caller),
    )
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return answer(view, ZoneInfo(app.settings.time_zone), headers=headers)


async def _appointments(app: Resources, caller: Actor) -> list[OwnAppointmentView]:
    rows = await with_reasons(app, await app.pool.fetch(_SQL["appointments"], caller.id))
    found = await histories(app.pool, [row["id"] for row in rows])
    return [OwnAppointmentView.model_validate(row | {"history": found.get(row["id"], [])}) for row in rows]


async def _own_entries(app: Resources, caller: Actor) -> list[OwnEntryView]:
    rows = await app.pool.fetch(_SQL["own_entries"], caller.id)
    return [
        OwnEntryView(
            at=row["occurred_at"],
            action=row["action"],
            chain=row["chain"],
            partition=row["partition"],
            number=row["number"],
            hash=row["hash"].hex(),
            content=json.loads(row["content"]),
        )
        for row in rows
    ]


def _note(note: Note) -> OwnNoteView:
    return OwnNoteView(text=note.text, written_by="staff", written_at=note.written_at)


async def _seen(app: Resources, caller: Actor) -> list[SeenView]:
    rows = await app.pool.fetch(_SQL["seen_by_staff"], caller.id)
    return [
        SeenView(at=row["occurred_at"], action=row["action"], view=row["view"], staff_id=row["actor_id"])
        for row in rows
    ]
