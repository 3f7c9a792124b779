"""Cancels what is booked for patients who asked to be forgotten.

A booking that was accepted before the request may still be undecided on the log. So a forgetting stays
pending until every partition is decided up to where the log ended after the request and nothing is booked.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid5

import asyncpg
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from contracts.commands import Actor, ActorKind, CancelAppointment
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.reader import start_consumer
from infra.keys import Keys
from infra.postgres import CONFLICTS, is_outage
from infra.queries import load_queries
from infra.settings import Settings
from ingress.commands.command_log import CommandLog
from ingress.http.problems import Problem
from storage.patients import FORGOTTEN

PENDING_INTERVAL_S = 0.5
IDLE_INTERVAL_S = 5.0
# Complete forgettings are checked again from time to time, in case a booking slipped through.
RECHECK_INTERVAL_S = 60.0
# A cancellation that is not decided yet is sent again only after this time.
RESEND_INTERVAL_S = 30.0

_SQL = load_queries(Path(__file__).with_suffix(".sql"))
_log = structlog.get_logger(__name__)


class Forgetting:
    """The background job; any number of ingresses may run one."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, keys: Keys, log: CommandLog) -> None:
        self._settings = settings
        self._pool = pool
        self._keys = keys
        self._log = log
        self._topic = topic_name(settings, COMMANDS_TOPIC)
        # A booking is acknowledged or has failed this long after an ingress has looked up its patient.
        self._settling = timedelta(milliseconds=settings.kafka_ack_timeout_ms)
        self._poked = asyncio.Event()
        self._sent_at: dict[UUID, float] = {}

    def poke(self) -> None:
        """Look for pending forgettings now. Does not block."""
        self._poked.set()

    async def run(self) -> None:
        """Work off forgettings until cancelled."""
        loop = asyncio.get_running_loop()
        recheck_at = loop.time()
        while True:
            self._poked.clear()
            try:
                pending = await self._pool.fetch(_SQL["pending"])
                for row in pending:
                    await self._advance(row["patient_id"])
                if loop.time() >= recheck_at:
                    await self._cancel(await self._pool.fetch(_SQL["booked_for_forgotten"]))
                    recheck_at = loop.time() + RECHECK_INTERVAL_S
                interval_s = PENDING_INTERVAL_S if pending else IDLE_INTERVAL_S
            except Exception as error:
                if not (is_outage(error) or isinstance(error, (*CONFLICTS, KafkaError, Problem))):
                    raise
                _log.warning("appointments of forgotten patients are not cancelled yet", error=repr(error))
                interval_s = IDLE_INTERVAL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._poked.wait()

    async def _advance(self, patient_id: UUID) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            settled_before = clock.now() - self._settling
            row = await connection.fetchrow(_SQL["lock"], patient_id, settled_before)
            if row is None:
                return  # another ingress works on it, or has completed it
            log_ends = row["log_ends"]
            if not log_ends and row["settled"]:
                log_ends = await self._read_log_ends()
                await connection.execute(_SQL["set_log_ends"], patient_id, log_ends)
            # In this order: commands that are decided by now have their appointments.
            is_decided = log_ends and await connection.fetchval(_SQL["is_decided"], self._topic, log_ends)
            booked = await connection.fetch(_SQL["booked_for"], patient_id)
            if is_decided and not booked:
                await connection.execute(_SQL["complete"], patient_id, clock.now())
            await self._cancel(booked, row["traceparent"])

    async def _cancel(self, booked: Iterable[asyncpg.Record], traceparent: str | None = None) -> None:
        now = asyncio.get_running_loop().time()
        self._sent_at = {id_: at for id_, at in self._sent_at.items() if now - at < RESEND_INTERVAL_S}
        for appointment in booked:
            if appointment["id"] in self._sent_at:
                continue
            command = CancelAppointment(
                # The same each time, whoever sends it.
                command_id=uuid5(appointment["id"], FORGOTTEN),
                fingerprint=self._keys.fingerprint(
                    {"type": CancelAppointment.__name__, "appointment_id": str(appointment["id"])}
                ),
                actor=Actor(kind=ActorKind.SYSTEM, id=appointment["patient_id"]),
                doctor_id=appointment["doctor_id"],
                appointment_id=appointment["id"],
                reason=FORGOTTEN,
                asked_by=ActorKind.PATIENT,
            )
            await self._log.append(command, traceparent)
            self._sent_at[appointment["id"]] = now

    async def _read_log_ends(self) -> list[int]:
        consumer = await start_consumer(self._settings, "forgetting", COMMANDS_TOPIC)
        try:
            partitions = [TopicPartition(self._topic, number) for number in range(COMMANDS_TOPIC.partitions)]
            ends = await consumer.end_offsets(partitions)
            return [ends[partition] for partition in partitions]
        finally:
            await consumer.stop()
