"""Builds a notification from its claimed row, or returns the reason why it cannot."""

from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag

from contracts.challenges import Secret
from contracts.promise import Promise
from infra.keys import Keys
from notifier.content import Kind, Notification, Recipient, Visit
from notifier.content.notification import ACCOUNT_NOTICES
from storage.profiles import DEFAULT_CHANNEL, open_profile


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody needs the notification any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Data is missing: events of another partition have not been read yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """Its deadline has passed."""


class Builder:
    """Builds notifications; decrypts profiles with the patients' keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def build(self, row: asyncpg.Record, secret: Secret | None) -> Notification | Dropped | Missing | TooLate:
        """`row` is the outbox's (`notifier.deliver.outbox.CLAIM`), `secret` belongs to a login code.

        Raises:
            MisconfiguredError: the patients' data was encrypted with another master key.
        """
        if row["late"]:
            return TooLate()
        if row["challenge_id"] is not None and secret is None:
            return Dropped("the code has expired")
        recipient, reminders = self._recipient(row, secret)
        if recipient is None:
            return Dropped("forgotten")
        if row["kind"] == Kind.REMINDER and not reminders:
            return Dropped("reminders_off")
        kind, visit, previous = _kind(row, secret), None, None
        if row["appointment_id"] is not None:
            if row["version"] != row["latest_version"]:
                return Dropped("superseded")
            if row["doctor_name"] is None or (row["previous_doctor_id"] and not row["previous_doctor_name"]):
                return Missing("the doctor is not known yet")
            visit, previous = _visit(row), _previous(row)
        if kind == Kind.RESCHEDULE and previous is None:
            kind = Kind.CONFIRMATION  # the patient was never notified of an earlier time
        if kind == Kind.RESCHEDULE and _same(visit, previous):
            return Dropped("nothing has changed since the last notification")
        return Notification(
            id=row["id"],
            kind=kind,
            recipient=recipient,
            visit=visit,
            previous=previous,
            cancelled_by=row["cancelled_by"],
            hours_before=row["hours_before"],
            code=secret.code if secret else None,
            created_at=row["dated"],
            undo=secret.undo if secret else None,
        )

    def _recipient(self, row: asyncpg.Record, secret: Secret | None) -> tuple[Recipient | None, bool]:
        """The recipient, and True if they want reminders."""
        patient_id: UUID | None = row["patient_id"]
        if patient_id is not None and row["data_key"] is None:
            return None, False
        if secret is not None and secret.email is not None:
            somebody = Recipient(
                patient_id=row["challenge_id"],
                name=secret.name,
                email=secret.email,
                phone=secret.phone,
                language=secret.language,
                channel="sms" if secret.phone else DEFAULT_CHANNEL,
            )
            return somebody, False
        if patient_id is None:
            return None, False
        try:
            profile = open_profile(self._keys.unwrap(patient_id, row["data_key"]), patient_id, row["profile"])
        except InvalidTag:
            raise ValueError("the profile cannot be decrypted") from None
        recipient = Recipient(
            patient_id=patient_id,
            name=profile.name,
            email=profile.email,
            phone=profile.phone,
            language=profile.language,
            channel=profile.usable_channel,
        )
        return recipient, profile.reminders


def _kind(row: asyncpg.Record, secret: Secret | None) -> Kind:
    # What is urgent is planned as a login code, whatever it says.
    if secret is not None and secret.undo is not None:
        return Kind.ADDRESS_CHANGED
    for notice in ACCOUNT_NOTICES:
        if secret is not None and getattr(secret, notice):
            return notice
    if secret is not None and secret.person_id is not None:
        return Kind.ADDRESS_CODE
    return Kind(row["kind"])


def _same(visit: Visit | None, previous: Visit | None) -> bool:
    return visit is not None and previous is not None and visit == replace(previous, version=visit.version)


def _visit(row: asyncpg.Record) -> Visit:
    return Visit(
        appointment_id=row["appointment_id"],
        version=row["version"],
        doctor_name=row["doctor_name"],
        specialty=row["specialty"],
        visit_type_name=row["visit_type_name"] or row["visit_type"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        time_zone=row["time_zone"],
        promise=Promise.read(row["promised_start"], row["starts_at"]),
    )


def _previous(row: asyncpg.Record) -> Visit | None:
    if row["previous_doctor_id"] is None:
        return None
    return Visit(
        appointment_id=row["appointment_id"],
        version=row["version"] - 1,
        doctor_name=row["previous_doctor_name"],
        specialty=row["previous_specialty"],
        visit_type_name=row["previous_visit_type_name"] or row["previous_visit_type"],
        starts_at=row["previous_starts_at"],
        ends_at=row["previous_ends_at"],
        time_zone=row["previous_time_zone"],
        promise=Promise.read(row["previous_promised_start"], row["previous_starts_at"]),
    )
