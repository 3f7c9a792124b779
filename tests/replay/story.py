"""A short history that involves two partitions, and ways to forge it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from contracts.commands import BookAppointment, Command
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.settings import Settings
from ops.connections import database
from ops.replay.other_partitions import OtherPartitions
from ops.replay.redecide import Finding, Letters
from ops.replay.verify import verify_partition
from storage.positions import Position
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
    """A partition's records on both topics, which a test can forge."""

    commands: list[ConsumerRecord]
    events: list[ConsumerRecord]

    def event_of(self, command: Command, **changes: Any) -> int:
        """The index of a command's event; changes its data."""
        [index] = [
            index
            for index, event in enumerate(self.events)
            if json.loads(event.value)["command_id"] == str(command.command_id)
        ]
        self.change(index, **changes)
        return index

    def change(self, index: int, type_: str = "", sequence: int = 0, **changes: Any) -> None:
        """Change the data of an event, or the type or sequence in its headers."""
        event = self.events[index]
        headers = dict(event.headers)
        if type_:
            headers["ce_type"] = f"clinic.booking.{type_}.v1".encode()
        if sequence:
            headers["ce_sequence"] = str(sequence).encode()
        value = json.dumps(json.loads(event.value) | changes).encode()
        self.events[index] = replace(event, value=value, headers=tuple(headers.items()))

    def number_again(self) -> None:
        """Renumber the sequences without a gap."""
        for index in range(len(self.events)):
            self.change(index, sequence=index + 1)


class Story:
    """Two doctors in different partitions, two patients, and one time of day that all of them want."""

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
        # Sent to the partition of the appointment's earlier doctor.
        self.cancelled = cancelled(self.booked)
        self.key_reused = self.free_again.model_copy(update={"doctor_id": self.second})
        self.confirmed = booked(self.first, later)
        self.commands: list[Command] = [
            *opened(self.first), *opened(self.second),
            self.booked, self.taken, self.busy, self.moved, self.free_again, self.cancelled,
            self.key_reused, self.taken, self.confirmed,
        ]  # fmt: skip

    async def log(self, doctor_id: UUID | None = None) -> Log:
        """A doctor's partition, by default the first doctor's."""
        number = partition_of(doctor_id or self.first)
        both = [await records(self.settings, topic) for topic in (COMMANDS_TOPIC, EVENTS_TOPIC)]
        return Log(
            *([record for record in topic_records if record.partition == number] for topic_records in both)
        )

    async def findings(self, log: Log) -> list[Finding]:
        """The findings of verifying that partition with these topics."""
        number = log.commands[0].partition
        async with database(self.settings.worker_dsn, "clinic-replay") as pool:
            row = await pool.fetchrow("SELECT * FROM booking.partition_progress WHERE partition = $1", number)
            assert row is not None
            position = Position(number, row["topic_id"], row["next_offset"], len(log.events), len(log.events))
            report = await verify_partition(
                pool,
                OtherPartitions(pool),
                position,
                Letters({}, kept=True),
                _in_portions(log.commands),
                _in_portions(log.events),
            )
        return report.findings


async def _in_portions(records: list[ConsumerRecord]) -> AsyncIterator[list[ConsumerRecord]]:
    for record in records:
        yield [record]


def refusal(command: BookAppointment, reason: str) -> dict[str, Any]:
    """Replace an event's data by a refusal."""
    return {"type_": "CommandRefused", "reason": reason, "doctor_id": str(command.doctor_id)}


def without_evidence(log: Log) -> None:
    """Remove the evidence, as in events of releases that did not record it."""
    for index in range(len(log.events)):
        log.change(index, evidence=None)


def by_other_zone_data(log: Log) -> None:
    """Let every decision be made with another version of the zone data."""
    for index in range(len(log.events)):
        log.change(index, zone_data="2020.1")


def the_evidence_is_left_out(story: Story, log: Log) -> None:
    log.event_of(story.cancelled, evidence={})


def the_evidence_is_of_no_version(story: Story, log: Log) -> None:
    seen = {"appointment_id": str(story.booked.appointment_id), "version": 7, "status": "booked"}
    log.event_of(story.cancelled, evidence={"appointments": [seen]})


def the_evidence_is_of_what_came_later(story: Story, log: Log) -> None:
    seen = {"appointment_id": str(story.free_again.appointment_id), "version": 1, "status": "booked"}
    log.event_of(story.taken, evidence={"appointments": [seen]})


def a_refusal_is_missing(story: Story, log: Log) -> None:
    del log.events[log.event_of(story.taken)]
    log.number_again()


def a_confirmation_became_a_refusal(story: Story, log: Log) -> None:
    log.event_of(story.booked, **refusal(story.booked, "slot_taken"))


def a_patient_was_busy_with_nothing(story: Story, log: Log) -> None:
    log.event_of(story.confirmed, **refusal(story.confirmed, "patient_busy"))


def a_confirmation_became_a_refusal_by_the_hours(story: Story, log: Log) -> None:
    log.event_of(story.booked, **refusal(story.booked, "outside_hours"))


def another_promise(story: Story, log: Log) -> None:
    event = json.loads(log.events[log.event_of(story.booked)].value)
    an_hour_off = datetime.fromisoformat(event["starts_at"]).astimezone(timezone(timedelta(hours=1)))
    log.event_of(story.booked, promised_start=f"{an_hour_off.isoformat()}[UTC]")


def the_promise_of_another_time(story: Story, log: Log) -> None:
    log.event_of(story.booked, promised_start="2030-01-01T09:00:00+00:00[UTC]")


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
    [*_, repeat] = [
        index for index, command in enumerate(log.commands) if _id_of(command) == story.taken.command_id
    ]
    index = log.event_of(story.taken)
    log.events.insert(index + 3, log.events[index])
    source = {"partition": log.commands[repeat].partition, "offset": log.commands[repeat].offset}
    log.change(index + 3, source=source)
    log.number_again()


def nothing_failed(story: Story, log: Log) -> None:
    log.event_of(story.taken, type_="CommandFailed", reason="handler_error")


def a_gap(story: Story, log: Log) -> None:
    del log.events[log.event_of(story.taken)]


def an_event_without_a_command(story: Story, log: Log) -> None:
    log.commands = [command for command in log.commands if _id_of(command) != story.confirmed.command_id]


def _id_of(record: ConsumerRecord) -> UUID:
    return UUID(dict(record.headers)["ce_id"].decode())
