"""The reasons that patients gave for their visits, opened for those who may read them: owner and staff."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from cryptography.exceptions import InvalidTag

from infra.crypto.sealing import DataKey
from ingress.resources import Resources
from storage.patients import REASON

_log = structlog.get_logger(__name__)


async def with_reasons(app: Resources, rows: Iterable[asyncpg.Record]) -> list[dict[str, Any]]:
    """Rows of appointments, with `reason` as text; None where none was given or its patient is forgotten."""
    found = [dict(row) for row in rows]
    keys = await app.patients.data_keys({row["patient_id"] for row in found if row["reason"] is not None})
    return [row | {"reason": _opened(row, keys)} for row in found]


def _opened(row: dict[str, Any], keys: dict[UUID, DataKey]) -> str | None:
    data_key = keys.get(row["patient_id"])
    if row["reason"] is None or data_key is None:
        return None
    try:
        return data_key.open_text(row["reason"], REASON, row["id"])
    except InvalidTag:
        _log.error("a reason cannot be opened", appointment_id=str(row["id"]))
        return None
