"""Examples of calendars and previews."""

from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.refusals import Reason, Refusal
from ingress.calendar.views import CalendarList, CalendarView, SchedulePreview, TimeOffPreview
from ingress.openapi.login_examples import SOME_ID, example
from ingress.openapi.responses import LAST_EVENT_ID

Json = dict[str, Any]


def calendar_examples(
    booked: Json, slot: Json, time_off: Json, zone: ZoneInfo
) -> dict[type[BaseModel], Json]:
    """By model, made of an appointment, a free slot and the times of a time off."""
    calendar = {
        "doctor_id": booked["doctor_id"],
        "time_zone": zone.key,
        "appointments": [booked | {"outside_hours": False}],
        "time_off": [{"id": SOME_ID, **time_off, "note": "Conference"}],
        "free": [slot],
    }
    day = booked["starts_at"][:10]
    calendars = {
        "from": day,
        "to": day,
        "event_id": LAST_EVENT_ID["example"],
        "items": [calendar | {"name": "Dr. Hanna Weiss"}],
        "next_cursor": None,
    }
    fewer = {"items": [booked | {"already": False}], "next_cursor": None, "total": 1, "refusal": None}
    reason = Reason.CONFLICTS_WITH_BOOKINGS
    refusal = {"reason": str(reason), "detail": Refusal(reason, 1).detail}
    conflicting = {"items": [booked], "next_cursor": None, "total": 1, "refusal": refusal}
    return {
        CalendarView: example(calendar),
        CalendarList: example(calendars),
        SchedulePreview: example(fewer),
        TimeOffPreview: example(conflicting),
    }
