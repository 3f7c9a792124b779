"""What the trail keeps of a security event."""

from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from auditor.entries import Entry, about, event_place, exact, text
from contracts.audit import canonical
from contracts.fields import rfc3339
from contracts.security import (
    NOBODY,
    AccessRefused,
    AuditExported,
    LoginFailed,
    PatientChanged,
    PatientsSearched,
    SecurityEvent,
    decode_security_event,
)


def decode(record: ConsumerRecord) -> SecurityEvent:
    """The event. Raises `UndecodableError`."""
    return decode_security_event(record.key, record.value, record.headers)


def security_entry(event: SecurityEvent, record: ConsumerRecord) -> Entry:
    """The entry of a security event, which came in `record`."""
    action = type(event).__name__
    fields = vars(event)
    appointment_id, doctor_id, patient_id = (
        fields.get(name) for name in ("appointment_id", "doctor_id", "patient_id")
    )
    if isinstance(event, PatientsSearched) and len(event.patient_ids) == 1:
        patient_id = event.patient_ids[0]
    kind = event.actor.kind.value if event.actor else NOBODY
    actor_id: UUID | None = event.actor.id if event.actor else None
    content = {
        "about": about(appointment_id, doctor_id, patient_id),
        "action": action,
        "actor": {"id": text(actor_id), "kind": kind},
        "at": exact(event.occurred_at),
        "command_id": text(fields.get("command_id")),
        "command_type": None,
        "count": event.unrecorded if isinstance(event, AccessRefused) else None,
        "effect": _told(event),
        "event": event_place(event.event_id, record, None),
        "reason": str(event.reason) if isinstance(event, AccessRefused | LoginFailed) else None,
        "request_id": event.request_id,
        "source": None,
    }
    return Entry(
        *(event.occurred_at, action, kind, actor_id, doctor_id, appointment_id, patient_id),
        *(fields.get("command_id"), canonical(content)),
    )


def _told(event: SecurityEvent) -> dict[str, Any] | None:
    match event:
        case PatientsSearched():
            after: dict[str, Any] = {"by": event.by, "patient_ids": [str(id_) for id_ in event.patient_ids]}
        case AccessRefused():
            after = {"method": event.method if event.method.isalpha() else None, "route": event.route}
        case PatientChanged():
            after = {"fields": list(event.fields)}
        case AuditExported():
            # Not the action that was asked for: 64 letters of somebody's choice.
            after = {
                "actor_id": text(event.actor_id),
                "chain": text(event.chain),
                "resumed": event.resumed,
                "since": event.since and rfc3339(event.since),
                "until": event.until and rfc3339(event.until),
            }
        case _:
            ids = ("challenge_id", "family_id")
            after = {name: text(vars(event)[name]) for name in ids if name in vars(event)}
    return {"after": after, "before": None} if after else None
