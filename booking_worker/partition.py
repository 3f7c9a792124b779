"""One owned partition: its position, and a batch of its commands decided exactly once, whatever happens.

Kinds of trouble, never mixed. A *conflict* with another partition (a deadlock, a time or a command id taken
meanwhile) is decided again on what is true now. An *outage* is waited out. A *bug* is tried three times,
then its command is dead-lettered. A batch that fails for one command is halved until it is found.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from booking_worker import store
from booking_worker.deciding import Batch
from booking_worker.incoming import Incoming, in_transactions, read
from booking_worker.publisher import EventPublisher
from contracts.commands import (
    BlockTime,
    BookAppointment,
    CancelAppointment,
    RecordOutcome,
    RescheduleAppointment,
)
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.decision import Decision
from contracts.refusals import Reason, Refusal
from infra.errors import MisconfiguredError
from infra.postgres import CONFLICTS, Connection, is_outage
from scheduling.calendar import Interval
from scheduling.slots import occupied_at
from scheduling.state import Appointment, Book, Doctor

TRANSACTION_COMMANDS_MAX = 500
TRIES_MAX = 3
CONFLICT_BACKOFF_S = 0.02
OUTAGE_BACKOFF_S_MIN = 0.1
OUTAGE_BACKOFF_S_MAX = 2.0
DEAD_LETTERS_IN_A_ROW_MAX = 100

_log = structlog.get_logger(__name__)

Forced = dict[int, Refusal | UndecodableError]
DeadLetterSink = Callable[[list[tuple[Incoming, UndecodableError]]], Awaitable[None]]
WakeUp = Callable[[list[Decision]], None]


CHANGES = (RescheduleAppointment, CancelAppointment, RecordOutcome)


class _OvertakenError(Exception):
    """Somebody else moved the position: look again."""


class MisplacedError(Exception):
    """The records at hand are not the next ones: the consumer has to seek to `next_offset`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


