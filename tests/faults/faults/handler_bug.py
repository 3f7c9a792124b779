"""A bug in the handling of a command: three tries, a dead letter, and the partition continues."""

import random
import time
from uuid import uuid5

import asyncpg

from contracts.commands import Actor, ActorKind, RegisterDoctor
from contracts.dead_letters import DeadLetterReason
from contracts.doctors import VisitType
from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from tests.faults.faults.fault import Fault
from tests.faults.faults.poison import NAMES, Raw, changed, record_of
from tests.faults.machine.machine import Machine

NAME = "Dr. Bug"
AT_ONCE_MAX = 4
# The database raises an error that the handler does not expect, for this doctor only.
BUG = f"""
CREATE OR REPLACE FUNCTION booking.bug() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a bug'; END $$;
CREATE OR REPLACE TRIGGER bug BEFORE INSERT ON booking.doctors
    FOR EACH ROW WHEN (NEW.name = '{NAME}') EXECUTE FUNCTION booking.bug();
"""


class HandlerBug(Fault):
    """Valid commands that the worker cannot handle, between those of the clients."""

    name = "handler-bug"
    seconds = 4.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        postgres = await asyncpg.connect(machine.settings.postgres_dsn.get_secret_value())
        try:
            await postgres.execute(BUG)
        finally:
            await postgres.close()
        producer = await start_producer(machine.settings, "handler-bug")
        try:
            for _ in range(chance.randint(1, AT_ONCE_MAX)):
                await producer.send_and_wait(
                    topic_name(machine.settings, COMMANDS_TOPIC), **_registration(chance)
                )
        finally:
            await producer.stop()
        await machine.recoveries.measure(self.name, time.monotonic())


def _registration(chance: random.Random) -> Raw:
    id_ = uuid5(NAMES, str(chance.random()))
    command = RegisterDoctor(
        command_id=id_,
        fingerprint="0" * 32,
        actor=Actor(kind=ActorKind.STAFF, id=uuid5(id_, "staff")),
        doctor_id=uuid5(id_, "doctor"),
        name=NAME,
        specialty="faults",
        time_zone="Europe/Berlin",
        visit_types=(VisitType(code="checkup", name="Look", minutes=30),),
    )
    return changed(record_of(command), {}, DeadLetterReason.HANDLER_ERROR.encode())
