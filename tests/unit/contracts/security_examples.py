"""One full example of every security event: each field set, so that a round trip can lose none."""

from typing import Any
from uuid import UUID

from contracts.audit import Chain
from contracts.commands import ActorKind, RecordedActor
from contracts.security import (
    AccessReason,
    AccessRefused,
    AuditExported,
    BookRead,
    CalendarLinkChanged,
    LoginFailed,
    LoginSucceeded,
    NoteWritten,
    OperatorOrdered,
    PasskeyAdded,
    PasskeyRemoved,
    PatientChanged,
    PatientForgotten,
    PatientRead,
    PatientRegistered,
    PatientsSearched,
    PersonalDataExported,
    SecurityEvent,
    SessionEnded,
    StaffAccountChanged,
    TokenIssued,
    TokenReused,
)
from tests.unit.contracts.examples import (
    APPOINTMENT,
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
PASSKEY = UUID("a0000000-0000-4000-8000-000000000005")
NOTE = UUID("a0000000-0000-4000-8000-000000000006")
REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
OWN_REQUEST_ID = "1bf7651916cd43dd8448eb211c80319d"
BY_STAFF = RecordedActor(kind=ActorKind.STAFF, id=STAFF)
BY_PATIENT = RecordedActor(kind=ActorKind.PATIENT, id=PATIENT)


def by(actor: RecordedActor | None) -> dict[str, Any]:
    """The fields of every event."""
    return {
        "event_id": EVENT_ID,
        "occurred_at": NOW,
        "actor": actor,
        "request_id": REQUEST_ID,
        "own_request_id": OWN_REQUEST_ID,
    }


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
    LoginSucceeded(**by(BY_STAFF), challenge_id=CHALLENGE, family_id=FAMILY, passkey_id=PASSKEY),
    LoginFailed(**by(None), reason="wrong_code", challenge_id=CHALLENGE),
    TokenReused(**by(BY_PATIENT), family_id=FAMILY),
    PasskeyAdded(**by(BY_PATIENT), passkey_id=PASSKEY),
    PasskeyRemoved(**by(BY_PATIENT), passkey_id=PASSKEY),
    CalendarLinkChanged(**by(BY_PATIENT), change="made", patient_id=PATIENT),
    TokenIssued(**by(BY_PATIENT), session_id=FAMILY),
    SessionEnded(**by(BY_PATIENT), family_id=FAMILY, reason="logged_out"),
    OperatorOrdered(**by(BY_STAFF), action="skip", consumer="auditor-security", partition=2, offset=7),
    StaffAccountChanged(**by(BY_STAFF), change="factor_reset"),
    refused,
    PatientRead(**by(BY_STAFF), patient_id=PATIENT),
    searched,
    BookRead(
        **by(BY_STAFF),
        view="appointments",
        doctor_id=DOCTOR,
        appointment_id=APPOINTMENT,
        patient_ids=(PATIENT,),
        shown=1,
    ),
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
    NoteWritten(**by(BY_STAFF), patient_id=PATIENT, note_id=NOTE),
    PersonalDataExported(**by(BY_PATIENT), patient_id=PATIENT),
    PatientForgotten(**by(BY_PATIENT), patient_id=PATIENT),
)
