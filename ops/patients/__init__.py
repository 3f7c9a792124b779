"""`clinic patients retain`: who was not seen for years is forgotten, so that their visits are nobody's."""

from functools import partial

from infra.keys import Keys
from infra.settings import Settings
from ops.connections import database
from ops.security_log import record
from storage.patients import Patients
from storage.retention import forget_unseen, present, unseen


async def retain(settings: Settings, *, dry_run: bool) -> int:
    """Forget them, or with `dry_run` count them: returns how many. Ingresses cancel what they had booked.

    Raises:
        ClinicError: Postgres or Kafka does not answer, or a key is missing.
    """
    keys, years = Keys.load(settings), settings.patient_retention_years
    async with database(settings.postgres_dsn.get_secret_value(), "clinic-patients") as pool:
        at = await present(pool)
        if dry_run:
            return len(await unseen(pool, years, at))
        return await forget_unseen(pool, Patients(pool, keys), partial(record, settings), years, at)
