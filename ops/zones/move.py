"""Moves visits to their promised local time, after a change of a time zone's rules."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import asyncpg
from aiokafka import AIOKafkaProducer

from booking_worker.decide.decision_batch import NOBODY
from contracts.cloudevents import command_headers, command_key
from contracts.commands import RescheduleAppointment
from contracts.decision import State
from contracts.promise import Promise
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.errors import TransientError
from infra.kafka.connection import topic_name
from infra.kafka.partitioner import partition_of
from infra.kafka.producer import start_producer
from infra.keys import Keys
from infra.settings import Settings
from ops.connections import database, readable_failures
from storage.zone_data import ShiftedVisit, UpcomingVisits, decided_with, upcoming_visits

# Without a decision for this long, no worker is running.
PATIENCE_S = 30.0
POLL_INTERVAL_S = 0.1

_DECISIONS = "SELECT command_id, state, reason FROM booking.decisions WHERE command_id = ANY($1)"


@dataclass(frozen=True)
class Outcome:
    """A visit that was to move: `state` and `reason` are those of the decision."""

    visit: ShiftedVisit
    command_id: UUID
    state: str
    reason: str | None


async def look(settings: Settings) -> tuple[UpcomingVisits, set[str]]:
    """The visits, and the versions of the zone data that the last decisions were made with."""
    async with database(settings.worker_dsn, "clinic-zones") as pool:
        versions = await decided_with(pool, topic_name(settings, COMMANDS_TOPIC))
        return await upcoming_visits(pool), versions


async def move_all(settings: Settings, patience_s: float = PATIENCE_S) -> list[Outcome]:
    """Move all shifted visits: the last outcome of each.

    What stands in a visit's way may have to move first, perhaps with another doctor. So the rest is tried
    again as long as something moves.
    """
    keys = Keys.load(settings)
    outcomes: dict[UUID, Outcome] = {}
    async with database(settings.worker_dsn, "clinic-zones") as pool, readable_failures():
        producer = await start_producer(settings, "clinic-zones")
        try:
            stuck: set[UUID] = set()
            while shifted := (await upcoming_visits(pool)).shifted:
                if stuck == (stuck := {visit.appointment_id for visit in shifted}):
                    break
                commands = [await _command(pool, keys, visit) for visit in in_order(shifted)]
                await _send(producer, topic_name(settings, COMMANDS_TOPIC), commands)
                decided = await _decided(pool, [command.command_id for command in commands], patience_s)
                by_id = {command.appointment_id: command.command_id for command in commands}
                for visit in shifted:
                    command_id = by_id[visit.appointment_id]
                    outcomes[visit.appointment_id] = Outcome(visit, command_id, *decided[command_id])
        finally:
            await producer.stop()
    return list(outcomes.values())


def in_order(visits: Sequence[ShiftedVisit]) -> list[ShiftedVisit]:
    """The visits in an order in which those of a doctor do not stand in each other's way."""
    later = [visit for visit in visits if visit.kept_at > visit.starts_at]
    earlier = [visit for visit in visits if visit.kept_at <= visit.starts_at]
    later.sort(key=lambda visit: visit.starts_at, reverse=True)
    return [*later, *sorted(earlier, key=lambda visit: visit.starts_at)]


async def _command(pool: asyncpg.Pool, keys: Keys, visit: ShiftedVisit) -> RescheduleAppointment:
    promise = str(Promise.of(visit.kept_at, visit.promise.time_zone))
    content = {"appointment_id": visit.appointment_id, "version": visit.version, "promised_start": promise}
    number = 0
    while True:
        # The same id while it is undecided, so that it moves once; another one after a refusal.
        id_ = uuid5(visit.appointment_id, f"version {visit.version}, to {promise}, try {number}")
        state = await pool.fetchval("SELECT state FROM booking.decisions WHERE command_id = $1", id_)
        if state in (None, State.CONFIRMED):
            break
        number += 1
    return RescheduleAppointment(
        command_id=id_,
        fingerprint=keys.fingerprint({"type": RescheduleAppointment.__name__, **content}),
        actor=NOBODY,
        doctor_id=visit.doctor_id,
        appointment_id=visit.appointment_id,
        starts_at=visit.kept_at,
        expected_version=visit.version,
        promised_start=promise,
    )


async def _send(producer: AIOKafkaProducer, topic: str, commands: Sequence[RescheduleAppointment]) -> None:
    acknowledgements = [
        await producer.send(
            topic,
            command.model_dump_json().encode(),
            key=command_key(command),
            headers=command_headers(command, clock.now()),
            partition=partition_of(command_key(command)),
        )
        for command in commands
    ]
    await asyncio.gather(*acknowledgements)


async def _decided(
    pool: asyncpg.Pool, ids: Sequence[UUID], patience_s: float
) -> dict[UUID, tuple[str, str | None]]:
    decided: dict[UUID, tuple[str, str | None]] = {}
    patient_until = clock.monotonic() + patience_s
    while True:
        rows = await pool.fetch(_DECISIONS, [id_ for id_ in ids if id_ not in decided])
        if rows:
            patient_until = clock.monotonic() + patience_s
        decided |= {row["command_id"]: (row["state"], row["reason"]) for row in rows}
        if len(decided) == len(ids):
            return decided
        if clock.monotonic() > patient_until:
            missing = len(ids) - len(decided)
            raise TransientError(
                f"{missing} commands were sent and not decided in {patience_s:g} s: is a worker running? "
                "They will be decided, and sending them again does nothing twice."
            )
        await asyncio.sleep(POLL_INTERVAL_S)
