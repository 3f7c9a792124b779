"""`clinic token`: access tokens signed with the clinic's key, for operators and scripts.

Not named `token.py`: `ops/install.py` runs as a script, which puts this folder on Python's path, so that the
name would shadow the standard library's module.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from contracts.commands import Actor
from contracts.security import TokenIssued
from infra import clock
from infra.crypto.production import refuse_in_production
from infra.keys import Keys
from infra.settings import Settings
from infra.signing_keys import load_signing_key
from infra.tokens import LIFETIME, Role, issue_token
from ops.connections import database
from ops.security_log import record
from storage.patients import Patients

MINUTES_MAX = int(LIFETIME.total_seconds() // 60)
METHODS = ("operator",)
STAFF_ID = uuid5(UUID("f3d3a0c2-4f0e-4c55-9f0b-2f7a0c0d6f52"), "operator")
"""The actor of `clinic token staff`, `clinic seed` and orders to consumers. Never changes: the ids of
commands are derived from it, so that a repeated command would become a new one."""


def staff_token(settings: Settings) -> str:
    """A token of the member of staff `STAFF_ID`, for commands that act at once; not recorded.

    Raises:
        MisconfiguredError: the signing key cannot be read, or this is production mode.
    """
    return _token(settings, STAFF_ID, Role.STAFF, clock.new_id(), MINUTES_MAX)


async def recorded_staff_token(settings: Settings, minutes: int) -> str:
    """A token of the member of staff `STAFF_ID`, recorded in the security log.

    Raises:
        MisconfiguredError: the signing key cannot be read, or this is production mode.
        TransientError: Kafka does not answer.
    """
    return await _recorded_token(settings, STAFF_ID, Role.STAFF, minutes)


async def recorded_patient_token(settings: Settings, email: str, minutes: int) -> str:
    """A token of the patient with this mail address, recorded; an unknown address becomes a patient.

    Raises:
        ValueError: that is no mail address.
        MisconfiguredError: a key cannot be read, or the database has no schema.
        TransientError: Postgres or Kafka does not answer.
    """
    [patient_id] = await register_patients(settings, [email])
    return await _recorded_token(settings, patient_id, Role.PATIENT, minutes)


async def register_patients(settings: Settings, emails: Sequence[str]) -> list[UUID]:
    """The ids of the patients with these mail addresses, in their order.

    Raises what `recorded_patient_token` does.
    """
    keys = Keys.load(settings)
    async with database(settings.ingress_dsn, "clinic-token", connections_max=1) as pool:
        patients = Patients(pool, keys, settings.language, smtputf8=settings.smtp_utf8)
        return [await patients.register(email) for email in emails]


async def _recorded_token(settings: Settings, id_: UUID, role: Role, minutes: int) -> str:
    session_id = clock.new_id()
    token = _token(settings, id_, role, session_id, minutes)
    issued = TokenIssued(
        event_id=clock.new_id(),
        occurred_at=clock.now(),
        actor=Actor(kind=role.actor_kind, id=id_),
        request_id=clock.new_id().hex,
        session_id=session_id,
    )
    await record(settings, issued)
    return token


def _token(settings: Settings, id_: UUID, role: Role, session_id: UUID, minutes: int) -> str:
    refuse_in_production(settings, "clinic token")
    return issue_token(
        load_signing_key(settings.signing_key_file),
        id_,
        role,
        session_id=session_id,
        methods=METHODS,
        valid_for=timedelta(minutes=minutes),
    )
