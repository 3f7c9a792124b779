"""Events into planned letters, in the transaction that moves the position (`infra.event_consumer`)."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord

from contracts.challenges import LoginChallenge, decode_challenge
from contracts.envelope import Event, decode_event
from contracts.events import (
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    DoctorRegistered,
    OutcomeRecorded,
)
from infra import clock
from infra.event_consumer import Received
from infra.postgres import Connection
from infra.settings import Settings
from notifier.metrics import PLANNED
from notifier.plan import Planned, Terms, planned, planned_code

# A doctor's events are in one partition, in order, so that the last word is the doctor's.
SAVE_DOCTORS = """
INSERT INTO notify.doctors AS d (id, name, specialty, time_zone, visit_types)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    specialty = excluded.specialty,
    time_zone = excluded.time_zone,
    visit_types = d.visit_types || excluded.visit_types
"""
# An appointment that moved to another doctor has events in several partitions, which are read in any order:
# its version tells which is the latest. The rows are locked in the order of their ids. `previous_…` is where
# the patient believes it to be: not where it was put by a version that is superseded before it was told.
SAVE_APPOINTMENTS = """
INSERT INTO notify.appointments AS a
SELECT * FROM unnest(
    $1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::uuid[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::text[]
)
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version,
    doctor_id = excluded.doctor_id,
    visit_type = excluded.visit_type,
    starts_at = excluded.starts_at,
    ends_at = excluded.ends_at,
    (previous_doctor_id, previous_visit_type, previous_starts_at, previous_ends_at) = (
        SELECT
            CASE WHEN untold THEN a.previous_doctor_id ELSE a.doctor_id END,
            CASE WHEN untold THEN a.previous_visit_type ELSE a.visit_type END,
            CASE WHEN untold THEN a.previous_starts_at ELSE a.starts_at END,
            CASE WHEN untold THEN a.previous_ends_at ELSE a.ends_at END
        FROM (SELECT a.previous_doctor_id IS NOT NULL AND EXISTS (
            SELECT FROM notify.notifications n
            WHERE n.appointment_id = a.id AND n.version = a.version
                AND n.kind = 'reschedule' AND n.state = 'planned'
        ) AS untold) AS notice
    ),
    cancelled_by = excluded.cancelled_by
WHERE a.version < excluded.version
RETURNING id
"""
CLOSE_APPOINTMENTS = """
UPDATE notify.appointments a SET version = o.version
FROM unnest($1::uuid[], $2::int[]) AS o (id, version)
WHERE a.id = o.id AND a.version < o.version
RETURNING a.id
"""
# What is being sent at this moment may have arrived: its sender corrects that (`notifier.outbox`).
SUPERSEDE = """
UPDATE notify.notifications n SET state = 'superseded', finished_at = now()
FROM notify.appointments a
WHERE n.appointment_id = ANY($1) AND n.state IN ('planned', 'sending')
    AND a.id = n.appointment_id AND n.version < a.version
"""
# A code's time is this host's, an event's its worker's, and what is due is judged by the database's: whatever
# they say, only a reminder is for later.
PLAN = """
INSERT INTO notify.notifications
    (id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated, due_at, deadline_at)
SELECT
    id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated,
    CASE WHEN kind = 'reminder' THEN due_at ELSE least(due_at, now()) END, deadline_at
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::int[], $6::uuid[], $7::uuid[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[]
) AS p (id, kind, appointment_id, version, hours_before, challenge_id, patient_id, dated, due_at, deadline_at)
ON CONFLICT (id) DO NOTHING
"""


async def terms(settings: Settings, pool: asyncpg.Pool) -> Terms:
    """The clinic's terms."""
    return Terms(
        reminder_hours=settings.reminder_hours,
        notice_deadline=timedelta(hours=settings.notice_deadline_hours),
        origin=await pool.fetchval("SELECT at FROM notify.origin"),
    )


def decode(record: ConsumerRecord) -> Event:
    """The event that a record carries. Raises `UndecodableError`."""
    return decode_event(record.value, record.headers)


def sequence_of(record: ConsumerRecord) -> int | None:
    """The number that the worker gave to the event; None for what no worker wrote."""
    digits = dict(record.headers).get("ce_sequence") or b""
    return int(digits) if digits.isdigit() and len(digits) <= 18 else None


def decode_code(record: ConsumerRecord) -> LoginChallenge:
    """The login challenge that a record carries. Raises `UndecodableError`."""
    return decode_challenge(record.value, record.headers)


class Planner:
    """Plans what events and challenges ask for."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def plan(self, connection: Connection, partition: int, received: list[Received[Event]]) -> None:
        """Take in a partition's next events. Idempotent: what was planned before stays as it is."""
        doctors: dict[UUID, DoctorRegistered] = {}
        latest: dict[UUID, Event] = {}
        outcomes: dict[UUID, int] = {}
        visit_types: dict[UUID, dict[str, str]] = {}
        for one in received:
            match one.message.fact:
                case DoctorRegistered() as fact:
                    doctors[fact.doctor_id] = fact
                    names = {kind.code: kind.name for kind in fact.visit_types}
                    visit_types.setdefault(fact.doctor_id, {}).update(names)
                case AppointmentFact() as fact:
                    known = latest.get(fact.appointment_id)
                    if known is None or _version(known) < fact.version:
                        latest[fact.appointment_id] = one.message
                case OutcomeRecorded() as fact:
                    outcomes[fact.appointment_id] = fact.version
        if doctors:
            await _save_doctors(connection, doctors.values(), visit_types)
        changed = await _save_appointments(connection, [latest[id_] for id_ in sorted(latest)])
        if outcomes:
            changed |= await _close_appointments(connection, outcomes)
        if changed:
            await connection.execute(SUPERSEDE, list(changed))
            now = clock.now()
            new = [
                letter
                for id_, event in latest.items()
                if id_ in changed and outcomes.get(id_, 0) < _version(event)
                for letter in planned(event, self._terms, now)
            ]
            await _plan(connection, new)

    async def plan_codes(
        self, connection: Connection, partition: int, received: list[Received[LoginChallenge]]
    ) -> None:
        """Take in login challenges; what has expired is passed over."""
        now = clock.now()
        codes = (planned_code(one.message, now) for one in received)
        await _plan(connection, [code for code in codes if code is not None])


def _version(event: Event) -> int:
    assert isinstance(event.fact, AppointmentFact), "only these are asked"
    return event.fact.version


async def _save_doctors(
    connection: Connection, doctors: Iterable[DoctorRegistered], visit_types: dict[UUID, dict[str, str]]
) -> None:
    rows = [
        (fact.doctor_id, fact.name, fact.specialty, fact.time_zone, json.dumps(visit_types[fact.doctor_id]))
        for fact in doctors
    ]
    await connection.execute(SAVE_DOCTORS, *_columns(rows))


async def _save_appointments(connection: Connection, events: Sequence[Event]) -> set[UUID]:
    if not events:
        return set()
    rows = []
    for event in events:
        fact = event.fact
        assert isinstance(fact, AppointmentFact), "only these are kept"
        moved = fact.previous if isinstance(fact, AppointmentRescheduled) else None
        before = (moved.doctor_id, moved.visit_type, moved.starts_at, moved.ends_at) if moved else (None,) * 4
        cancelled_by = fact.cancelled_by.value if isinstance(fact, AppointmentCancelled) else None
        now = (fact.doctor_id, fact.visit_type, fact.starts_at, fact.ends_at)
        rows.append((fact.appointment_id, fact.version, fact.patient_id, *now, *before, cancelled_by))
    return {row["id"] for row in await connection.fetch(SAVE_APPOINTMENTS, *_columns(rows))}


async def _close_appointments(connection: Connection, outcomes: dict[UUID, int]) -> set[UUID]:
    rows = await connection.fetch(CLOSE_APPOINTMENTS, list(outcomes), list(outcomes.values()))
    return {row["id"] for row in rows}


async def _plan(connection: Connection, letters: Sequence[Planned]) -> None:
    if not letters:
        return
    rows = [
        (
            *(one.id, one.kind, one.appointment_id, one.version, one.hours_before, one.challenge_id),
            *(one.patient_id, one.dated, one.due_at, one.deadline_at),
        )
        for one in letters
    ]
    await connection.execute(PLAN, *_columns(rows))
    for one in letters:
        PLANNED.labels(one.kind).inc()


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
