"""The link that ends a patient's reminders, without a login: by one click (RFC 8058), or on a page."""

from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.types import Message

from ingress.http.problems import Code, Problem, invalid, not_found
from ingress.http.strict_json import read_bounded
from ingress.openapi.responses import BODY_PROBLEMS, open_answers
from ingress.patients.link_page import PAGE, LinkToken, PageWords, link_page
from ingress.resources import Resources, resources
from storage.profiles import Language, Registered

FIELD, VALUE = "List-Unsubscribe", "One-Click"
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        media_type: {
            "schema": {
                "type": "object",
                "properties": {FIELD: {"const": VALUE}},
                "required": [FIELD],
            },
            "examples": {"example": {"value": {FIELD: VALUE}}},
        }
        for media_type in (URLENCODED, MULTIPART)
    },
}

router = APIRouter(tags=["patients"])


WORDS: dict[Language, PageWords] = {
    "en": PageWords(
        title="Appointment reminders",
        question="Stop receiving reminders of your appointments?",
        button="Stop reminders",
        done="You will no longer receive reminders. You can turn them on again under “My details”.",
        others="You will still receive confirmations, changes and cancellations of your appointments.",
    ),
    "de": PageWords(
        title="Erinnerungen an Termine",
        question="Möchten Sie keine Erinnerungen an Ihre Termine mehr bekommen?",
        button="Keine Erinnerungen mehr",
        done="Sie bekommen keine Erinnerungen mehr. Unter „Meine Daten“ können Sie sie wieder einschalten.",
        others="Bestätigungen, Änderungen und Absagen Ihrer Termine bekommen Sie in jedem Fall.",
    ),
}


@router.get(
    "/v1/unsubscribe/{token}",
    response_class=HTMLResponse,
    summary="Show the unsubscribe page",
    responses={**PAGE, **open_answers(Code.NOT_FOUND)},
)
async def ask_unsubscribe(request: Request, token: LinkToken) -> HTMLResponse:
    """A page with a button. Opening it changes nothing: programs may follow links. 404 for a forged link."""
    app = resources(request)
    return _page(app, await app.patients.find(_signed(app, token)))


@router.post(
    "/v1/unsubscribe/{token}",
    response_class=HTMLResponse,
    summary="Stop reminders",
    responses={**PAGE, **open_answers(Code.NOT_FOUND, *BODY_PROBLEMS)},
    openapi_extra={"requestBody": BODY},
)
async def unsubscribe(request: Request, token: LinkToken) -> HTMLResponse:
    """One-click unsubscribe (RFC 8058). No login; idempotent; links never expire. 404 for a forged link."""
    app = resources(request)
    patient_id = _signed(app, token)
    await _check_one_click(request)
    known = await app.patients.change(patient_id, lambda profile: replace(profile, reminders=False))
    return _page(app, known)


def _signed(app: Resources, token: str) -> UUID:
    patient_id = app.keys.open_unsubscribe(token)
    if patient_id is None:
        raise not_found()
    return patient_id


def _page(app: Resources, known: Registered | None) -> HTMLResponse:
    """The page, also for a patient who was forgotten: they receive no reminders."""
    language = known.profile.language if known else app.settings.language
    asks = known is not None and known.profile.reminders
    return link_page(app, language, WORDS[language], asks=asks, button=(FIELD, VALUE))


async def _check_one_click(request: Request) -> None:
    """Raises Problem: the body is not what the sender of a one-click request has to send (section 3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (URLENCODED, MULTIPART):
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"The body must be {URLENCODED} or {MULTIPART}.")
    body = BytesIO(await read_bounded(request))

    async def receive() -> Message:
        return {"type": "http.request", "body": body.read()}

    try:
        async with Request(request.scope, receive).form() as form:
            fields = form.multi_items()
    except HTTPException:
        fields = []
    if not fields:
        raise Problem(Code.MALFORMED_JSON, "The body is not a form.")
    if fields != [(FIELD, VALUE)]:
        raise invalid(f"/{FIELD}", "one_click", f"The only field must be {FIELD} with the value {VALUE}")
