"""Makes the terms by which staff find patients, for those whom an earlier release registered or changed."""

import asyncio

import structlog

from infra.errors import MisconfiguredError
from infra.postgres import CONFLICTS, is_outage
from storage.patient_finder import PatientFinder

BATCH = 20
INTERVAL_S = 60.0

_log = structlog.get_logger(__name__)


async def index_patients(finder: PatientFinder) -> None:
    """Until cancelled; any number of ingresses may run it."""
    while True:
        try:
            await finder.drop_indexes_of_forgotten()
            while await finder.index(BATCH) == BATCH:
                pass
        except Exception as error:
            if not (is_outage(error) or isinstance(error, (*CONFLICTS, MisconfiguredError))):
                raise
            _log.warning("patients cannot be found by search terms yet", error=repr(error))
        await asyncio.sleep(INTERVAL_S)
