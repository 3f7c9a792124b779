"""`clinic seed clinic`: 50 doctors, 20,000 patients and a full quarter, sent through the real commands.

The commands are appended to the log directly, because a request for each would take far longer. What was
decided before is not sent again, so a run that was interrupted is continued by the next one; a later run also
records what became of the visits that have begun since.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from contracts.cloudevents import command_headers, command_key
from contracts.commands import Command
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.errors import TransientError
from infra.jobs import all_of
from infra.kafka.connection import topic_name
from infra.kafka.partitioner import partition_of
from infra.kafka.producer import start_producer
from infra.keys import Keys
from infra.settings import Settings
from ops.connections import database
from ops.seed.demo import next_monday
from ops.seed.quarter import Quarter, profile
from ops.seed.quarter_commands import QuarterCommands, doctor_id
from storage.patients import Patients

# The patients wait behind no more than this: the next part is sent when the one before is nearly decided.
SENT_AT_ONCE = 1_000
WAITING_MAX = 2_000
CONNECTIONS = 8
POLL_S = 0.05
STALLED_S = 60.0


async def seed_clinic(
    settings: Settings, say: Callable[[str], None] = print, quarter: Quarter | None = None
) -> None:
    """Send what was not decided before; a progress bar on a terminal, and a summary for `say`.

    Raises:
        TransientError: a server does not answer, or nothing is decided for a minute; a new run continues.
        MisconfiguredError: a key cannot be read, or the database has no schema.
    """
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        async with database(settings.ingress_dsn, "clinic-seed", connections_max=CONNECTIONS) as pool:
            say(await _Run(settings, quarter or Quarter(), pool, bar).seed())


class _Run:
    def __init__(self, settings: Settings, quarter: Quarter, pool: asyncpg.Pool, bar: Progress) -> None:
        self._settings = settings
        self._quarter = quarter
        self._pool = pool
        self._bar = bar
        self._keys = Keys.load(settings)

    async def seed(self) -> str:
        """Send all commands and return a summary."""
        quarter = self._quarter
        patients = await self._register_patients()
        monday = await self._first_monday()
        plan = QuarterCommands(quarter, self._keys, self._settings.time_zone, patients, monday)
        commands = list(plan.all())
        new = await self._not_decided(commands)
        began = clock.monotonic()
        await self._send("commands", new)
        seconds = clock.monotonic() - began
        outcomes = await self._outcomes(plan)
        await self._send("outcomes", outcomes)
        rate = f" at {len(new) / seconds:,.0f} a second" if new else ""
        states = await self._states([*commands, *outcomes])
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
        return (
            f"{quarter.doctors_count} doctors, {quarter.patients_count:,} patients, "
            f"{quarter.weeks} weeks from {monday}; commands: {told} ({len(new) + len(outcomes):,} new{rate})"
        )

    async def _register_patients(self) -> list[UUID]:
        settings = self._settings
        patients = Patients(self._pool, self._keys, settings.language, smtputf8=settings.smtp_utf8)
        step = self._bar.add_task("patients", total=self._quarter.patients_count)
        found: dict[int, UUID] = {}
        numbers = iter(range(self._quarter.patients_count))

        async def register() -> None:
            for number in numbers:  # shared by all that register at once
                wanted = profile(number, settings.language)
                added = await patients.add(wanted)
                found[number] = added or await patients.register(wanted.email)
                self._bar.advance(step)

        await all_of(register() for _ in range(CONNECTIONS))
        return [found[number] for number in range(self._quarter.patients_count)]

    async def _first_monday(self) -> date:
        """The Monday of an earlier run, if there was one; else the next."""
        ids = [doctor_id(number) for number in range(self._quarter.doctors_count)]
        known = await self._pool.fetchval(
            """
            SELECT mode() WITHIN GROUP (ORDER BY hours ->> 'valid_from')
            FROM booking.doctors, jsonb_array_elements(hours) AS hours
            WHERE id = ANY($1)
            """,
            ids,
        )
        return next_monday(self._settings) if known is None else date.fromisoformat(known)

    async def _not_decided(self, commands: Sequence[Command]) -> list[Command]:
        decided = await self._decided_among([command.command_id for command in commands])
        return [command for command in commands if command.command_id not in decided]

    async def _outcomes(self, plan: QuarterCommands) -> list[Command]:
        outcomes = plan.outcomes(clock.now())
        rows = await self._pool.fetch(
            "SELECT id FROM booking.appointments WHERE id = ANY($1) AND status = 'booked'", list(outcomes)
        )
        return [outcomes[row["id"]] for row in rows]

    async def _send(self, name: str, commands: Sequence[Command]) -> None:
        if not commands:
            return
        step = self._bar.add_task(name, total=len(commands))
        producer = await start_producer(self._settings, "clinic-seed", linger_ms=5)
        try:
            waiting: list[UUID] = []
            for first in range(0, len(commands), SENT_AT_ONCE):
                part = commands[first : first + SENT_AT_ONCE]
                await self._append(producer, part)
                waiting += [command.command_id for command in part]
                waiting = await self._decided(waiting, WAITING_MAX - SENT_AT_ONCE, step)
            await self._decided(waiting, 0, step)
        finally:
            await producer.stop()

    async def _append(self, producer: AIOKafkaProducer, commands: Sequence[Command]) -> None:
        topic = topic_name(self._settings, COMMANDS_TOPIC)
        acknowledged = [
            await producer.send(
                topic,
                command.model_dump_json().encode(),
                key=command_key(command),
                headers=command_headers(command, clock.now(), None),
                partition=partition_of(command_key(command)),
            )
            for command in commands
        ]
        await asyncio.gather(*acknowledged)

    async def _decided(self, waiting: list[UUID], at_most: int, step: TaskID) -> list[UUID]:
        """Wait until at most so many are not decided, and return those."""
        last_progress = clock.monotonic()
        while len(waiting) > at_most:
            decided = await self._decided_among(waiting)
            if decided:
                last_progress = clock.monotonic()
                waiting = [command_id for command_id in waiting if command_id not in decided]
                self._bar.advance(step, len(decided))
            elif clock.monotonic() - last_progress > STALLED_S:
                raise TransientError(
                    f"{len(waiting)} commands are on the log and not decided: is a worker running?"
                )
            else:
                await asyncio.sleep(POLL_S)
        return waiting

    async def _decided_among(self, command_ids: Sequence[UUID]) -> set[UUID]:
        rows = await self._pool.fetch(
            "SELECT command_id FROM booking.decisions WHERE command_id = ANY($1)", command_ids
        )
        return {row["command_id"] for row in rows}

    async def _states(self, commands: Sequence[Command]) -> Counter[str]:
        rows = await self._pool.fetch(
            "SELECT state, count(*) FROM booking.decisions WHERE command_id = ANY($1) GROUP BY state",
            [command.command_id for command in commands],
        )
        return Counter({row["state"]: row["count"] for row in rows})
