"""Each day, patients who have not been seen for years are forgotten, so that their visits are nobody's."""

import asyncio

import asyncpg
import structlog

from infra.errors import TransientError
from infra.postgres import CONFLICTS, is_outage
from infra.settings import Settings
from ingress.audit.security_log import SecurityLog
from ingress.patients.forgetting import Forgetting
from storage.patients import Patients
from storage.retention import drop_notes_of_forgotten, forget_unseen, present

INTERVAL_S = 24 * 60 * 60.0
RETRY_INTERVAL_S = 60.0

_log = structlog.get_logger(__name__)


class Retention:
    """The background job; any number of ingresses may run one."""

    def __init__(
        self,
        settings: Settings,
        pool: asyncpg.Pool,
        patients: Patients,
        security: SecurityLog,
        forgetting: Forgetting,
    ) -> None:
        self._years = settings.patient_retention_years
        self._pool = pool
        self._patients = patients
        self._security = security
        self._forgetting = forgetting

    async def run(self) -> None:
        """Forget whoever was not seen, now and each day, until cancelled."""
        while True:
            interval_s = INTERVAL_S
            try:
                await drop_notes_of_forgotten(self._pool)
                at = await present(self._pool)
                count = await forget_unseen(
                    self._pool, self._patients, self._security.record, self._years, at
                )
                if count:
                    _log.info("patients who were not seen for years are forgotten", count=count)
                    self._forgetting.poke()
            except Exception as error:
                if not (is_outage(error) or isinstance(error, (*CONFLICTS, TransientError))):
                    raise
                _log.warning("patients who were not seen are not forgotten yet", error=repr(error))
                interval_s = RETRY_INTERVAL_S
            await asyncio.sleep(interval_s)
