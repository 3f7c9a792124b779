"""Audit entries of booking events: fields are picked one by one, and the event is never copied.

So no name or encrypted text can get in, whatever future events contain. An event whose type only a newer
release knows also gets an entry, without its effect.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.audit import canonical
from contracts.cloudevents import Event, UnknownEvent
from contracts.doctors import Hours, VisitType
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    CommandConfirmed,
    CommandFailed,
    CommandRefused,
    DoctorFact,
    Fact,
    OutcomeRecorded,
    PreviousVisit,
    TimeBlocked,
    TimeUnblocked,
    UnknownFact,
    WeeklyHoursSet,
)
from contracts.fields import end_time_text, rfc3339

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NAME = re.compile(r"[A-Za-z]{1,64}")
BOOKED = "booked"
CANCELLED = "cancelled"

Json = dict[str, Any]


class Entry(NamedTuple):
    """An entry before it is chained. `content` is canonical JSON, which includes the other fields."""

    occurred_at: datetime
    action: str
    actor_kind: str
    actor_id: UUID | None
    doctor_id: UUID | None
    appointment_id: UUID | None
    patient_id: UUID | None
    command_id: UUID | None
    content: bytes


def booking_entry(event: Event | UnknownEvent, record: ConsumerRecord, commands_topic: str) -> Entry:
    """The entry of a booking event, which was read from `record`."""
    context, fact = event.context, event.fact
    action = event.event_type
    fields = vars(fact)  # getattr() of a field that a model lacks is slow
    appointment_id: UUID | None = fields.get("appointment_id")
    doctor_id: UUID | None = fields.get("doctor_id")
    patient_id: UUID | None = fields.get("patient_id")
    content = {
        "about": about(appointment_id, doctor_id, patient_id),
        "action": action,
        "actor": {"id": str(context.actor.id), "kind": str(context.actor.kind)},
        "at": exact(context.decided_at),
        "command_id": str(context.command_id),
        "command_type": context.command_type if _NAME.fullmatch(context.command_type) else None,
        "count": fields.get("count"),
        "effect": _effect(fact),
        "event": event_place(event.id, record, event.sequence),
        "reason": str(fact.reason) if isinstance(fact, CommandRefused | CommandFailed) else None,
        "request_id": request_id(record.headers),
        "source": {
            "offset": context.source.offset,
            "partition": context.source.partition,
            "topic": commands_topic,
        },
    }
    return Entry(
        context.decided_at,
        action,
        str(context.actor.kind),
        context.actor.id,
        doctor_id,
        appointment_id,
        patient_id,
        context.command_id,
        canonical(content),
    )


def about(appointment_id: UUID | None, doctor_id: UUID | None, patient_id: UUID | None) -> Json:
    """The subjects of an entry, for its content."""
    return {
        "appointment_id": text(appointment_id),
        "doctor_id": text(doctor_id),
        "patient_id": text(patient_id),
    }


def event_place(id_: UUID, record: ConsumerRecord, sequence: int | None) -> Json:
    """The event's id and its position on its topic."""
    return {
        "id": str(id_),
        "offset": record.offset,
        "partition": record.partition,
        "sequence": sequence,
        "topic": record.topic,
    }


def request_id(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The trace id, if the record has a `traceparent` (W3C Trace Context, section 3.2)."""
    found = _TRACEPARENT.fullmatch(dict(headers).get("traceparent") or b"")
    return found[1].decode() if found else None


def exact(instant: datetime) -> str:
    """An instant with six digits of microseconds, as `auditor.reading.COLUMNS_AGREE` compares it."""
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def text(value: object) -> str | None:
    """An id or code as JSON has it."""
    return None if value is None else str(value)


def _effect(fact: Fact | UnknownFact) -> Json | None:
    match fact:
        case AppointmentBooked():
            return _change(None, _visit(fact, BOOKED) | {"version": fact.version})
        case AppointmentRescheduled():
            return _change(_visit(fact.previous, BOOKED), _visit(fact, BOOKED) | {"version": fact.version})
        case AppointmentCancelled():
            # Not its reason: staff choose that code freely, and it could name a person.
            after = {"cancelled_by": str(fact.cancelled_by), "version": fact.version}
            return _change(_visit(fact, BOOKED), _visit(fact, CANCELLED) | after)
        case OutcomeRecorded():
            before = {"status": fact.previous_status or BOOKED}
            return _change(before, {"status": str(fact.outcome), "version": fact.version})
        case TimeBlocked():
            return _change(None, _time_off(fact))
        case TimeUnblocked():
            return _change(_time_off(fact), None)
        case WeeklyHoursSet():
            return _change(None, {"hours": [_hours(hours) for hours in fact.hours]})
        case DoctorFact():
            return _change(None, _doctor(fact))
        case CommandConfirmed() | CommandRefused() | CommandFailed() | UnknownFact():
            return None


def _change(before: Json | None, after: Json | None) -> Json:
    return {"after": after, "before": before}


def _visit(visit: AppointmentFact | PreviousVisit, status: str) -> Json:
    return {
        "doctor_id": str(visit.doctor_id),
        "ends_at": rfc3339(visit.ends_at),
        "starts_at": rfc3339(visit.starts_at),
        "status": status,
        "visit_type": visit.visit_type,
    }


def _time_off(fact: TimeBlocked | TimeUnblocked) -> Json:
    return {
        "ends_at": rfc3339(fact.ends_at),
        "starts_at": rfc3339(fact.starts_at),
        "time_off_id": str(fact.time_off_id),
    }


def _hours(hours: Hours) -> Json:
    return {
        "ends": end_time_text(hours.ends),
        "starts": hours.starts.isoformat("minutes"),
        "valid_from": text(hours.valid_from),
        "valid_until": text(hours.valid_until),
        "weekday": hours.weekday,
    }


def _doctor(fact: DoctorFact) -> Json:
    policy = fact.policy
    return {
        "active": fact.active,
        "policy": {
            "change_notice_minutes": policy.change_notice_minutes,
            "horizon_days": policy.horizon_days,
            "max_active_per_patient": policy.max_active_per_patient,
            "min_notice_minutes": policy.min_notice_minutes,
            "slot_minutes": policy.slot_minutes,
        },
        "time_zone": fact.time_zone,
        "visit_types": [_visit_type(visit_type) for visit_type in fact.visit_types],
    }


def _visit_type(visit_type: VisitType) -> Json:
    return {
        "buffer_after_minutes": visit_type.buffer_after_minutes,
        "buffer_before_minutes": visit_type.buffer_before_minutes,
        "code": visit_type.code,
        "minutes": visit_type.minutes,
    }
