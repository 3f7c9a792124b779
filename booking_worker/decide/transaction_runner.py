"""Decides commands exactly once, whatever happens.

Errors are of three kinds. After a *conflict* with another transaction (a deadlock, a time or a command id
that was taken since), commands are decided again on the current state. An *outage* is retried with backoff. A
*bug* is retried three times, then its command is dead-lettered. A batch that fails is split by partition and
then halved until the failing command is found, and one that takes too long until it is short enough.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from booking_worker.decide.command_record import CommandRecord, read_record, split_into_transactions
from booking_worker.decide.command_spans import CommandSpans
from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.decide.load_plan import NAMES_AN_APPOINTMENT, plan_loading, times_to_block
from booking_worker.decide.operator_orders import SkipError, heed, skipped
from booking_worker.decide.shared_rounds import TOGETHER_COMMANDS_MAX, Parts, Reasons, SharedRounds
from booking_worker.decide.transaction_size import TransactionSize
from booking_worker.metrics import DECIDED
from booking_worker.partition import OwnedPartition
from booking_worker.publish.dead_letters import DeadLetters
from booking_worker.store import store
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.decision import Decision
from contracts.refusals import Refusal
from infra import clock
from infra.errors import MisconfiguredError, MisplacedError, PausedError
from infra.postgres import CONFLICTS, Connection, is_outage, is_systems_fault, took_too_long
from infra.telemetry import request_of
from scheduling.state import Appointment, Book, Doctor
from storage.positions import lock_positions

# Enough to keep the database busy; with more, each takes longer.
SIDE_BY_SIDE_MAX = 4
TRIES_MAX = 3
CONFLICT_BACKOFF_S = 0.02
# Then the partition stops with an alert, and is looked at again.
CONFLICTS_MAX = 500
OUTAGE_BACKOFF_S_MIN = 0.1
OUTAGE_BACKOFF_S_MAX = 2.0

_log = structlog.get_logger(__name__)

Forced = dict[CommandRecord, Refusal | UndecodableError]
WakeUp = Callable[[list[Decision]], None]


class _OvertakenError(Exception):
    """Another worker moved a position: read it again."""


STOPS = (MisplacedError, MisconfiguredError, PausedError)
CONFLICTS_OF_ROWS = (store.AppointmentsChangedError, *CONFLICTS)


def _may_be_a_bug(error: Exception) -> bool:
    known = isinstance(error, (*STOPS, *CONFLICTS_OF_ROWS, _OvertakenError, SkipError))
    return not (known or is_outage(error) or is_systems_fault(error))


class Decider:
    """Decides the commands of the partitions that this process owns; called for each of them concurrently."""

    def __init__(self, pool: asyncpg.Pool, topic: str, dead_letters: DeadLetters, wake_up: WakeUp) -> None:
        self._pool = pool
        self._topic = topic
        self._dead_letters = dead_letters
        self._wake_up = wake_up
        self._size = TransactionSize()
        self._side_by_side = asyncio.Semaphore(SIDE_BY_SIDE_MAX)
        self._rounds = SharedRounds(lambda parts: self._transaction(parts, {}), _may_be_a_bug)

    async def decide(self, owned: OwnedPartition, records: list[ConsumerRecord]) -> None:
        """Decide the records. When it returns, each is decided, by this process or another.

        Raises:
            MisplacedError: they are not the next ones.
            PausedError: an operator paused the partition.
            MisconfiguredError: the partition has to stop.
        """
        transactions = split_into_transactions(map(read_record, records), self._size.commands_max)
        for items in transactions:
            owned.waiting = True
            await owned.publisher.room()
            owned.waiting = False
            few = len(transactions) == 1 and len(items) <= TOGETHER_COMMANDS_MAX
            tries = await self._rounds.decide(owned, items) if few else 0
            if tries is not None:
                await self._decide(owned, items, {}, tries)

    async def close(self) -> None:
        """Stop deciding."""
        await self._rounds.close()

    async def _decide(
        self, owned: OwnedPartition, items: list[CommandRecord], forced: Forced, tries: int = 0
    ) -> None:
        backoff_s, conflicts = OUTAGE_BACKOFF_S_MIN, 0
        while True:
            try:
                async with self._side_by_side:
                    reasons = await self._transaction({owned: items}, forced)
                if stop := reasons.get(owned):
                    raise stop
                return None
            except STOPS:
                raise
            except SkipError as error:
                forced = forced | {item: skipped(item) for item in error.items}
            except (_OvertakenError, *CONFLICTS_OF_ROWS) as error:
                conflicts += 1
                if conflicts == CONFLICTS_MAX:
                    raise MisconfiguredError(f"{conflicts} conflicts in a row: {error!r}") from error
                _log.info("conflict, deciding again", partition=owned.number, error=repr(error))
                await asyncio.sleep(clock.jitter(0, CONFLICT_BACKOFF_S))
            except Exception as error:
                if took_too_long(error) and len(items) > 1:
                    _log.info("took too long, fewer at a time", partition=owned.number, commands=len(items))
                    self._size.halve()
                    return await self._decide_halves(owned, items)
                if is_outage(error):
                    _log.warning("outage, waiting", partition=owned.number, error=repr(error))
                    owned.waiting = True
                    await asyncio.sleep(backoff_s)
                    owned.waiting = False
                    backoff_s = min(2 * backoff_s, OUTAGE_BACKOFF_S_MAX)
                    continue
                if is_systems_fault(error):
                    reason = f"nothing can be decided: {type(error).__name__}: {error}"
                    raise MisconfiguredError(reason) from error
                tries += 1
                if tries < TRIES_MAX:
                    continue
                if len(items) > 1:
                    return await self._decide_halves(owned, items)
                if forced:
                    raise MisconfiguredError(
                        f"offset {items[0].offset} cannot even be dead-lettered: {error!r}"
                    ) from error
                forced, tries = {items[0]: _verdict(items[0], error)}, 0

    async def _decide_halves(self, owned: OwnedPartition, items: list[CommandRecord]) -> None:
        middle = len(items) // 2
        await self._decide(owned, items[:middle], {})
        await self._decide(owned, items[middle:], {})

    async def _transaction(self, parts: Parts, forced: Forced) -> Reasons:
        todo = {owned: left for owned, items in parts.items() if (left := owned.not_decided(items))}
        if not todo:
            return {}
        items = [item for part in todo.values() for item in part]
        with CommandSpans(self._topic, items) as spans:
            await self._dead_letters.open(
                item.partition
                for item in items
                if item.error or isinstance(forced.get(item), UndecodableError)
            )
            async with self._pool.acquire() as connection:
                begun = clock.monotonic()
                spans.begun()
                async with connection.transaction():
                    batch, existing = await self._decide_in_memory(connection, todo, forced)
                    await self._dead_letters.publish(batch.dead_letters)
                    moved = [
                        store.NewPosition(
                            owned.number,
                            decided[-1].offset + 1,
                            batch.event_counts[owned.number],
                            owned.publisher.published_count,
                        )
                        for owned, decided in todo.items()
                    ]
                    await store.write(connection, self._topic, batch, moved, existing)
                spans.committed(batch)
                self._size.took(clock.monotonic() - begun)
            return self._committed(todo, batch)

    def _committed(self, todo: Parts, batch: DecisionBatch) -> Reasons:
        # From here on the decisions are final, even if this process dies.
        self._wake_up(batch.decisions)
        for state, count in Counter(decision.state for decision in batch.decisions).items():
            DECIDED.labels(state).inc(count)
        for owned, items in todo.items():
            owned.next_offset = items[-1].offset + 1
            owned.publisher.committed(
                [event for event in batch.events if event.partition == owned.number],
                batch.event_counts[owned.number],
            )
            for id_ in {item.command.doctor_id for item in items if item.command}:
                if id_ in batch.book.doctors:
                    owned.doctors[id_] = batch.book.doctors[id_]
        dead = {item for item, _ in batch.dead_letters}
        return {owned: owned.stop_reason(items, dead) for owned, items in todo.items()}

    async def _decide_in_memory(
        self, connection: Connection, todo: Parts, forced: Forced
    ) -> tuple[DecisionBatch, set[UUID]]:
        items = [item for part in todo.values() for item in part]
        numbers = sorted(owned.number for owned in todo)
        doctors = await self._own_doctors(connection, todo)
        named: dict[UUID, Appointment] = {}
        commands = [item.command for item in items]
        if ids := {
            command.appointment_id for command in commands if isinstance(command, NAMES_AN_APPOINTMENT)
        }:
            await lock_positions(connection, self._topic, numbers)
            named = {found.id: found for found in await store.lock_appointments(connection, ids)}
            if others := {appointment.doctor_id for appointment in named.values()} - doctors.keys():
                doctors |= {doctor.id: doctor for doctor in await store.load_doctors(connection, others)}
        plan = plan_loading(items, doctors, named)
        loaded = await store.fence_and_load(connection, self._topic, numbers, plan)
        overtaken = [owned for owned in todo if not owned.is_at(loaded.positions[owned.number])]
        if overtaken:
            raise _OvertakenError
        heed(todo, loaded.positions, forced)
        appointments = {found.id: found for found in loaded.appointments} | named
        if times := times_to_block(items):
            appointments |= {found.id: found for found in await store.lock_booked_within(connection, times)}
        counts = {number: position.event_count for number, position in loaded.positions.items()}
        batch = DecisionBatch(Book(doctors.values(), appointments.values()), counts)
        batch.decide_all(items, loaded.decided, forced)
        return batch, set(appointments)

    async def _own_doctors(self, connection: Connection, todo: Parts) -> dict[UUID, Doctor]:
        commands = ((item.command, owned) for owned, items in todo.items() for item in items)
        ids = {command.doctor_id: owned for command, owned in commands if command}
        missing = [id_ for id_, owned in ids.items() if id_ not in owned.doctors]
        if missing:
            for doctor in await store.load_doctors(connection, missing):
                ids[doctor.id].doctors[doctor.id] = doctor
        return {id_: owned.doctors[id_] for id_, owned in ids.items() if id_ in owned.doctors}


def _verdict(item: CommandRecord, error: Exception) -> Refusal | UndecodableError:
    constraint = error.constraint_name if isinstance(error, asyncpg.ExclusionViolationError) else None
    if reason := store.REFUSALS_OF_CONSTRAINTS.get(constraint or ""):
        return Refusal(reason)
    where = {"partition": item.partition, "offset": item.offset, **request_of(item.traceparent)}
    _log.error("a command cannot be decided", **where, exc_info=error)
    return UndecodableError(DeadLetterReason.HANDLER_ERROR, type(error).__name__, item.command_id)
