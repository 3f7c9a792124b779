"""Commands decided exactly once, whatever happens.

Kinds of trouble, never mixed. A *conflict* with another transaction (a deadlock, a time or a command id taken
meanwhile) is decided again on what is true now. An *outage* is waited out. A *bug* is tried three times, then
its command is dead-lettered. What fails together is taken apart, by partition and then by halves, until the
one command is found.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from uuid import UUID

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from booking_worker import store
from booking_worker.dead_letters import DeadLetters
from booking_worker.deciding import Batch
from booking_worker.incoming import Incoming, in_transactions, read
from booking_worker.metrics import DECIDED, TRANSACTION_SECONDS
from booking_worker.partition import MisplacedError, OwnedPartition
from booking_worker.wanted import CHANGES, times_off, wanted
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.decision import Decision
from contracts.refusals import Reason, Refusal
from infra.errors import MisconfiguredError
from infra.postgres import CONFLICTS, Connection, is_outage
from scheduling.state import Appointment, Book, Doctor

# As many commands as take a fraction of a second, and fewer where that turns out to be longer.
TRANSACTION_COMMANDS_MAX = 500
TRANSACTION_COMMANDS_MIN = 20
TRANSACTION_S_GOAL = 0.5
# Few commands are decided together, whatever their partitions: a transaction costs more than they do. Many
# are decided partition by partition, side by side.
TOGETHER_COMMANDS_MAX = 200
# Enough to keep the database busy; with more, each only takes longer.
SIDE_BY_SIDE_MAX = 4
TRIES_MAX = 3
CONFLICT_BACKOFF_S = 0.02
OUTAGE_BACKOFF_S_MIN = 0.1
OUTAGE_BACKOFF_S_MAX = 2.0

_log = structlog.get_logger(__name__)

Parts = dict[OwnedPartition, list[Incoming]]
Forced = dict[Incoming, Refusal | UndecodableError]
Stopped = dict[OwnedPartition, MisplacedError | MisconfiguredError]
WakeUp = Callable[[list[Decision]], None]


class _OvertakenError(Exception):
    """Somebody else moved a position: look again."""


class Decider:
    """Decides the commands of the partitions that this process owns."""

    def __init__(self, pool: asyncpg.Pool, topic: str, dead_letters: DeadLetters, wake_up: WakeUp) -> None:
        self._pool = pool
        self._topic = topic
        self._dead_letters = dead_letters
        self._wake_up = wake_up
        self._commands_max = TRANSACTION_COMMANDS_MAX
        self._side_by_side = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def work_off(self, records: dict[OwnedPartition, list[ConsumerRecord]]) -> Stopped:
        """Decide the records. When it returns, each is decided, by this process or another.

        Returns the partitions that could not go on, and why: misplaced records, or a reason to stop.
        """
        parts = {
            owned: in_transactions([read(record) for record in some], self._commands_max)
            for owned, some in records.items()
        }
        simple = all(len(transactions) == 1 for transactions in parts.values())
        if simple and sum(map(len, records.values())) <= TOGETHER_COMMANDS_MAX:
            for owned in parts:
                await owned.publisher.room()
            return await self._decide({owned: transactions[0] for owned, transactions in parts.items()}, {})
        results = await asyncio.gather(*(self._one_by_one(*part) for part in parts.items()))
        return {owned: error for stopped in results for owned, error in stopped.items()}

    async def _one_by_one(self, owned: OwnedPartition, transactions: list[list[Incoming]]) -> Stopped:
        for items in transactions:
            await owned.publisher.room()
            async with self._side_by_side:
                if stopped := await self._decide({owned: items}, {}):
                    return stopped
        return {}

    async def _decide(self, parts: Parts, forced: Forced) -> Stopped:
        tries, backoff_s = 0, OUTAGE_BACKOFF_S_MIN
        while True:
            try:
                return await self._transaction(parts, forced)
            except (MisplacedError, MisconfiguredError) as error:
                if len(parts) == 1:
                    return dict.fromkeys(parts, error)
                return await self._apart(parts)
            except _OvertakenError:
                continue
            except CONFLICTS as error:
                _log.info("conflict, deciding again", error=repr(error))
                await asyncio.sleep(CONFLICT_BACKOFF_S * random.random())  # noqa: S311
            except Exception as error:
                if is_outage(error):
                    _log.warning("outage, waiting", error=repr(error))
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(2 * backoff_s, OUTAGE_BACKOFF_S_MAX)
                    continue
                tries += 1
                if tries < TRIES_MAX:
                    continue
                if sum(map(len, parts.values())) > 1:
                    return await self._apart(parts)
                [(owned, [item])] = parts.items()
                if forced:
                    return {owned: MisconfiguredError(f"offset {item.offset} cannot even be set aside")}
                forced, tries = {item: _verdict(item, error)}, 0

    async def _apart(self, parts: Parts) -> Stopped:
        stopped: Stopped = {}
        for owned, items in parts.items():
            middle = len(items) // 2 if len(parts) == 1 else 0
            for some in (items[:middle], items[middle:]):
                if some and owned not in stopped:
                    stopped |= await self._decide({owned: some}, {})
        return stopped

    async def _transaction(self, parts: Parts, forced: Forced) -> Stopped:
        todo = {owned: left for owned, items in parts.items() if (left := owned.not_decided(items))}
        if not todo:
            return {}
        await self._dead_letters.open(
            item.partition
            for items in todo.values()
            for item in items
            if item.error or isinstance(forced.get(item), UndecodableError)
        )
        async with self._pool.acquire() as connection:
            begun = perf_counter()
            async with connection.transaction():
                batch, existing = await self._decide_in_memory(connection, todo, forced)
                await self._dead_letters.publish(batch.dead_letters)
                moved = [
                    (
                        owned.number,
                        items[-1].offset + 1,
                        batch.event_counts[owned.number],
                        owned.publisher.published_count,
                    )
                    for owned, items in todo.items()
                ]
                await store.write(connection, self._topic, batch, moved, existing)
            self._took(perf_counter() - begun)
        return self._committed(todo, batch)

    def _committed(self, todo: Parts, batch: Batch) -> Stopped:
        # From here on the decisions stand, whatever becomes of this process.
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
        reasons = {owned: owned.why_stop(items, dead) for owned, items in todo.items()}
        return {owned: reason for owned, reason in reasons.items() if reason}

    def _took(self, seconds: float) -> None:
        TRANSACTION_SECONDS.observe(seconds)
        if seconds > TRANSACTION_S_GOAL:
            self._commands_max = max(self._commands_max // 2, TRANSACTION_COMMANDS_MIN)
        elif seconds < TRANSACTION_S_GOAL / 2:
            self._commands_max = min(self._commands_max + TRANSACTION_COMMANDS_MIN, TRANSACTION_COMMANDS_MAX)

    async def _decide_in_memory(
        self, connection: Connection, todo: Parts, forced: Forced
    ) -> tuple[Batch, set[UUID]]:
        items = [item for some in todo.values() for item in some]
        numbers = sorted(owned.number for owned in todo)
        doctors = await self._own_doctors(connection, todo)
        named: dict[UUID, Appointment] = {}
        if ids := {item.command.appointment_id for item in items if isinstance(item.command, CHANGES)}:
            await store.fence(connection, self._topic, numbers)
            named = {one.id: one for one in await store.lock_appointments(connection, ids)}
            if others := {one.doctor_id for one in named.values()} - doctors.keys():
                doctors |= {one.id: one for one in await store.load_doctors(connection, others)}
        loaded = await store.fence_and_load(connection, self._topic, numbers, wanted(items, doctors, named))
        overtaken = [owned for owned in todo if not owned.is_at(loaded.positions[owned.number])]
        if overtaken:
            raise _OvertakenError
        appointments = {one.id: one for one in loaded.appointments} | named
        if away := times_off(items):
            appointments |= {one.id: one for one in await store.booked_within(connection, away)}
        counts = {number: position.event_count for number, position in loaded.positions.items()}
        batch = Batch(Book(doctors.values(), appointments.values()), counts)
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


def _verdict(item: Incoming, error: Exception) -> Refusal | UndecodableError:
    if isinstance(error, asyncpg.ExclusionViolationError) and error.constraint_name in tuple(Reason):
        return Refusal(Reason(error.constraint_name))
    _log.error("a command cannot be decided", partition=item.partition, offset=item.offset, exc_info=error)
    return UndecodableError(DeadLetterReason.HANDLER_ERROR, type(error).__name__, item.command_id)