class OwnedPartition:
    """Decides the commands of one partition while this process owns it."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        topic: str,
        topic_id: UUID,
        partition: int,
        publisher: EventPublisher,
        dead_letter: DeadLetterSink,
        wake_up: WakeUp,
    ) -> None:
        self.next_offset = 0
        self._pool = pool
        self._topic = topic
        self._topic_id = topic_id
        self._partition = partition
        self._publisher = publisher
        self._dead_letter = dead_letter
        self._wake_up = wake_up
        # Good as long as nobody else has decided in this partition; the position tells.
        self._doctors: dict[UUID, Doctor] = {}
        self._dead_letters_in_a_row = 0

    async def open(self, log_start: int, log_end: int) -> None:
        """Take up the remembered position, which has to lie within the log.

        Raises:
            MisconfiguredError: it does not, or the topic is not the one remembered.
            OUTAGES: Postgres is away.
        """
        row = await self._pool.fetchrow(
            """
            INSERT INTO booking.partition_progress AS p (topic, partition, topic_id) VALUES ($1, $2, $3)
            ON CONFLICT (topic, partition) DO UPDATE SET topic = p.topic
            RETURNING topic_id, next_offset, event_count, published_count
            """,
            *(self._topic, self._partition, self._topic_id),
        )
        assert row is not None, "it was inserted or is there"
        where = f"{self._topic}, partition {self._partition}"
        if row["topic_id"] != self._topic_id:
            raise MisconfiguredError(
                f"{where}: this topic is not the one that was decided so far (it has another id); "
                "its commands would be decided in the name of others."
            )
        if not log_start <= row["next_offset"] <= log_end:
            raise MisconfiguredError(
                f"{where}: the next command is at offset {row['next_offset']}, "
                f"and the log goes from {log_start} to {log_end}: records are missing."
            )
        self.next_offset = row["next_offset"]
        self._publisher.open(row["published_count"], row["event_count"])

    async def work_off(self, records: list[ConsumerRecord]) -> None:
        """Decide the records. When it returns, every one of them is decided, by this process or another.

        Raises:
            MisplacedError: the records begin behind the position.
            MisconfiguredError: the partition has to stop.
        """
        for part in in_transactions([read(record) for record in records], TRANSACTION_COMMANDS_MAX):
            await self._publisher.room()
            await self._work_off(part, {})

    async def _work_off(self, part: list[Incoming], forced: Forced) -> None:
        tries, backoff_s = 0, OUTAGE_BACKOFF_S_MIN
        while True:
            try:
                await self._transaction(part, forced)
                return
            except (MisplacedError, MisconfiguredError):
                raise
            except _OvertakenError:
                continue
            except CONFLICTS as error:
                _log.info("conflict, deciding again", partition=self._partition, error=repr(error))
                await asyncio.sleep(CONFLICT_BACKOFF_S * random.random())  # noqa: S311
            except Exception as error:
                if is_outage(error):
                    _log.warning("outage, waiting", partition=self._partition, error=repr(error))
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(2 * backoff_s, OUTAGE_BACKOFF_S_MAX)
                    continue
                tries += 1
                if tries < TRIES_MAX:
                    continue
                if len(part) > 1:
                    middle = len(part) // 2
                    await self._work_off(part[:middle], {})
                    await self._work_off(part[middle:], {})
                    return
                if forced:
                    raise MisconfiguredError(f"offset {part[0].offset} cannot even be set aside") from error
                forced, tries = {part[0].offset: self._verdict(part[0], error)}, 0

    def _verdict(self, item: Incoming, error: Exception) -> Refusal | UndecodableError:
        if isinstance(error, asyncpg.ExclusionViolationError) and error.constraint_name in tuple(Reason):
            return Refusal(Reason(error.constraint_name))
        _log.error("a command cannot be decided", offset=item.offset, exc_info=error)
        return UndecodableError(DeadLetterReason.HANDLER_ERROR, type(error).__name__, item.command_id)

    async def _transaction(self, part: list[Incoming], forced: Forced) -> None:
        todo = [item for item in part if item.offset >= self.next_offset]
        if not todo:
            return
        if todo[0].offset != self.next_offset:
            raise MisplacedError(self.next_offset)
        async with self._pool.acquire() as connection, connection.transaction():
            batch, existing = await self._decide(connection, todo, forced)
            await self._dead_letter(batch.dead_letters)
            next_offset = todo[-1].offset + 1
            await store.write(
                connection, self._topic, batch, next_offset, self._publisher.published_count, existing
            )
        # From here on the decisions stand, whatever becomes of this process.
        self.next_offset = next_offset
        for item in todo:
            if item.command and item.command.doctor_id in batch.book.doctors:
                self._doctors[item.command.doctor_id] = batch.book.doctors[item.command.doctor_id]
        self._publisher.committed(batch.events, batch.event_count)
        self._wake_up(batch.decisions)
        self._stop_if_nothing_can_be_decided(todo, batch)

    async def _decide(
        self, connection: Connection, todo: list[Incoming], forced: Forced
    ) -> tuple[Batch, set[UUID]]:
        commands = [item.command for item in todo if item.command is not None]
        doctors = await self._own_doctors(connection, {command.doctor_id for command in commands})
        named: dict[UUID, Appointment] = {}
        if ids := {command.appointment_id for command in commands if isinstance(command, CHANGES)}:
            await store.fence(connection, self._topic, self._partition)
            named = {one.id: one for one in await store.lock_appointments(connection, ids)}
            others = {one.doctor_id for one in named.values()} - doctors.keys()
            if others:
                doctors |= {one.id: one for one in await store.load_doctors(connection, others)}
        wanted = _wanted(todo, doctors, named)
        loaded = await store.fence_and_load(connection, self._topic, self._partition, wanted)
        self._check(loaded)
        appointments = {one.id: one for one in loaded.appointments} | named
        batch = Batch(
            Book(doctors.values(), appointments.values()), self._partition, event_count=loaded.event_count
        )
        batch.decide_all(todo, loaded.decided, forced)
        return batch, set(appointments)

    async def _own_doctors(self, connection: Connection, ids: set[UUID]) -> dict[UUID, Doctor]:
        missing = ids - self._doctors.keys()
        if missing:
            self._doctors |= {one.id: one for one in await store.load_doctors(connection, missing)}
        return {id_: self._doctors[id_] for id_ in ids if id_ in self._doctors}

    def _check(self, loaded: store.Loaded) -> None:
        if loaded.topic_id != self._topic_id:
            raise MisconfiguredError(f"{self._topic} is not the topic that was decided so far.")
        if loaded.next_offset != self.next_offset:
            # Another owner decided meanwhile: what this one remembers may be out of date.
            self.next_offset = loaded.next_offset
            self._doctors.clear()
            self._publisher.committed([], loaded.event_count)
            raise _OvertakenError

    def _stop_if_nothing_can_be_decided(self, todo: list[Incoming], batch: Batch) -> None:
        dead = {item.offset for item, _ in batch.dead_letters}
        for item in todo:
            self._dead_letters_in_a_row = self._dead_letters_in_a_row + 1 if item.offset in dead else 0
        if self._dead_letters_in_a_row >= DEAD_LETTERS_IN_A_ROW_MAX:
            raise MisconfiguredError(
                f"{self._topic}, partition {self._partition}: {self._dead_letters_in_a_row} dead letters in "
                f"a row, up to offset {todo[-1].offset}: something is wrong with what is sent, or with this."
            )


def _wanted(
    todo: list[Incoming], doctors: dict[UUID, Doctor], named: dict[UUID, Appointment]
) -> store.Wanted:
    """Which times and patients the commands of a batch are about."""
    times: list[tuple[UUID, Interval]] = []
    patients: set[UUID] = set()
    for item in todo:
        match item.command:
            case BookAppointment() as command:
                patients.add(command.patient_id)
                code = command.visit_type
            case RescheduleAppointment() as command if command.appointment_id in named:
                patients.add(named[command.appointment_id].patient_id)
                code = command.visit_type or named[command.appointment_id].visit_type
            case BlockTime() as command:
                times.append((command.doctor_id, Interval(command.starts_at, command.ends_at)))
                continue
            case _:
                continue
        doctor = doctors.get(command.doctor_id)
        visit_type = doctor.visit_type(code) if doctor else None
        if visit_type is not None:
            times.append((command.doctor_id, occupied_at(command.starts_at, visit_type)))
    ids = [item.command_id for item in todo if item.command_id is not None]
    return store.Wanted(ids, times, patients, min(item.at for item in todo))
