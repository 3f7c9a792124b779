"""`security.events.v1`: logins, refused access, and reads and changes of patients' data, in the past tense.

Keyed by the actor. People are referred to by id only: an event contains no name, address or token. A search
records its results but not its terms, a change the names of the fields but not their values.
"""

from enum import StrEnum
from typing import Annotated, get_args
from uuid import UUID

from pydantic import Field, Strict, StrictBool, StrictInt

from contracts.audit import Chain
from contracts.commands import RecordedActor
from contracts.fields import Code, Instant, Model, OrNewer

NOBODY = "nobody"
PATIENTS_MAX = 200

RequestId = Annotated[str, Strict(), Field(pattern=r"^[0-9a-f]{32}$")]
"""The trace id of the request (W3C Trace Context, section 3.2.2.3)."""

Name = Annotated[str, Strict(), Field(min_length=1, max_length=100)]
Action = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z]{1,64}$")]


class ProfileField(StrEnum):
    """The fields of a patient's profile."""

    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"
    BIRTH_DATE = "birth_date"
    LANGUAGE = "language"
    CHANNEL = "channel"
    REMINDERS = "reminders"


class SecurityEventBase(Model):
    """Fields of every security event. `actor` is None where it is unknown, as for a login that failed.

    `request_id` is None in events from before requests had one. It may be chosen by the client;
    `own_request_id` is not, and is None in events of earlier releases and of commands of the operator.
    """

    event_id: UUID
    occurred_at: Instant
    actor: RecordedActor | None
    request_id: RequestId | None
    own_request_id: RequestId | None = None


class LoginSucceeded(SecurityEventBase):
    """A login. `family_id` is that of the refresh tokens given out.

    Where there was no challenge, `challenge_id` is of this login alone. `passkey_id`: by which it was, if so.
    """

    challenge_id: UUID
    family_id: UUID
    passkey_id: UUID | None = None


class LoginFailed(SecurityEventBase):
    """A login that was not completed: `reason` is a code. The actor is the user whose login failed."""

    reason: Code
    challenge_id: UUID | None = None


class SessionEnded(SecurityEventBase):
    """A login was ended by somebody: `reason` is a code. The actor is the person whose login it was."""

    family_id: UUID
    reason: Code


class TokenReused(SecurityEventBase):
    """A refresh token was used twice, so it was stolen: its whole family is revoked."""

    family_id: UUID


class PasskeyAdded(SecurityEventBase):
    """The actor can log in with one more passkey from now on."""

    passkey_id: UUID


class PasskeyRemoved(SecurityEventBase):
    """The actor has removed a passkey of theirs."""

    passkey_id: UUID


class CalendarLinkChanged(SecurityEventBase):
    """The secret address of a patient's or a doctor's calendar was made or withdrawn: `change` is a code."""

    change: Code
    doctor_id: UUID | None = None
    patient_id: UUID | None = None


class TokenIssued(SecurityEventBase):
    """An operator made an access token with `clinic token`. The actor is the person who it is for."""

    session_id: UUID


class OperatorOrdered(SecurityEventBase):
    """An operator paused or resumed a consumer, or told it to skip a record: recorded before it is done.

    `action` and `consumer` are codes. `partition` is None for all of them.
    """

    action: Code
    consumer: Code
    partition: StrictInt | None = None
    offset: StrictInt | None = None


class StaffAccountChanged(SecurityEventBase):
    """An operator changed the actor's account with `clinic staff`: `change` is a code."""

    change: Code


class AccessReason(StrEnum):
    """The reasons for which access is refused."""

    INVALID_TOKEN = "invalid_token"  # noqa: S105 (a reason)
    FORBIDDEN = "forbidden"
    FOREIGN = "foreign"


class AccessRefused(SecurityEventBase):
    """A request was refused: forged or expired token, not allowed, or data of another patient.

    `route` is the path's template. The events of a source are limited: `unrecorded` counts its refusals since
    the last one.
    """

    reason: OrNewer[AccessReason]
    method: Name
    route: Name
    appointment_id: UUID | None = None
    unrecorded: StrictInt = 0


class PatientRead(SecurityEventBase):
    """Staff read a patient's profile, the list of that patient's appointments, or the notes about them."""

    patient_id: UUID


class PatientsSearched(SecurityEventBase):
    """Staff searched for patients and read profiles, or a client learned that an address is a patient's."""

    by: Code
    patient_ids: Annotated[tuple[UUID, ...], Field(max_length=PATIENTS_MAX)]


class BookRead(SecurityEventBase):
    """Staff read appointments, or began to follow them: one event for each list, screen or stream.

    `view` is a code. `patient_ids` are those of the appointments that were shown, each once.
    """

    view: Code
    doctor_id: UUID | None = None
    appointment_id: UUID | None = None
    patient_ids: Annotated[tuple[UUID, ...], Field(max_length=PATIENTS_MAX)] = ()
    shown: StrictInt = 0


class AuditExported(SecurityEventBase):
    """Staff read the audit trail, filtered by the fields that are not None. `resumed`: from a cursor."""

    chain: OrNewer[Chain] | None
    since: Instant | None
    until: Instant | None
    action: Action | None
    actor_id: UUID | None
    appointment_id: UUID | None
    doctor_id: UUID | None
    patient_id: UUID | None
    command_id: UUID | None
    resumed: StrictBool


class PatientRegistered(SecurityEventBase):
    """Staff registered a patient, or a new patient logged in for the first time. Two concurrent requests for
    one mail address are both recorded; one id stays unused."""

    patient_id: UUID


class PatientChanged(SecurityEventBase):
    """A patient's profile was changed: the names of the fields that were set."""

    patient_id: UUID
    fields: Annotated[tuple[OrNewer[ProfileField], ...], Field(max_length=50)]


class NoteWritten(SecurityEventBase):
    """Staff wrote a note about a patient."""

    patient_id: UUID
    note_id: UUID


class PersonalDataExported(SecurityEventBase):
    """A patient fetched all that is kept about them."""

    patient_id: UUID


class PatientForgotten(SecurityEventBase):
    """A patient's key was deleted, at the patient's request, or by the system after years without a visit.

    A repetition is the same event.
    """

    patient_id: UUID


_Login = LoginSucceeded | LoginFailed | TokenReused
_Credential = PasskeyAdded | PasskeyRemoved | CalendarLinkChanged | TokenIssued | SessionEnded
_Operator = OperatorOrdered | StaffAccountChanged
_Read = AccessRefused | PatientRead | PatientsSearched | BookRead | AuditExported
_Patient = PatientRegistered | PatientChanged | NoteWritten | PersonalDataExported | PatientForgotten

SecurityEvent = _Login | _Credential | _Operator | _Read | _Patient
SECURITY_TYPES: tuple[type[SecurityEvent], ...] = get_args(SecurityEvent)


class UnknownSecurityEvent(SecurityEventBase):
    """An event of a type that only a newer release knows: the fields that can be read of any type."""

    type_name: str = ""
    appointment_id: UUID | None = None
    doctor_id: UUID | None = None
    patient_id: UUID | None = None


def principal(actor: RecordedActor | None) -> str:
    """The actor as a string: `patient:ID`."""
    return NOBODY if actor is None else f"{actor.kind}:{actor.id}"
