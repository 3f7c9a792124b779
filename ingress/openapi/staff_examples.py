"""Examples for the OpenAPI document of what staff alone read and write: notes and figures."""

from typing import Any

from pydantic import BaseModel

from ingress.analytics.routes import LeadTimeView, OutcomesView, UtilisationView
from ingress.openapi.login_examples import SOME_ID, Json, example, page
from ingress.patients.notes import NoteBody, NoteList, NoteView

NOTE = {
    "id": SOME_ID,
    "patient_id": SOME_ID,
    "text": "Called: the knee is better.\nPrefers mornings.",
    "written_by": SOME_ID,
    "written_at": "2026-11-25T09:00:00+01:00",
}

MONTH = {"group": "2026-11-01", "name": None}


def _figures(**counted: Any) -> Json:
    period = {"from": "2026-11-01", "to": "2026-11-30", "by": "month", "time_zone": "Europe/Berlin"}
    return example({**period, "items": [MONTH | counted]})


STAFF: dict[type[BaseModel], Json] = {
    NoteBody: example({"text": NOTE["text"]}),
    NoteView: example(NOTE),
    NoteList: page(NOTE),
    UtilisationView: _figures(open_minutes=9_600, booked_minutes=7_440, utilisation=0.775),
    OutcomesView: _figures(
        booked=3,
        completed=228,
        no_show=12,
        cancelled_by_patient=9,
        cancelled_by_staff=2,
        cancelled_by_clinic=1,
        total=255,
        no_show_rate=0.05,
    ),
    LeadTimeView: _figures(count=243, median_hours=172.5, p90_hours=508.25, mean_hours=201.83),
}
"""By model, as in `ingress.openapi.examples.bodies`."""
