"""`/v1/patients/{id}/notes`: staff's notes about a patient, which are added to and never changed."""

from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from contracts.commands import derived_id
from contracts.fields import MultiLineText, StrictModel
from contracts.security import NoteWritten, PatientRead
from infra import clock
from ingress.audit.security_log import event_context
from ingress.commands.submit import id_of_command, idempotency_key, key_reused
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import PAGE_SIZE, Cursor, Limit, PathId, after_time_and_id, time_and_id_before
from ingress.http.problems import Code, not_found
from ingress.http.views import View, ZonedInstant, answer
from ingress.openapi.responses import BODY_PROBLEMS, IDEMPOTENCY_KEY, REPLAYED, answers
from ingress.resources import Resources, resources
from storage.notes import Note

router = APIRouter(route_class=AuthenticatedRoute, tags=["patients"])


class NoteBody(StrictModel):
    """A new note."""

    text: MultiLineText


class NoteView(View):
    """A note about a patient. `written_by` is the id of a member of staff."""

    id: UUID
    patient_id: UUID
    text: str
    written_by: UUID
    written_at: ZonedInstant


class NoteList(View):
    """A page of notes."""

    items: list[NoteView]
    next_cursor: str | None


@router.post(
    "/v1/patients/{patient_id:uuid}/notes",
    response_model=NoteView,
    status_code=201,
    summary="Write a note about a patient",
    responses={
        200: {
            "model": NoteView,
            "description": "The note was written before, by the same request.",
            "headers": {"Idempotency-Replayed": REPLAYED},
        },
        201: {"description": "Written."},
        **answers(
            Code.IDEMPOTENCY_KEY_MISSING,
            Code.IDEMPOTENCY_KEY_REUSED,
            Code.FORBIDDEN,
            Code.NOT_FOUND,
            Code.LOG_UNAVAILABLE,
            *BODY_PROBLEMS,
        ),
    },
    openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
)
async def write_note(request: Request, caller: Staff, patient_id: PathId, body: NoteBody) -> Response:
    """Staff only. A note stays as it is: an error is put right by another one. The patient may read it.

    Recorded in the security log, without the text.
    """
    app = resources(request)
    note_id = derived_id(id_of_command(caller, idempotency_key(request)), "note")
    if not await app.patients.is_known(patient_id):
        raise not_found()
    known = await app.notes.find(note_id)
    if known is None:
        event = NoteWritten(**event_context(request, caller), patient_id=patient_id, note_id=note_id)
        await app.security.record(event)
        note = Note(note_id, patient_id, body.text, caller.id, clock.now())
        if await app.notes.add(note):
            return _answer(app, note, 201)
        known = await app.notes.find(note_id)
    if known is None:
        raise not_found()  # forgotten this moment
    if (known.patient_id, known.text) != (patient_id, body.text):
        raise key_reused()
    return _answer(app, known, 200, {"Idempotency-Replayed": "true"})


@router.get(
    "/v1/patients/{patient_id:uuid}/notes",
    response_model=NoteList,
    summary="Notes about a patient",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.INVALID_FIELDS, Code.LOG_UNAVAILABLE),
)
async def list_notes(
    request: Request, caller: Staff, patient_id: PathId, cursor: Cursor = None, limit: Limit = PAGE_SIZE
) -> Response:
    """Staff only. The newest first. Recorded in the security log."""
    app = resources(request)
    before = time_and_id_before(cursor)
    if not await app.patients.is_known(patient_id):
        raise not_found()
    await app.security.record(PatientRead(**event_context(request, caller), patient_id=patient_id))
    notes = await app.notes.of(patient_id, limit + 1, before)
    has_more, notes = len(notes) > limit, notes[:limit]
    next_cursor = after_time_and_id(notes[-1].written_at, notes[-1].id) if has_more else None
    page = NoteList(items=[NoteView.model_validate(note) for note in notes], next_cursor=next_cursor)
    return answer(page, ZoneInfo(app.settings.time_zone))


def _answer(app: Resources, note: Note, status: int, headers: dict[str, str] | None = None) -> Response:
    return answer(NoteView.model_validate(note), ZoneInfo(app.settings.time_zone), status, headers)
