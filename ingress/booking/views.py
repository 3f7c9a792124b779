"""Appointments, their history and their calendar entries as clients see them."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, SerializationInfo, WithJsonSchema, field_serializer

from contracts.commands import ActorKind
from contracts.events import CancelledBy
from contracts.fields import OrNewer, rfc3339
from contracts.promise import Promise, PromisedStart
from infra import clock
from infra.ical.entry import CalendarEntry, calendar_text
from infra.settings import Settings
from ingress.http.views import View, ZonedInstant, local
from scheduling.state import Appointment, Doctor, Status
from storage import mail_address


class VisitView(View):
    """The time of a visit, with the offset that was promised where the rules of its zone have changed since.

    That is in answers in the zone of the promise; in any other zone it is shown by the rules of today.
    """

    promised_start: PromisedStart | None = Field(default=None, exclude=True)

    @field_serializer("starts_at", "ends_at", check_fields=False)
    def _as_promised(self, instant: datetime | None, info: SerializationInfo) -> str | None:
        zone, starts_at = info.context, getattr(self, "starts_at", None)
        assert isinstance(zone, ZoneInfo), "`answer` says which"
        if instant is None or starts_at is None:
            return None
        promise = Promise.read(self.promised_start, starts_at)
        if promise is None or promise.time_zone != zone.key or promise.is_kept:
            return local(instant, zone)
        return rfc3339(instant.astimezone(timezone(promise.offset)))


class AppointmentView(VisitView):
    """An appointment."""

    # The columns of `booking.appointments` that are shown.
    id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: str
    starts_at: ZonedInstant
    ends_at: ZonedInstant
    status: OrNewer[Status]
    version: int
    booked_at: ZonedInstant
    cancelled_by: OrNewer[CancelledBy] | None
    cancel_reason: str | None
    reason: str | None = Field(description="what the patient wrote; gone when the patient is forgotten")


class AppointmentList(View):
    """A page of appointments."""

    items: list[AppointmentView]
    next_cursor: str | None


class AuditPosition(View):
    """The entry of the audit trail: the partition of its chain, its number there and its hash (hex)."""

    partition: int
    number: int
    hash: str


# The serializer of `VisitView` would leave out the format.
_InstantIfAny = Annotated[
    ZonedInstant | None,
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "default": None}),
]


class HistoryEntry(VisitView):
    """An event of an appointment. `version` and times are those after the event."""

    event: str
    at: ZonedInstant
    actor: OrNewer[ActorKind]
    version: int | None = None
    doctor_id: UUID | None = None
    visit_type: str | None = None
    starts_at: _InstantIfAny = None
    ends_at: _InstantIfAny = None
    outcome: str | None = None
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    refusal: str | None
    command_id: UUID
    audit: AuditPosition | None

    @classmethod
    def of(cls, event_type: str, data: Mapping[str, Any], audit: AuditPosition | None) -> "HistoryEntry":
        """An entry from an event's data."""
        own = {
            "event": event_type,
            "at": data["decided_at"],
            "actor": data["actor"]["kind"],
            "refusal": data.get("reason") if event_type == "CommandRefused" else None,
            "audit": audit,
        }
        return cls.model_validate({**data, **own})


class HistoryList(View):
    """The whole history of an appointment."""

    items: list[HistoryEntry]
    next_cursor: str | None


def method(appointment: Appointment) -> Literal["PUBLISH", "CANCEL"]:
    """What a calendar should do with the entry (RFC 5546, section 1.4)."""
    return "CANCEL" if appointment.status is Status.CANCELLED else "PUBLISH"


def calendar_download(appointment: Appointment, doctor: Doctor, settings: Settings) -> bytes:
    """The entry of the mails' invitations, published: a VCALENDAR with one VEVENT, in the clinic's time."""
    visit_type = doctor.visit_type(appointment.visit_type)
    entry = CalendarEntry(
        appointment_id=appointment.id,
        version=appointment.version,
        starts_at=appointment.visit.starts,
        ends_at=appointment.visit.ends,
        zone=ZoneInfo(settings.time_zone),
        summary=f"{visit_type.name if visit_type else appointment.visit_type}, {doctor.name}",
        clinic=settings.name,
        organizer=mail_address.written(settings.mail_sender, smtputf8=False),
        stamped_at=clock.now(),
    )
    return calendar_text(entry, method(appointment))
