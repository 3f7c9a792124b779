"""Audit entries of security events."""

from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from auditor.entries.booking import Entry, about, event_place, exact, text
from contracts.audit import canonical
from contracts.fields import rfc3339
from contracts.security import (
    NOBODY,
    AccessRefused,
    AuditExported,
    BookRead,
    CalendarLinkChanged,
    LoginFailed,
    OperatorOrdered,
    PatientChanged,
    PatientsSearched,
    SecurityEvent,
    SessionEnded,
    StaffAccountChanged,
    UnknownSecurityEvent,
)

WITH_REASON = (AccessRefused, LoginFailed, SessionEnded)


def security_entry(event: SecurityEvent | UnknownSecurityEvent, record: ConsumerRecord) -> Entry:
    """The entry of a security event, which was read from `record`."""
    action = event.type_name if isinstance(event, UnknownSecurityEvent) else type(event).__name__
    fields = vars(event)
    appointment_id, doctor_id, patient_id = (
        fields.get(name) for name in ("appointment_id", "doctor_id", "patient_id")
    )
    if isinstance(event, PatientsSearched | BookRead) and len(event.patient_ids) == 1:
        patient_id = event.patient_ids[0]
    kind = str(event.actor.kind) if event.actor else NOBODY
    actor_id: UUID | None = event.actor.id if event.actor else None
    content = {
        "about": about(appointment_id, doctor_id, patient_id),
        "action": action,
        "actor": {"id": text(actor_id), "kind": kind},
        "at": exact(event.occurred_at),
        "command_id": text(fields.get("command_id")),
        "command_type": None,
        "count": event.unrecorded if isinstance(event, AccessRefused) else None,
        "effect": _effect(event),
        "event": event_place(event.event_id, record, None),
        "reason": str(event.reason) if isinstance(event, WITH_REASON) else None,
        "request_id": event.request_id,
        **({"own_request_id": event.own_request_id} if event.own_request_id else {}),
        "source": None,
    }
    return Entry(
        event.occurred_at,
        action,
        kind,
        actor_id,
        doctor_id,
        appointment_id,
        patient_id,
        fields.get("command_id"),
        canonical(content),
    )


def _effect(event: SecurityEvent | UnknownSecurityEvent) -> dict[str, Any] | None:
    match event:
        case PatientsSearched():
            after: dict[str, Any] = {"by": event.by, "patient_ids": [str(id_) for id_ in event.patient_ids]}
        case BookRead():
            patients = [str(id_) for id_ in event.patient_ids]
            after = {"patient_ids": patients, "shown": event.shown, "view": event.view}
        case OperatorOrdered():
            after = {
                "action": event.action,
                "consumer": event.consumer,
                "offset": event.offset,
                "partition": event.partition,
            }
        case AccessRefused():
            after = {"method": event.method if event.method.isalpha() else None, "route": event.route}
        case PatientChanged():
            after = {"fields": list(event.fields)}
        case StaffAccountChanged() | CalendarLinkChanged():
            after = {"change": str(event.change)}
        case AuditExported():
            # Not the requested action: it is up to 64 letters of the client's choice.
            after = {
                "actor_id": text(event.actor_id),
                "chain": text(event.chain),
                "resumed": event.resumed,
                "since": event.since and rfc3339(event.since),
                "until": event.until and rfc3339(event.until),
            }
        case _:
            ids = ("challenge_id", "family_id", "note_id", "session_id")
            after = {name: text(vars(event)[name]) for name in ids if name in vars(event)}
            # Events of before there were passkeys keep their entries.
            if passkey_id := vars(event).get("passkey_id"):
                after["passkey_id"] = str(passkey_id)
    return {"after": after, "before": None} if after else None
