"""One full example of every security event: each field set, so that a round trip can lose none."""

from typing import Any
from uuid import UUID

from contracts.audit import Chain
from contracts.commands import Actor, ActorKind
from contracts.security import (
    AccessReason,
    AccessRefused,
    AuditExported,
    LoginFailed,
    LoginSucceeded,
    PatientChanged,
    PatientForgotten,
    PatientRead,
    PatientRegistered,
    PatientsSearched,
    SecurityEvent,
    TokenReused,
)
from tests.unit.contracts.examples import (
    APPOINTMENT,
    BY_PATIENT,
    COMMAND_ID,
    DOCTOR,
    EVENT_ID,
    NINE,
    NOON,
    NOW,
    PATIENT,
)

STAFF = UUID("a0000000-0000-4000-8000-000000000002")
CHALLENGE = UUID("a0000000-0000-4000-8000-000000000003")
FAMILY = UUID("a0000000-0000-4000-8000-000000000004")
REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
BY_STAFF = Actor(kind=ActorKind.STAFF, id=STAFF)


def by(actor: Actor | None) -> dict[str, Any]:
    """What every event has."""
    return {"event_id": EVENT_ID, "occurred_at": NOW, "actor": actor, "request_id": REQUEST_ID}


searched = PatientsSearched(**by(BY_STAFF), by="email", patient_ids=(PATIENT,))
refused = AccessRefused(
    **by(BY_PATIENT),
    reason=AccessReason.FOREIGN,
    method="GET",
    route="/v1/appointments/{appointment_id}",
    appointment_id=APPOINTMENT,
    unrecorded=7,
)
SECURITY_EXAMPLES: tuple[SecurityEvent, ...] = (
    LoginSucceeded(**by(BY_STAFF), challenge_id=CHALLENGE, family_id=FAMILY),
    LoginFailed(**by(None), reason="wrong_code", challenge_id=CHALLENGE),
    TokenReused(**by(BY_PATIENT), family_id=FAMILY),
    refused,
    PatientRead(**by(BY_STAFF), patient_id=PATIENT),
    searched,
    AuditExported(
        **by(BY_STAFF),
        chain=Chain.SECURITY,
        since=NINE,
        until=NOON,
        action="PatientRead",
        actor_id=STAFF,
        appointment_id=APPOINTMENT,
        doctor_id=DOCTOR,
        patient_id=PATIENT,
        command_id=COMMAND_ID,
        resumed=True,
    ),
    PatientRegistered(**by(BY_STAFF), patient_id=PATIENT),
    PatientChanged(
        **by(BY_STAFF),
        patient_id=PATIENT,
        fields=("email", "name", "phone", "language", "channel", "reminders"),
    ),
    PatientForgotten(**by(BY_PATIENT), patient_id=PATIENT),
)
