"""`GET /v1/me/export`: all that is kept about a patient, and who saw it (GDPR, articles 15 and 20)."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.commands import Actor
from contracts.security import PersonalDataExported
from infra import clock
from infra.queries import load_queries
from ingress.audit.security_log import event_context
from ingress.booking.history import histories
from ingress.booking.reasons import Reasons
from ingress.booking.views import AppointmentView, HistoryEntry
from ingress.http.auth import AuthenticatedRoute, OnlyPatient
from ingress.http.problems import Code
from ingress.http.views import View, ZonedInstant
from ingress.login.passkeys.bodies import PasskeyView
from ingress.openapi.responses import answers
from ingress.patients.notes import NoteView
from ingress.patients.profile import PatientView
from ingress.patients.routes import found
from ingress.request_limits.steps import all_in_steps
from ingress.resources import Resources, resources
from storage.login.calendar_links import Owner, OwnerKind

FILE_NAME = "my-data.json"
ROWS_AT_ONCE = 500

Shown = Callable[[Resources, Sequence[asyncpg.Record]], Awaitable[Iterator[View]]]

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
    """An active login."""

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


class SeenView(View):
    """A member of staff read or changed something about the patient, alone or in a list."""

    at: ZonedInstant
    action: str
    view: str | None = Field(description="the screen or list, where it was one")
    staff_id: UUID | None


class AccountView(View):
    """The patient's account."""

    exported_at: ZonedInstant
    patient: PatientView
    logins: list[LoginView]
    passkeys: list[PasskeyView]
    calendar_link_made_at: ZonedInstant | None = Field(description="its address is not kept")


class MyDataView(AccountView):
    """All that is kept about the patient."""

    appointments: list[OwnAppointmentView]
    notifications: list[NotificationView]
    notes: list[NoteView] = Field(description="the latest first")
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
    account = AccountView(
        exported_at=clock.now(),
        patient=PatientView.of(known),
        logins=[LoginView.model_validate(session) for session in await app.sessions.of(caller.id)],
        calendar_link_made_at=await app.calendar_links.made_at(Owner(OwnerKind.PATIENT, caller.id)),
        passkeys=[PasskeyView.model_validate(passkey) for passkey in await app.passkeys.of(caller)],
    )
    parts = [account.model_dump_json(context=ZoneInfo(app.settings.time_zone)).encode()[:-1]]
    for name, shown in LISTS.items():
        parts.append(b',"%b":[%b]' % (name.encode(), await _listed(request, caller, name, shown)))
    body = b"".join(parts) + b"}"
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return Response(body, headers=headers, media_type="application/json")


async def _listed(request: Request, caller: Actor, query: str, shown: Shown) -> bytes:
    """The items of a list as JSON, made in steps that others take turns with."""
    app, parts = resources(request), []
    zone = ZoneInfo(app.settings.time_zone)
    rows = await app.pool.fetch(_SQL[query], caller.id)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        views = await shown(app, rows[first : first + ROWS_AT_ONCE])
        parts += await all_in_steps(request, (view.model_dump_json(context=zone).encode() for view in views))
    return b",".join(parts)


async def _appointments(app: Resources, rows: Sequence[asyncpg.Record]) -> Iterator[View]:
    reasons = await Reasons.of(app, rows)
    found = await histories(app.pool, [row["id"] for row in rows])
    return (
        OwnAppointmentView.model_validate(reasons.opened(row) | {"history": found.get(row["id"], [])})
        for row in rows
    )


async def _notifications(app: Resources, rows: Sequence[asyncpg.Record]) -> Iterator[View]:
    return (NotificationView.model_validate(dict(row)) for row in rows)


async def _notes(app: Resources, rows: Sequence[asyncpg.Record]) -> Iterator[View]:
    return map(NoteView.model_validate, await app.notes.opened(rows[0]["patient_id"], rows))


async def _own_entries(app: Resources, rows: Sequence[asyncpg.Record]) -> Iterator[View]:
    return (
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
    )


async def _seen(app: Resources, rows: Sequence[asyncpg.Record]) -> Iterator[View]:
    return (
        SeenView(at=row["occurred_at"], action=row["action"], view=row["view"], staff_id=row["actor_id"])
        for row in rows
    )


LISTS: Mapping[str, Shown] = {
    "appointments": _appointments,
    "notifications": _notifications,
    "notes": _notes,
    "own_entries": _own_entries,
    "seen_by_staff": _seen,
}
"""The lists of `MyDataView`, by the name of the query and of the field."""
