"""A claimed row into the letter it stands for, or into the reason why there is none."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag

from contracts.challenges import Secret
from infra.keys import Keys
from infra.profiles import open_profile
from notifier.content import Kind, Letter, Recipient, Visit


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nobody needs the letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What the letter is made of is not there yet: another partition's events are still to be read."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """Its deadline has passed."""


class Letters:
    """Makes letters; opens what the patients' keys seal."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def of(self, row: asyncpg.Record, secret: Secret | None) -> Letter | Dropped | Missing | TooLate:
        """`row` is the outbox's (`notifier.outbox.CLAIM`), `secret` belongs to a login code.

        Raises:
            MisconfiguredError: the master key is another than the patients' data were sealed with.
        """
        if row["late"]:
            return TooLate()
        if row["challenge_id"] is not None and secret is None:
            return Dropped("the code is gone")
        recipient, reminders = self._recipient(row, secret)
        if recipient is None:
            return Dropped("forgotten")
        if row["kind"] == Kind.REMINDER and not reminders:
            return Dropped("reminders_off")
        visit = previous = None
        if row["appointment_id"] is not None:
            if row["version"] != row["latest_version"]:
                return Dropped("superseded")
            if row["doctor_name"] is None or (row["previous_doctor_id"] and not row["previous_doctor_name"]):
                return Missing("the doctor is not known yet")
            visit, previous = _visit(row), _previous(row)
        return Letter(
            id=row["id"],
            kind=Kind(row["kind"]),
            recipient=recipient,
            visit=visit,
            previous=previous,
            cancelled_by=row["cancelled_by"],
            hours_before=row["hours_before"],
            code=secret.code if secret else None,
            created_at=row["dated"],
        )

    def _recipient(self, row: asyncpg.Record, secret: Secret | None) -> tuple[Recipient | None, bool]:
        """Whom it goes to, and whether they want reminders."""
        patient_id: UUID | None = row["patient_id"]
        if patient_id is None:
            if secret is None or secret.email is None:
                return None, False
            staff = Recipient(
                patient_id=row["challenge_id"],
                name=secret.name,
                email=secret.email,
                phone=None,
                language=secret.language,
                channel="mail",
            )
            return staff, False
        if row["data_key"] is None:
            return None, False
        try:
            profile = open_profile(self._keys.unwrap(patient_id, row["data_key"]), row["profile"])
        except InvalidTag:
            raise ValueError("the profile does not open") from None
        recipient = Recipient(
            patient_id=patient_id,
            name=profile.name,
            email=profile.email,
            phone=profile.phone,
            language=profile.language,
            channel=profile.channel if profile.phone else "mail",
        )
        return recipient, profile.reminders


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
    )
