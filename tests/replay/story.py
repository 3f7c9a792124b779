"""A short history in which two partitions meet, and what can be forged of it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from contracts.commands import BookAppointment, Command
from contracts.topics import COMMANDS, EVENTS
from infra import clock
from infra.settings import Settings
from ops.replay.connection import database
from ops.replay.elsewhere import Elsewhere
from ops.replay.recorded_events import Position
from ops.replay.redeciding import Finding, Letters
from ops.replay.verify import verify_partition
from tests.clinic import records
from tests.replay.examples import (
    booked,
    cancelled,
    doctors_in_different_partitions,
    moved,
    opened,
    partition_of,
)

OTHER_PATIENT = UUID("99999999-2222-4333-8444-555555555555")


@dataclass
class Log:
    """A partition's records on both topics; to be forged."""

    commands: list[ConsumerRecord]
    events: list[ConsumerRecord]

    def event_of(self, command: Command, **changes: Any) -> int:
        """The place of a command's event, whose data is changed."""
        [place] = [
            place
            for place, event in enumerate(self.events)
            if json.loads(event.value)["command_id"] == str(command.command_id)
        ]
        self.change(place, **changes)
        return place

    def change(self, place: int, type_: str = "", sequence: int = 0, **changes: Any) -> None:
        """Other data; another type or sequence in the headers."""
        event = self.events[place]
        headers = dict(event.headers)
        if type_:
            headers["ce_type"] = f"clinic.booking.{type_}.v1".encode()
        if sequence:
            headers["ce_sequence"] = str(sequence).encode()
        value = json.dumps(json.loads(event.value) | changes).encode()
        self.events[place] = replace(event, value=value, headers=tuple(headers.items()))

    def number_again(self) -> None:
        """Sequences without a gap."""
        for place in range(len(self.events)):
            self.change(place, sequence=place + 1)


class Story:
    """Two doctors in different partitions, two patients, and one time of the day that all want."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.at = clock.now().replace(minute=0, second=0, microsecond=0)
        self.first, self.second = doctors_in_different_partitions()
        time, later = self.at + timedelta(days=2), self.at + timedelta(days=2, hours=1)
        self.booked = booked(self.first, time)
        self.taken = booked(self.first, time, OTHER_PATIENT)
        self.busy = booked(self.second, time)
        self.moved = moved(self.booked, self.second, later)
        self.free_again = booked(self.first, time, OTHER_PATIENT)
        # Asked of the doctor whom it had once.
        self.cancelled = cancelled(self.booked)
        self.key_reused = self.free_again.model_copy(update={"doctor_id": self.second})
        self.confirmed = booked(self.first, later)
        self.commands: list[Command] = [
            *(*opened(self.first), *opened(self.second)),
            *(self.booked, self.taken, self.busy, self.moved, self.free_again, self.cancelled),
            *(self.key_reused, self.taken, self.confirmed),
        ]

    async def log(self) -> Log:
        """The first doctor's partition."""
        number = partition_of(self.first)
        both = [await records(self.settings, topic) for topic in (COMMANDS, EVENTS)]
        return Log(*([record for record in some if record.partition == number] for some in both))

    async def findings(self, log: Log) -> list[Finding]:
        """What verifying that partition finds, if its topics were like this."""
        number = partition_of(self.first)
        async with database(self.settings.worker_dsn) as pool:
            row = await pool.fetchrow("SELECT * FROM booking.partition_progress WHERE partition = $1", number)
            assert row is not None
            position = Position(number, row["next_offset"], len(log.events), len(log.events))
            report = await verify_partition(
                pool,
                Elsewhere(pool),
                position,
                Letters({}, kept=True),
                _in_portions(log.commands),
                _in_portions(log.events),
            )
        return report.findings


async def _in_portions(some: list[ConsumerRecord]) -> AsyncIterator[list[ConsumerRecord]]:
    for record in some:
        yield [record]


def refusal(command: BookAppointment, reason: str) -> dict[str, Any]:
    """The data of a refusal instead of another event."""
    return {"type_": "CommandRefused", "reason": reason, "doctor_id": str(command.doctor_id)}


def a_refusal_is_missing(story: Story, log: Log) -> None:
    del log.events[log.event_of(story.taken)]
    log.number_again()


def a_confirmation_became_a_refusal(story: Story, log: Log) -> None:
    log.event_of(story.booked, **refusal(story.booked, "slot_taken"))


def a_patient_was_busy_with_nothing(story: Story, log: Log) -> None:
    log.event_of(story.confirmed, **refusal(story.confirmed, "patient_busy"))


def a_taken_time_was_given(story: Story, log: Log) -> None:
    event = json.loads(log.events[log.event_of(story.booked)].value)
    given = {name: event[name] for name in ("visit_type", "starts_at", "ends_at", "version")}
    given |= {name: event[name] for name in ("occupied_from", "occupied_until")}
    ids = {"appointment_id": str(story.taken.appointment_id), "patient_id": str(story.taken.patient_id)}
    log.event_of(story.taken, type_="AppointmentBooked", **given, **ids)


def another_time(story: Story, log: Log) -> None:
    later = {"starts_at": "2030-01-01T09:00:00Z", "ends_at": "2030-01-01T09:30:00Z"}
    log.event_of(story.booked, **later, occupied_from=later["starts_at"], occupied_until=later["ends_at"])


def another_fingerprint(story: Story, log: Log) -> None:
    log.event_of(story.booked, fingerprint="f" * 32)


def of_another_command(story: Story, log: Log) -> None:
    log.event_of(story.booked, command_id=str(uuid4()))


def decided_twice(story: Story, log: Log) -> None:
    [*_, repeat] = [place for place, one in enumerate(log.commands) if _id_of(one) == story.taken.command_id]
    place = log.event_of(story.taken)
    log.events.insert(place + 3, log.events[place])
    source = {"partition": log.commands[repeat].partition, "offset": log.commands[repeat].offset}
    log.change(place + 3, source=source)
    log.number_again()


def nothing_failed(story: Story, log: Log) -> None:
    log.event_of(story.taken, type_="CommandFailed", reason="handler_error")


def a_gap(story: Story, log: Log) -> None:
    del log.events[log.event_of(story.taken)]


def an_event_without_a_command(story: Story, log: Log) -> None:
    log.commands = [one for one in log.commands if _id_of(one) != story.confirmed.command_id]


def _id_of(record: ConsumerRecord) -> UUID:
    return UUID(dict(record.headers)["ce_id"].decode())
