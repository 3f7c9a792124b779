"""Planned letters as senders see them: claimed, begun, settled. All times are the database's.

A claim is a lease with a number. Whoever has a later number has the letter: what the one before still wants
to say about it is not heard, but for "sent", which is true whoever says it. No process claims what it has not
settled yet: it may know that the letter was taken, and only have been unable to write it so far.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Literal, Protocol, TypeVar
from uuid import UUID

import asyncpg
import structlog

from infra.postgres import CONFLICTS, is_outage
from notifier.metrics import FINISHED

Lane = Literal["codes", "letters"]
State = Literal["planned", "sent", "dropped", "undeliverable"]
KINDS: dict[Lane, str] = {"codes": "kind = 'login_code'", "letters": "kind <> 'login_code'"}

# By which channel a letter goes stands in the patient's profile. Whoever has looked writes it down, and the
# senders of other channels leave the letter alone from then on.
OURS = "coalesce(n.channel <> ALL($1::text[]), true)"
# A newer letter about an appointment waits for one that is being sent: it must not overtake it.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT n.id FROM notify.notifications n
    WHERE n.state IN ('planned', 'sending') AND n.{kinds} AND n.due_at <= now()
        AND {ours} AND n.id <> ALL($4::uuid[]) AND NOT EXISTS (
            SELECT FROM notify.notifications o
            WHERE o.appointment_id = n.appointment_id AND o.claimed_until > now() AND o.version < n.version
        )
    ORDER BY n.due_at LIMIT $2
    FOR UPDATE OF n SKIP LOCKED
), claimed AS (
    UPDATE notify.notifications n
    SET claim = n.claim + 1, claimed_until = now() + $3::interval, due_at = now() + $3::interval
    FROM due WHERE n.id = due.id
    RETURNING n.*
)
SELECT c.id, c.claim, c.kind, c.version, c.hours_before, c.challenge_id, c.patient_id, c.dated, c.tries,
    c.sends, c.reason, c.appointment_id, c.deadline_at <= now() AS late,
    extract(epoch FROM now() - c.dated)::float8 AS age_s,
    a.version AS latest_version, a.doctor_id, a.visit_type, a.starts_at, a.ends_at, a.cancelled_by,
    a.previous_doctor_id, a.previous_visit_type, a.previous_starts_at, a.previous_ends_at,
    d.name AS doctor_name, d.specialty, d.time_zone, d.visit_types ->> a.visit_type AS visit_type_name,
    b.name AS previous_doctor_name, b.specialty AS previous_specialty, b.time_zone AS previous_time_zone,
    b.visit_types ->> a.previous_visit_type AS previous_visit_type_name,
    p.data_key, p.profile
FROM claimed c
LEFT JOIN notify.appointments a ON a.id = c.appointment_id
LEFT JOIN notify.doctors d ON d.id = a.doctor_id
LEFT JOIN notify.doctors b ON b.id = a.previous_doctor_id
LEFT JOIN people.patients p ON p.id = c.patient_id AND p.forgotten_at IS NULL
"""
NEXT_DUE = """
SELECT extract(epoch FROM min(n.due_at) - now())::float8 FROM notify.notifications n
WHERE n.state IN ('planned', 'sending') AND n.{kinds} AND {ours}
"""
CLAIMS, NEXT_DUES = (
    {lane: query.replace("{kinds}", kinds).replace("{ours}", OURS) for lane, kinds in KINDS.items()}
    for query in (CLAIM, NEXT_DUE)
)
# Refused if the patient was forgotten or has changed anything since the claim: it may be a new address, or no
# wish for reminders.
BEGIN = """
UPDATE notify.notifications n
SET state = 'sending', sends = n.sends + 1, claimed_until = now() + b.lease, due_at = now() + b.lease
FROM unnest($1::uuid[], $2::int[], $3::interval[], $4::bytea[]) AS b (id, claim, lease, profile)
WHERE n.id = b.id AND n.claim = b.claim AND n.state IN ('planned', 'sending') AND n.claimed_until > now()
    AND b.profile IS NOT DISTINCT FROM (
        SELECT p.profile FROM people.patients p WHERE p.id = n.patient_id AND p.forgotten_at IS NULL
    )
RETURNING n.id
"""
SETTLE = """
UPDATE notify.notifications n SET
    claimed_until = NULL,
    state = CASE WHEN s.state = 'sent' OR n.state IN ('planned', 'sending') THEN s.state ELSE n.state END,
    reason = CASE WHEN s.state = 'sent' THEN NULL
        WHEN n.state IN ('planned', 'sending') THEN coalesce(s.reason, n.reason) ELSE n.reason END,
    due_at = CASE WHEN s.state = 'planned' THEN now() + s.after ELSE n.due_at END,
    tries = n.tries + s.tried,
    sends = n.sends - s.unsent,
    channel = coalesce(s.channel, n.channel),
    finished_at = CASE WHEN s.state = 'planned' THEN n.finished_at ELSE coalesce(n.finished_at, now()) END
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::interval[], $6::int[], $7::int[], $8::text[])
    AS s (id, claim, state, reason, after, tried, unsent, channel)
WHERE n.id = s.id AND n.state <> 'sent' AND (s.state = 'sent' OR n.claim = s.claim)
RETURNING n.id
"""
WRITE_RETRY_S = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a claimed letter. `planned`: tried again after `after`. `unsent`: it was begun, and is
    known not to have arrived. `channel`: by which it goes, if that is known."""

    id: UUID
    claim: int
    state: State
    reason: str | None = None
    after: timedelta = timedelta()
    tried: bool = False
    unsent: bool = False
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class _Beginning:
    id: UUID
    claim: int
    lease: timedelta
    profile: bytes | None


class Outbox:
    """Reads and writes `notify.notifications` for the senders of a process."""

    def __init__(self, pool: asyncpg.Pool, lease: timedelta) -> None:
        self._pool = pool
        self._lease = lease
        self._held: set[UUID] = set()
        self._begin = _Together(self._begin_all)
        self._settle = _Together(self._settle_all)

    async def claim(self, lane: Lane, others: Sequence[str], count: int) -> list[asyncpg.Record]:
        """At most so many letters that are due and not known to go by other channels, for as long as the
        lease. Each is to be settled. Raises `infra.postgres.OUTAGES`."""
        held = list(self._held)
        rows: list[asyncpg.Record] = await self._pool.fetch(CLAIMS[lane], others, count, self._lease, held)
        self._held.update(row["id"] for row in rows)
        return rows

    async def next_due_s(self, lane: Lane, others: Sequence[str]) -> float | None:
        """In how many seconds the next letter is due; negative if it is; None if there is none."""
        due_s: float | None = await self._pool.fetchval(NEXT_DUES[lane], others)
        return due_s

    async def begin(self, id_: UUID, claim: int, lease: timedelta, profile: bytes | None) -> bool:
        """From now on the letter may have arrived. False: it is no longer the sender's, or `profile` is no
        longer its patient's."""
        return await self._begin.do(_Beginning(id_, claim, lease, profile))

    async def settle(self, settlement: Settlement, kind: str) -> None:
        """Write what became of a letter, however long the database is away."""
        try:
            while (written := await self._settled(settlement)) is None:  # noqa: ASYNC110
                await asyncio.sleep(WRITE_RETRY_S)
        finally:
            self._held.discard(settlement.id)
        if written and settlement.state != "planned":
            FINISHED.labels(kind, settlement.state).inc()

    async def _settled(self, settlement: Settlement) -> bool | None:
        """Whether it was the sender's to settle. None: it cannot be written yet."""
        try:
            return await self._settle.do(settlement)
        except Exception as error:
            if not (is_outage(error) or isinstance(error, CONFLICTS)):
                raise
            _log.warning("cannot be written yet", state=settlement.state, error=repr(error))
            return None

    async def _begin_all(self, some: Sequence[_Beginning]) -> set[UUID]:
        columns = (
            *([one.id for one in some], [one.claim for one in some]),
            *([one.lease for one in some], [one.profile for one in some]),
        )
        return {row["id"] for row in await self._pool.fetch(BEGIN, *columns)}

    async def _settle_all(self, some: Sequence[Settlement]) -> set[UUID]:
        columns = (
            *([one.id for one in some], [one.claim for one in some], [one.state for one in some]),
            *([one.reason for one in some], [one.after for one in some], [int(one.tried) for one in some]),
            *([int(one.unsent) for one in some], [one.channel for one in some]),
        )
        return {row["id"] for row in await self._pool.fetch(SETTLE, *columns)}


class _HasId(Protocol):
    @property
    def id(self) -> UUID: ...


R = TypeVar("R", bound=_HasId)


class _Together(Generic[R]):
    """What several senders write at the same time goes in one statement, one after the other."""

    def __init__(self, write: Callable[[Sequence[R]], Awaitable[set[UUID]]]) -> None:
        """`write` returns the ids it found."""
        self._write = write
        self._waiting: list[tuple[R, asyncio.Future[bool]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def do(self, one: R) -> bool:
        """Whether it was written. Raises what `write` raises."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        # Shielded: one that gives up must not take the answer from the others.
        return await asyncio.shield(done)

    async def _run(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting, []
                try:
                    found = await self._write([one for one, _ in some])
                except Exception as error:
                    for _, done in some:
                        done.set_exception(error)
                        done.exception()  # an asker that has gone will not look at it
                else:
                    for one, done in some:
                        done.set_result(one.id in found)
        finally:
            self._runner = None
