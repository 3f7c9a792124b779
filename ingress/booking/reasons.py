"""The reasons that patients gave for their visits, opened for those who may read them: owner and staff."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import structlog
from cryptography.exceptions import InvalidTag

from infra.keys import Keys
from ingress.resources import Resources
from storage.patients import REASON

_log = structlog.get_logger(__name__)


class Reasons(NamedTuple):
    """What opens the reasons of some appointments: their patients' keys, as they are stored."""

    keys: Keys
    wrapped: Mapping[UUID, bytes]

    @classmethod
    async def of(cls, app: Resources, rows: Iterable[asyncpg.Record]) -> "Reasons":
        """For these rows of appointments."""
        patients = {row["patient_id"] for row in rows if row["reason"] is not None}
        return cls(app.keys, await app.patients.wrapped_keys(patients))

    def opened(self, row: asyncpg.Record) -> dict[str, Any]:
        """A row with `reason` as text; None where none was given, or its patient is forgotten."""
        return dict(row) | {"reason": self._text(row)}

    def _text(self, row: asyncpg.Record) -> str | None:
        wrapped = self.wrapped.get(row["patient_id"])
        if row["reason"] is None or wrapped is None:
            return None
        try:
            return self.keys.unwrap(row["patient_id"], wrapped).open_text(row["reason"], REASON, row["id"])
        except InvalidTag:
            _log.error("a reason cannot be opened", appointment_id=str(row["id"]))
            return None


async def with_reasons(app: Resources, rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    """Rows of appointments, each with its reason as text."""
    reasons = await Reasons.of(app, rows)
    return [reasons.opened(row) for row in rows]
