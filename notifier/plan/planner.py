"""Plans notifications for events, in the transaction that moves the consumer's position."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag

from contracts.challenges import LoginChallenge
from contracts.cloudevents import Event, UnknownEvent
from contracts.events import (
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    DoctorFact,
    OutcomeRecorded,
    PreviousVisit,
)
from infra import clock
from infra.errors import MisconfiguredError
from infra.kafka.event_consumer import ReceivedMessage
from infra.kafka.tracing import traceparent_of
from infra.keys import Keys
from infra.postgres import Connection
from infra.queries import load_queries
from infra.settings import Settings
from infra.telemetry import request_of
from notifier.content.notification import FIRST_VERSION
from notifier.metrics import PLANNED
from notifier.plan.rules import Planned, Terms, planned, planned_code
from storage.profiles import open_profile

SQL = load_queries(Path(__file__).with_name("queries.sql"))


async def terms(settings: Settings, pool: asyncpg.Pool) -> Terms:
    """The terms in the settings and the database."""
    return Terms(
        reminder_hours=settings.reminder_hours,
        notice_deadline=timedelta(hours=settings.notice_deadline_hours),
        origin=await pool.fetchval("SELECT at FROM notify.origin"),
    )


class Planner:
    """Plans the notifications for events and login challenges."""

    def __init__(self, terms: Terms, keys: Keys) -> None:
        """`keys` decrypt the profiles, which contain the patients' channels."""
        self._terms = terms
        self._keys = keys

    async def plan(
        self, connection: Connection, partition: int, received: list[ReceivedMessage[Event | UnknownEvent]]
    ) -> None:
        """Plan for a partition's next events. Idempotent: existing notifications are not changed."""
        doctors: dict[UUID, DoctorFact] = {}
        visit_types: dict[UUID, dict[str, str]] = {}
        first: dict[UUID, AppointmentFact] = {}
        latest: dict[UUID, Event] = {}
        outcomes: dict[UUID, int] = {}
        traces: dict[UUID | None, str | None] = {}
        for _, event, record in received:
            if isinstance(event, UnknownEvent):
                continue  # a newer release plans for it
            match event.fact:
                case DoctorFact() as fact:
                    doctors[fact.doctor_id] = fact
                    names = {visit_type.code: visit_type.name for visit_type in fact.visit_types}
                    visit_types.setdefault(fact.doctor_id, {}).update(names)
                case AppointmentFact() as fact:
                    first.setdefault(fact.appointment_id, fact)
                    known = latest.get(fact.appointment_id)
                    if known is None or _version(known) < fact.version:
                        latest[fact.appointment_id] = event
                        trace = traceparent_of(record)
                        traces[fact.appointment_id] = trace if request_of(trace) else None
                case OutcomeRecorded() as fact:
                    outcomes[fact.appointment_id] = fact.version
        if doctors:
            await _save_doctors(connection, doctors.values(), visit_types)
        changed = await _save_appointments(connection, [latest[id_] for id_ in sorted(latest)], first)
        if outcomes:
            changed |= await _close_appointments(connection, outcomes)
        if changed:
            # A first version supersedes nothing.
            later = [id_ for id_ in changed if id_ not in latest or _version(latest[id_]) > FIRST_VERSION]
            if later:
                await connection.execute(SQL["supersede"], later)
            now = clock.now()
            new = [
                notification
                for id_, event in latest.items()
                if id_ in changed and outcomes.get(id_, 0) < _version(event)
                for notification in planned(event, self._terms, now)
            ]
            await self._plan(connection, new, traces)

    async def plan_codes(
        self, connection: Connection, partition: int, received: list[ReceivedMessage[LoginChallenge]]
    ) -> None:
        """Plan for login challenges; expired ones are ignored."""
        now = clock.now()
        codes = (planned_code(record.message, now) for record in received)
        await self._plan(connection, [code for code in codes if code is not None], {})

    async def _plan(
        self,
        connection: Connection,
        notifications: Sequence[Planned],
        traces: Mapping[UUID | None, str | None],
    ) -> None:
        """`traces` are those of the appointments' events."""
        if not notifications:
            return
        patient_ids = {notification.patient_id for notification in notifications}
        channels = await self._channels(connection, patient_ids)
        rows = [
            (
                notification.id,
                notification.kind,
                notification.appointment_id,
                notification.version,
                notification.hours_before,
                notification.challenge_id,
                notification.patient_id,
                notification.dated,
                notification.due_at,
                notification.deadline_at,
                channels.get(notification.patient_id),
                traces.get(notification.appointment_id),
            )
            for notification in notifications
        ]
        await connection.execute(SQL["plan"], *_columns(rows))
        for notification in notifications:
            PLANNED.labels(notification.kind).inc()

    async def _channels(
        self, connection: Connection, patient_ids: set[UUID | None]
    ) -> Mapping[UUID | None, str]:
        """The channels that the patients chose, so that no sender of another channel claims the notification.

        A patient may change it before it is sent: the claimer checks again.
        """
        channels: dict[UUID | None, str] = {}
        rows = await connection.fetch(SQL["profiles"], [id_ for id_ in patient_ids if id_ is not None])
        for row in rows:
            try:
                data_key = self._keys.unwrap(row["id"], row["data_key"])
                profile = open_profile(data_key, row["id"], row["profile"])
            except (InvalidTag, MisconfiguredError):
                continue  # reported when it is sent
            channels[row["id"]] = profile.usable_channel
        return channels


def _version(event: Event) -> int:
    assert isinstance(event.fact, AppointmentFact), "called for appointments only"
    return event.fact.version


async def _save_doctors(
    connection: Connection, doctors: Iterable[DoctorFact], visit_types: dict[UUID, dict[str, str]]
) -> None:
    rows = [
        (fact.doctor_id, fact.name, fact.specialty, fact.time_zone, json.dumps(visit_types[fact.doctor_id]))
        for fact in doctors
    ]
    await connection.execute(SQL["save_doctors"], *_columns(rows))


async def _save_appointments(
    connection: Connection, events: Sequence[Event], first: Mapping[UUID, AppointmentFact]
) -> set[UUID]:
    """Returns the ids of those that are newer than the stored ones. `first`: their first events in the
    batch."""
    if not events:
        return set()
    rows = []
    for event in events:
        fact = event.fact
        assert isinstance(fact, AppointmentFact), "called for appointments only"
        # A version that was followed by another in the same batch was never sent.
        earliest = first[fact.appointment_id]
        moved = earliest.previous if isinstance(earliest, AppointmentRescheduled) else None
        before = _time_of(moved) if moved else (None,) * 5
        cancelled_by = str(fact.cancelled_by) if isinstance(fact, AppointmentCancelled) else None
        rows.append(
            (fact.appointment_id, fact.version, fact.patient_id, *_time_of(fact), *before, cancelled_by)
        )
    return {row["id"] for row in await connection.fetch(SQL["save_appointments"], *_columns(rows))}


def _time_of(visit: AppointmentFact | PreviousVisit) -> tuple[object, ...]:
    return (visit.doctor_id, visit.visit_type, visit.starts_at, visit.ends_at, visit.promised_start)


async def _close_appointments(connection: Connection, outcomes: dict[UUID, int]) -> set[UUID]:
    rows = await connection.fetch(SQL["close_appointments"], list(outcomes), list(outcomes.values()))
    return {row["id"] for row in rows}


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
