"""The link that ends a patient's reminders, without a login: by one click (RFC 8058), or on a page."""

from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from infra.profiles import Language
from ingress.bodies import BODY_BYTES_MAX
from ingress.openapi import BODY_PROBLEMS, open_answers
from ingress.patients import Registered
from ingress.problems import Code, Problem, invalid, not_found
from ingress.resources import Resources, resources

FIELD, VALUE = "List-Unsubscribe", "One-Click"
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
}
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
PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
}

router = APIRouter(tags=["patients"])


@dataclass(frozen=True, slots=True)
class _Words:
    """What the page says."""

    title: str
    question: str
    button: str
    done: str
    others: str


WORDS: dict[Language, _Words] = {
    "en": _Words(
        title="Reminders of appointments",
        question="Do you want no more reminders of your appointments?",
        button="No more reminders",
        done="You get no more reminders. You can switch them on again in your profile.",
        others="Confirmations, changes and cancellations of your appointments are sent in any case.",
    ),
    "de": _Words(
        title="Erinnerungen an Termine",
        question="Möchten Sie keine Erinnerungen an Ihre Termine mehr bekommen?",
        button="Keine Erinnerungen mehr",
        done="Sie bekommen keine Erinnerungen mehr. In Ihrem Profil können Sie sie wieder einschalten.",
        others="Bestätigungen, Änderungen und Absagen Ihrer Termine bekommen Sie in jedem Fall.",
    ),
}
TEMPLATE = Environment(
    loader=PackageLoader("ingress"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("unsubscribe.html")


@router.get(
    "/v1/unsubscribe/{token}",
    response_class=HTMLResponse,
    summary="Ask about reminders",
    responses={**PAGE, **open_answers(Code.NOT_FOUND)},
)
async def ask_unsubscribe(request: Request, token: str) -> HTMLResponse:
    """A page with a button. Changes nothing: programs open the links of mails, too. 404 for a forged link."""
    here = resources(request)
    return _page(here, await here.patients.find(_signed(here, token)))


@router.post(
    "/v1/unsubscribe/{token}",
    response_class=HTMLResponse,
    summary="Get no more reminders",
    responses={**PAGE, **open_answers(Code.NOT_FOUND, *BODY_PROBLEMS)},
    openapi_extra={"requestBody": BODY},
)
async def unsubscribe(request: Request, token: str) -> HTMLResponse:
    """Without a login, as often as you like. 404 for a forged link; a true one never expires."""
    here = resources(request)
    patient_id = _signed(here, token)
    await _check_one_click(request)
    known = await here.patients.change(patient_id, lambda profile: replace(profile, reminders=False))
    return _page(here, known)


def _signed(here: Resources, token: str) -> UUID:
    patient_id = here.keys.open_unsubscribe(token)
    if patient_id is None:
        raise not_found()
    return patient_id


def _page(here: Resources, known: Registered | None) -> HTMLResponse:
    """For a patient who was forgotten, too: they get no reminders."""
    language = known.profile.language if known else here.settings.language
    content = TEMPLATE.render(
        language=language,
        clinic=here.settings.name,
        words=WORDS[language],
        reminders=known is not None and known.profile.reminders,
    )
    return HTMLResponse(content, headers=HEADERS)


async def _check_one_click(request: Request) -> None:
    """Raises Problem: the body is not what the sender of a one-click request has to send (section 3.2)."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (URLENCODED, MULTIPART):
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"The body has to be {URLENCODED} or {MULTIPART}.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Problem(Code.BODY_TOO_LARGE, f"The body may have {BODY_BYTES_MAX} bytes.")
    fields = _multipart(content_type, body) if media_type == MULTIPART else _urlencoded(body)
    if not fields:
        raise Problem(Code.MALFORMED_JSON, "The body is not a form.")
    if fields != [(FIELD, VALUE)]:
        raise invalid(f"/{FIELD}", "one_click", f"The one field is {FIELD}, and its value {VALUE}")


def _urlencoded(body: bytes) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None


def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]] | None:
    # RFC 7578 is MIME, and MIME the standard library reads.
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    try:
        form: Message[str, str] = BytesParser().parsebytes(head + body)
    except RecursionError:  # multiparts in multiparts, which below would be refused, too
        return None
    if form.defects or not form.is_multipart():
        return None
    fields = []
    for part in form.get_payload():
        assert isinstance(part, Message), "of a multipart there are only such"
        name, value = part.get_param("name", header="content-disposition"), part.get_payload()
        if not isinstance(name, str) or not isinstance(value, str):
            return None
        fields.append((name, value))
    return fields
