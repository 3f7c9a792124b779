"""`security.events.v1`: who came in, who was kept out, and who saw or changed what, in the past tense.

CloudEvents 1.0 in binary mode, keyed by the principal. People are told by their ids alone: no name, no
address, no token, nothing that one could be guessed from. What a search asked for is not told, only what it
found; of a change, which fields it set, not to what.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import ConfigDict, Field, Strict, ValidationError

from contracts.audit import Chain
from contracts.commands import Actor
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.fields import Code, Flag, Instant, Model, Whole, rfc3339

TYPE_PREFIX = "clinic.security."
VERSION_SUFFIX = ".v1"
SOURCE = b"/clinic/ingress"
NOBODY = "nobody"
PATIENTS_MAX = 200

Headers = list[tuple[str, bytes]]

RequestId = Annotated[str, Strict(), Field(pattern=r"^[0-9a-f]{32}$")]
"""The trace id of the request (W3C Trace Context, section 3.2.2.3)."""

Name = Annotated[str, Strict(), Field(min_length=1, max_length=100)]
Action = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z]{1,64}$")]
ProfileField = Literal["email", "name", "phone", "language", "channel", "reminders"]


class SecurityEventBase(Model):
    """What each has. No actor where nobody is known; no request id in those from before requests had one."""

    model_config = ConfigDict(extra="ignore")

    event_id: UUID
    occurred_at: Instant
    actor: Actor | None
    request_id: RequestId | None


class LoginSucceeded(SecurityEventBase):
    """Somebody has logged in. `family_id` is that of the refresh tokens given out."""

    challenge_id: UUID
    family_id: UUID


class LoginFailed(SecurityEventBase):
    """A login was not completed: `reason` is a code. The actor is whose login it would have been."""

    reason: Code
    challenge_id: UUID | None = None


class TokenReused(SecurityEventBase):
    """A refresh token came twice, so one of two has stolen it: the whole family is ended."""

    family_id: UUID


class AccessReason(StrEnum):
    """Why access was refused."""

    INVALID_TOKEN = "invalid_token"  # noqa: S105 (a reason)
    FORBIDDEN = "forbidden"
    FOREIGN = "foreign"


class AccessRefused(SecurityEventBase):
    """A request was turned away: forged or expired token, not allowed, or another patient's thing.

    `route` is the path's template. `unrecorded` counts those of the same source since the last event of it:
    only so many are recorded one by one.
    """

    reason: AccessReason
    method: Name
    route: Name
    appointment_id: UUID | None = None
    unrecorded: Whole = 0


class PatientRead(SecurityEventBase):
    """Staff read a patient's profile, or the list of that patient's appointments."""

    patient_id: UUID


class PatientsSearched(SecurityEventBase):
    """Staff looked for patients, and read the profiles of those who were found.

    Or somebody asked for a mail address that is another patient's, and was told so.
    """

    by: Code
    patient_ids: Annotated[tuple[UUID, ...], Field(max_length=PATIENTS_MAX)]


class AuditExported(SecurityEventBase):
    """Staff read the audit trail: which part, None for all. `resumed` behind a cursor."""

    chain: Chain | None
    since: Instant | None
    until: Instant | None
    action: Action | None
    actor_id: UUID | None
    appointment_id: UUID | None
    doctor_id: UUID | None
    patient_id: UUID | None
    command_id: UUID | None
    resumed: Flag


class PatientRegistered(SecurityEventBase):
    """Staff registered a patient. Of two at once for one mail address both are told: one id is nobody's."""

    patient_id: UUID


class PatientChanged(SecurityEventBase):
    """A patient's profile was changed: which fields were set."""

    patient_id: UUID
    fields: Annotated[tuple[ProfileField, ...], Field(max_length=50)]


class PatientForgotten(SecurityEventBase):
    """A patient's key was thrown away, at the patient's wish. Asked for again, it is the same event."""

    patient_id: UUID


SecurityEvent = (
    LoginSucceeded
    | LoginFailed
    | TokenReused
    | AccessRefused
    | PatientRead
    | PatientsSearched
    | AuditExported
    | PatientRegistered
    | PatientChanged
    | PatientForgotten
)
SECURITY_MODELS: tuple[type[SecurityEvent], ...] = get_args(SecurityEvent)
_MODELS = {f"{TYPE_PREFIX}{model.__name__}{VERSION_SUFFIX}".encode(): model for model in SECURITY_MODELS}


def principal(actor: Actor | None) -> str:
    """Who acts, as one text."""
    return NOBODY if actor is None else f"{actor.kind}:{actor.id}"


def security_key(event: SecurityEvent) -> bytes:
    """The record's key: the principal."""
    return principal(event.actor).encode()


def security_headers(event: SecurityEvent, traceparent: str | None = None) -> Headers:
    """The headers of an event (CloudEvents Kafka protocol binding, section 3.2). The subject is the patient
    or the appointment it is about, or else the principal."""
    fields = vars(event)
    subject = fields.get("patient_id") or fields.get("appointment_id") or principal(event.actor)
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.event_id).encode()),
        ("ce_type", f"{TYPE_PREFIX}{type(event).__name__}{VERSION_SUFFIX}".encode()),
        ("ce_source", SOURCE),
        ("ce_time", rfc3339(event.occurred_at).encode()),
        ("ce_subject", str(subject).encode()),
        ("content-type", b"application/json"),
    ]
    return headers if traceparent is None else [*headers, ("traceparent", traceparent.encode())]


def decode_security_event(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> SecurityEvent:
    """The event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    attributes = dict(headers)
    type_ = attributes.get("ce_type") or b""
    if attributes.get("ce_specversion") != b"1.0" or not type_.startswith(TYPE_PREFIX.encode()):
        raise UndecodableError(DeadLetterReason.NO_ENVELOPE, "no security event as CloudEvents 1.0, binary")
    model = _MODELS.get(type_)
    if model is None:
        raise UndecodableError(DeadLetterReason.UNKNOWN_TYPE, "ce_type names no known type and version")
    try:
        event = model.model_validate_json(value or b"")
    except ValidationError as error:
        # Where and what kind, never the value: it may be anything.
        found = "; ".join(
            f"/{'/'.join(map(str, item['loc']))} {item['type']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        )
        raise UndecodableError(DeadLetterReason.INVALID_DATA, found) from None
    if attributes.get("ce_id") != str(event.event_id).encode():
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id is not the event's id")
    if key != security_key(event):
        raise UndecodableError(DeadLetterReason.WRONG_KEY, "the key is not the event's principal")
    return event
