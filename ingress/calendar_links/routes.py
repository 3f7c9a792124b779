"""Links by which calendar programs subscribe to the appointments of a patient or a doctor."""

from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import Field

from contracts.challenges import Secret
from contracts.commands import Actor
from contracts.security import CalendarLinkChanged
from infra.tokens import Access
from ingress.audit.security_log import event_context
from ingress.doctors.reads import find_doctor
from ingress.http.auth import AuthenticatedRoute, Login, OnlyPatient, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code, not_found
from ingress.http.views import View, ZonedInstant, answer
from ingress.login.owner import find_owner
from ingress.openapi.responses import answers
from ingress.resources import Resources, resources
from storage.login.calendar_links import Owner, OwnerKind

ADDRESS = "the secret address: whoever has it sees the times. It is shown this once"

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])


class CalendarLinkView(View):
    """A calendar link, without its address."""

    made_at: ZonedInstant | None = Field(description="null: there is no link")


class MadeCalendarLinkView(View):
    """A calendar link that was just made."""

    url: str = Field(description=ADDRESS)
    made_at: ZonedInstant


_MADE: dict[int | str, dict[str, Any]] = {201: {"description": "Made."}}
_WITHDRAWN: dict[int | str, dict[str, Any]] = {204: {"description": "Withdrawn."}}


@router.get(
    "/v1/me/calendar-link",
    response_model=CalendarLinkView,
    summary="My calendar link",
    responses=answers(Code.FORBIDDEN),
)
async def get_calendar_link(request: Request, caller: OnlyPatient) -> Response:
    """Tells when it was made; its address cannot be read again. Patients only."""
    return await _link(resources(request), Owner(OwnerKind.PATIENT, caller.id))


@router.post(
    "/v1/me/calendar-link",
    response_model=MadeCalendarLinkView,
    status_code=201,
    summary="Make a calendar link",
    responses={
        **_MADE,
        **answers(Code.STEP_UP_REQUIRED, Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
    },
)
async def make_calendar_link(request: Request, caller: OnlyPatient, login: Login) -> Response:
    """A secret address for calendar programs, shown this once; a former one ends. Patients only.

    Whoever makes it gets a mail about it. Needs a login of the last 5 minutes. Recorded in the security log.
    """
    return await _made(request, login, Owner(OwnerKind.PATIENT, caller.id))


@router.delete(
    "/v1/me/calendar-link",
    status_code=204,
    summary="Withdraw my calendar link",
    responses={**_WITHDRAWN, **answers(Code.FORBIDDEN, Code.LOG_UNAVAILABLE)},
)
async def withdraw_calendar_link(request: Request, caller: OnlyPatient) -> Response:
    """The address shows nothing any more. Patients only. Idempotent. Recorded in the security log."""
    return await _withdrawn(request, caller, Owner(OwnerKind.PATIENT, caller.id))


@router.get(
    "/v1/doctors/{doctor_id}/calendar-link",
    response_model=CalendarLinkView,
    summary="Calendar link of a doctor",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND),
)
async def get_doctor_calendar_link(request: Request, caller: Staff, doctor_id: PathId) -> Response:
    """Tells when it was made; its address cannot be read again. Staff only."""
    app = resources(request)
    doctor = await find_doctor(app, doctor_id)
    return await _link(app, Owner(OwnerKind.DOCTOR, doctor.id))


@router.post(
    "/v1/doctors/{doctor_id}/calendar-link",
    response_model=MadeCalendarLinkView,
    status_code=201,
    summary="Make a calendar link of a doctor",
    responses={
        **_MADE,
        **answers(Code.STEP_UP_REQUIRED, Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE),
    },
)
async def make_doctor_calendar_link(
    request: Request, caller: Staff, login: Login, doctor_id: PathId
) -> Response:
    """A secret address for calendar programs, shown this once; a former one ends. Staff only.

    Whoever makes it gets a mail about it. Needs a login of the last 5 minutes. Recorded in the security log.
    """
    doctor = await find_doctor(resources(request), doctor_id)
    return await _made(request, login, Owner(OwnerKind.DOCTOR, doctor.id))


@router.delete(
    "/v1/doctors/{doctor_id}/calendar-link",
    status_code=204,
    summary="Withdraw the calendar link of a doctor",
    responses={**_WITHDRAWN, **answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.LOG_UNAVAILABLE)},
)
async def withdraw_doctor_calendar_link(request: Request, caller: Staff, doctor_id: PathId) -> Response:
    """The address shows nothing any more. Staff only. Idempotent. Recorded in the security log."""
    doctor = await find_doctor(resources(request), doctor_id)
    return await _withdrawn(request, caller, Owner(OwnerKind.DOCTOR, doctor.id))


async def _link(app: Resources, owner: Owner) -> Response:
    view = CalendarLinkView(made_at=await app.calendar_links.made_at(owner))
    return answer(view, ZoneInfo(app.settings.time_zone))


async def _made(request: Request, login: Access, owner: Owner) -> Response:
    app, caller = resources(request), login.actor
    person = await find_owner(app, caller)
    # With it: nobody's appointments are followed without their knowing. An operator's token has no address.
    notice = person and Secret(email=person.email, language=person.language, calendar_link_made=True)
    await app.login_limits.take_calendar_link(caller.id)
    await _record(request, caller, owner, "made")
    made = await app.calendar_links.make(owner, caller.id, session_id=login.session_id, notice=notice)
    if made is None:
        raise not_found()  # forgotten this moment
    url = f"{app.settings.url.rstrip('/')}/v1/feeds/{made.secret}.ics"
    return answer(MadeCalendarLinkView(url=url, made_at=made.made_at), ZoneInfo(app.settings.time_zone), 201)


async def _withdrawn(request: Request, caller: Actor, owner: Owner) -> Response:
    app = resources(request)
    if await app.calendar_links.made_at(owner) is not None:
        await _record(request, caller, owner, "withdrawn")
        await app.calendar_links.withdraw(owner)
    return Response(status_code=204)


async def _record(request: Request, caller: Actor, owner: Owner, change: str) -> None:
    whose = {f"{owner.kind}_id": owner.id}
    event = CalendarLinkChanged(**event_context(request, caller), **whose, change=change)
    await resources(request).security.record(event)
