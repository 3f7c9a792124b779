"""Examples of staff's notes for the OpenAPI document."""

from pydantic import BaseModel

from ingress.openapi.login_examples import SOME_ID, Json, example
from ingress.patients.notes import NoteBody, NoteList, NoteView

NOTE = {
    "id": SOME_ID,
    "patient_id": SOME_ID,
    "text": "Called: the knee is better.\nPrefers mornings.",
    "written_by": SOME_ID,
    "written_at": "2026-11-25T09:00:00+01:00",
}

STAFF: dict[type[BaseModel], Json] = {
    NoteBody: example({"text": NOTE["text"]}),
    NoteView: example(NOTE),
    NoteList: example({"items": [NOTE], "next_cursor": None}),
}
"""By model, as in `ingress.openapi.examples.bodies`."""
