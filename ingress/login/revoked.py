"""Sessions that were ended, known to every ingress within seconds: their access tokens no longer count."""

import asyncio
from datetime import timedelta
from uuid import UUID

import structlog

from infra import clock
from infra.postgres import CONFLICTS, OUTAGES
from infra.tokens import LIFETIME
from storage.login.sessions import Sessions

INTERVAL_S = 5.0
CLEANING_INTERVAL_S = 3600.0
# Longer than a token of a session that has just ended, and clocks that differ.
LOOK_BACK = LIFETIME + timedelta(minutes=5)

_log = structlog.get_logger(__name__)


class Revoked:
    """The ended sessions whose access tokens have not expired yet, read from the database again and again."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._ended: set[UUID] = set()
        self._added: set[UUID] = set()

    def __contains__(self, session_id: UUID) -> bool:
        return session_id in self._ended

    def add(self, *session_ids: UUID) -> None:
        """These were ended here, just now."""
        self._ended.update(session_ids)
        self._added.update(session_ids)

    async def run(self) -> None:
        """Look again and again until cancelled, and delete what is old."""
        loop = asyncio.get_running_loop()
        clean_at = loop.time() + CLEANING_INTERVAL_S
        while True:
            try:
                await self.look()
                if loop.time() >= clean_at:
                    await self._sessions.delete_old()
                    clean_at = loop.time() + CLEANING_INTERVAL_S
            except (*OUTAGES, *CONFLICTS) as error:
                _log.warning("sessions that were ended elsewhere are not known yet", error=repr(error))
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Read which sessions were ended."""
        self._added = set()
        ended = await self._sessions.ended_since(clock.now() - LOOK_BACK)
        # What was ended here in the meantime may not have been read.
        self._ended = ended | self._added
