"""The link that undoes a change of an address or a phone number.

It needs no login: it was sent to the former one.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts.security import PatientChanged, ProfileField
from infra import clock
from infra.crypto.sealing import Column, from_base64url, to_base64url
from infra.crypto.uses import UNDOING
from infra.keys import PATIENT_ID_BYTES, Keys
from ingress.audit.security_log import event_context
from ingress.http.problems import MEANINGS, Code, Problem, not_found
from ingress.openapi.responses import open_answers
from ingress.patients.link_page import PAGE, LinkToken, PageWords, link_page
from ingress.patients.routes import another_with, found
from ingress.resources import Resources, resources
from storage.patient_addresses import AddressTakenError
from storage.profiles import DEFAULT_CHANNEL, Language, Profile, Registered

VALID_FOR = timedelta(days=7)
LINK = Column("auth.challenges.v1", "undo", None)
WORDS: dict[Language, PageWords] = {
    "en": PageWords(
        title="Contact details",
        question="Undo the change of your contact details, end all logins, remove all passkeys and withdraw "
        "your calendar link?",
        button="Undo the change",
        done="Your former contact details are the ones that count.",
        others="If something is wrong, please contact the clinic.",
    ),
    "de": PageWords(
        title="Kontaktdaten",
        question="Änderung Ihrer Kontaktdaten rückgängig machen, alle Anmeldungen beenden, alle Passkeys "
        "entfernen und Ihren Kalender-Link zurückziehen?",
        button="Änderung rückgängig machen",
        done="Es gelten Ihre bisherigen Kontaktdaten.",
        others="Wenn etwas nicht stimmt, melden Sie sich bitte in der Praxis.",
    ),
}

router = APIRouter(tags=["patients"])


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that a link undoes, and with it all that followed: whoever made one may have made the next."""

    patient_id: UUID
    field: ProfileField
    former: str | None
    made_at: datetime

    def is_over(self, profile: Profile) -> bool:
        """True if a change was undone since then, and this one with it."""
        return profile.undone_at is not None and datetime.fromisoformat(profile.undone_at) >= self.made_at

    def is_in_force(self, profile: Profile) -> bool:
        return not self.is_over(profile) and bool(getattr(profile, self.field) != self.former)

    def undone(self, profile: Profile) -> Profile:
        if not self.is_in_force(profile):
            return profile
        profile = replace(profile, undone_at=clock.now().isoformat())
        if self.field is ProfileField.EMAIL:
            assert self.former is not None, "every patient has an address"
            return replace(profile, email=self.former)
        channel = profile.channel if self.former else DEFAULT_CHANNEL
        return replace(profile, phone=self.former, channel=channel)


def sign_undo(keys: Keys, patient_id: UUID, field: ProfileField, former: str | None) -> str:
    """The token of a link that undoes a change of `former`, base64url: it shows nothing.

    Good for `VALID_FOR`.
    """
    content = json.dumps({"field": field, "former": former, "made_at": clock.now().isoformat()}).encode()
    return to_base64url(patient_id.bytes + keys.sealing(UNDOING).seal(content, LINK, patient_id))


@router.get(
    "/v1/undo/{token}",
    response_class=HTMLResponse,
    summary="Show the undo page",
    responses={**PAGE, **open_answers(Code.NOT_FOUND)},
)
async def ask_undo(request: Request, token: LinkToken) -> HTMLResponse:
    """A page with a button. Opening it changes nothing: programs may follow links.

    404 for a forged or old link.
    """
    app = resources(request)
    change = _opened(app, token)
    return _page(app, change, await _patient(app, change))


@router.post(
    "/v1/undo/{token}",
    response_class=HTMLResponse,
    summary="Undo a change of contact details",
    responses={**PAGE, **open_answers(Code.NOT_FOUND, Code.ADDRESS_TAKEN, Code.LOG_UNAVAILABLE)},
)
async def undo(request: Request, token: LinkToken) -> HTMLResponse:
    """The former address or phone number counts again; all logins, passkeys and the calendar link end.

    No login; idempotent. 404 for a forged or old link. 409 if another patient has the address by now.
    Recorded in the security log.
    """
    app = resources(request)
    change = _opened(app, token)
    known = await _patient(app, change)
    if change.is_in_force(known.profile):
        if change.field is ProfileField.EMAIL and await another_with(app, known.id, change.former):
            raise _taken()
        event = PatientChanged(**event_context(request, None), patient_id=known.id, fields=(change.field,))
        await app.security.record(event)
        # Before, so that a repeat does all of it if this is cut off; and after, for who came in meanwhile.
        await _shut_out(app, known.id)
        try:
            known = await app.patients.change(known.id, change.undone) or known
        except AddressTakenError:
            raise _taken() from None
        await _shut_out(app, known.id)
    return _page(app, change, known)


def _taken() -> Problem:
    return Problem(Code.ADDRESS_TAKEN, MEANINGS[Code.ADDRESS_TAKEN])


async def _shut_out(app: Resources, patient_id: UUID) -> None:
    """Whoever changed the address may have added a passkey to come back by, or a link to look on."""
    app.revoked.add(*(await app.sessions.end_all(patient_id, "address_undone")).session_ids)
    await app.passkeys.remove_all(patient_id)


def _opened(app: Resources, token: str) -> _Change:
    content = from_base64url(token) or b""
    try:
        patient_id = UUID(bytes=content[:PATIENT_ID_BYTES])
        opened = app.keys.sealing(UNDOING).open(content[PATIENT_ID_BYTES:], LINK, patient_id)
    except (ValueError, InvalidTag):
        raise not_found() from None
    said = json.loads(opened)
    made_at = datetime.fromisoformat(said["made_at"])
    if made_at + VALID_FOR <= clock.now():
        raise not_found()
    return _Change(patient_id, ProfileField(said["field"]), said["former"], made_at)


async def _patient(app: Resources, change: _Change) -> Registered:
    known = await found(app, change.patient_id)
    if change.is_over(known.profile) and getattr(known.profile, change.field) != change.former:
        raise not_found()  # another change was undone, or was made since
    return known


def _page(app: Resources, change: _Change, known: Registered) -> HTMLResponse:
    language = known.profile.language
    asks = change.is_in_force(known.profile)
    return link_page(app, language, WORDS[language], asks=asks, button=("undo", "yes"))
