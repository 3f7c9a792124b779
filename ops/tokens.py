"""`clinic token`: access tokens made with the clinic's own signing key, for operators and scripts.

Not `token.py`: `ops/install.py` runs as a script, which puts this folder on Python's path, and there that
name would hide the standard library's.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

import asyncpg

from contracts.commands import Actor, ActorKind
from infra.errors import MisconfiguredError, TransientError
from infra.keys import Keys
from infra.postgres import OUTAGES, open_pool
from infra.settings import Settings
from infra.tokens import issue_token, load_signing_key
from ingress.patients import Patients

WORKING_DAY_HOURS = 12
STAFF_ID = uuid5(UUID("f3d3a0c2-4f0e-4c55-9f0b-2f7a0c0d6f52"), "operator")
"""Whoever acts with a token of `clinic token staff`, `clinic seed` included. Fixed for good: the ids of
commands derive from it, so that another one would make a repeated command a new one."""


def staff_token(settings: Settings, hours: int = WORKING_DAY_HOURS) -> str:
    """A token of the member of staff `STAFF_ID`.

    Raises:
        MisconfiguredError: the signing key cannot be read.
    """
    return _token(settings, Actor(kind=ActorKind.STAFF, id=STAFF_ID), hours)


async def patient_token(settings: Settings, email: str, hours: int = WORKING_DAY_HOURS) -> str:
    """A token of the patient with this mail address; an unknown address becomes a patient.

    Raises:
        ValueError: that is no mail address.
        MisconfiguredError: a key cannot be read, or the database has no schema.
        TransientError: Postgres does not answer.
    """
    [patient_id] = await register_patients(settings, [email])
    return _token(settings, Actor(kind=ActorKind.PATIENT, id=patient_id), hours)


async def register_patients(settings: Settings, emails: Sequence[str]) -> list[UUID]:
    """The ids of the patients with these mail addresses, in their order. Raises what `patient_token` does."""
    keys = Keys.load(settings.master_key_file)
    try:
        async with await open_pool(settings.ingress_dsn, "clinic-token", connections_max=1) as pool:
            patients = Patients(pool, keys, settings.language)
            return [await patients.register(email) for email in emails]
    except OUTAGES as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
    except asyncpg.UndefinedTableError:
        raise MisconfiguredError("The database has no schema yet: run `clinic migrate`.") from None
    except asyncpg.PostgresError as error:
        raise MisconfiguredError(f"Postgres refuses: {error}") from error


def _token(settings: Settings, actor: Actor, hours: int) -> str:
    return issue_token(load_signing_key(settings.signing_key_file), actor, timedelta(hours=hours))
