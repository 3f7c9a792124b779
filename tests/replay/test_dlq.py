"""Dead letters are listed and, after a fix, redriven: decided once, however often they are sent."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

import pytest

from booking_worker.decide import decision_batch as deciding
from booking_worker.main import running_worker
from contracts.commands import Command, derived_id
from contracts.dead_letters import DeadLetterReason, UndecodableError, dead_letter_headers
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from ops.replay.verify import verify_all
from scheduling.decide import decide
from tests.clinic import records
from tests.ops.conftest import clinic_command
from tests.replay.conftest import fetchval, settled
from tests.replay.examples import booked, doctors_in_different_partitions, opened, partition_of, record_of
from tests.replay.history import Record
from tests.replay.sending import send


def listed(settings: Settings) -> list[dict[str, Any]]:
    """`clinic dlq list`."""
    printed = clinic_command(settings, "dlq", "list", "--json")
    assert printed.returncode == 0, printed.stderr
    letters: list[dict[str, Any]] = json.loads(printed.stdout)
    return letters


def redriven(settings: Settings, *which: str) -> tuple[int, list[dict[str, Any]]]:
    """`clinic dlq redrive`: its status and its results."""
    printed = clinic_command(settings, "dlq", "redrive", *which, "--json")
    return printed.returncode, json.loads(printed.stdout)


async def decision(settings: Settings, command_id: Any) -> str | None:
    """The state of a command's decision."""
    query = "SELECT state FROM booking.decisions WHERE command_id = $1"
    state: str | None = await fetchval(settings, query, command_id)
    return state


async def test_after_a_fix_a_letter_is_decided_once_and_bad_ones_are_reported(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    at = clock.now().replace(minute=0, second=0, microsecond=0)
    culprit, unreadable = (booked(doctor_id, at + timedelta(days=days)) for days in (2, 3))
    bad = record_of(unreadable, at)

    def buggy(book: Any, given: Command, now: datetime) -> Any:
        if given.command_id == culprit.command_id:
            raise ZeroDivisionError("a bug")
        return decide(book, given, now)

    monkeypatch.setattr(deciding, "decide", buggy)
    good = [record_of(command, at) for command in (*opened(doctor_id), culprit)]
    async with running_worker(own):
        await send(own, iter([*good, Record(bad.key, b"\x00\xff", bad.headers, at)]))
        await settled(own)
        number = partition_of(doctor_id)
        first, second = listed(own)
        assert (first["partition"], first["source_partition"], first["source_offset"]) == (number, number, 2)
        assert (first["reason"], first["detail"]) == ("handler_error", "ZeroDivisionError")
        assert first["type"] == "clinic.booking.BookAppointment.v1"
        assert [letter["command_id"] for letter in (first, second)] == [
            str(culprit.command_id),
            str(unreadable.command_id),
        ]
        assert (second["reason"], [letter["again"] for letter in (first, second)]) == (
            "invalid_data",
            ["no", "no"],
        )
        monkeypatch.setattr(deciding, "decide", decide)  # the fix

        status, [result] = redriven(own, str(number), str(first["offset"]))
        await settled(own)

        again = uuid5(culprit.command_id, "redrive")
        assert (status, result["fine"], result["sent_as"]) == (0, True, str(again))
        assert await decision(own, culprit.command_id) == "failed"
        assert await decision(own, again) == "confirmed"
        [appointment] = await fetchval(own, "SELECT array_agg(id) FROM booking.appointments")
        assert appointment == derived_id(again, "appointment")
        assert [letter["again"] for letter in listed(own)] == ["confirmed", "no"]

        ends = len(await records(own, COMMANDS_TOPIC))
        status, [result, still] = redriven(own, "--all")
        await settled(own)
        assert status == 1
        assert (result["fine"], result["outcome"]) == (True, "sent before: confirmed")
        assert (still["fine"], still["outcome"][:20]) == (False, "still cannot be read")
        assert len(await records(own, COMMANDS_TOPIC)) == ends
        assert len(await records(own, DEAD_LETTERS_TOPIC)) == 2
    reports, _ = await verify_all(own)
    assert [finding for report in reports for finding in report.findings] == []


async def test_two_redrives_before_the_decision_are_decided_once(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    culprit = opened(doctor_id)[0]

    def buggy(book: Any, given: Command, now: datetime) -> Any:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(deciding, "decide", buggy)
        async with running_worker(own):
            await send(own, iter([record_of(culprit, clock.now())]))
            await settled(own)
    for _ in range(2):
        assert redriven(own, "--all")[0] == 0
    assert len(await records(own, COMMANDS_TOPIC)) == 3
    async with running_worker(own):
        await settled(own)
    assert await fetchval(own, "SELECT count(*) FROM booking.decisions") == 2
    assert len(await records(own, EVENTS_TOPIC)) == 2


async def test_a_letter_without_a_decision_is_sent_unchanged(own: Settings) -> None:
    """Left by an older version that could not read the id."""
    doctor_id, _ = doctors_in_different_partitions()
    command = opened(doctor_id)[0]
    record = record_of(command, clock.now())
    [topic] = (await topic_ids(own, [topic_name(own, COMMANDS_TOPIC)])).items()
    why = UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id is not the command's id")
    producer = await start_producer(own, "test")
    await producer.send_and_wait(
        topic_name(own, DEAD_LETTERS_TOPIC),
        record.value,
        record.key,
        partition=3,
        headers=[*record.headers, *dead_letter_headers(why, *topic, 3, 0)],
    )
    await producer.stop()
    async with running_worker(own):
        status, [result] = redriven(own, "3", "0")
        assert (status, result["sent_as"]) == (0, str(command.command_id))
        await settled(own)
        assert await decision(own, command.command_id) == "confirmed"
        assert redriven(own, "3", "0")[1][0]["outcome"] == "another record of its command was confirmed"
        await settled(own)
    assert await fetchval(own, "SELECT count(*) FROM booking.decisions") == 1


async def test_a_letter_is_shown_with_headers_and_value(own: Settings) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    command = opened(doctor_id)[0]
    record = record_of(command, clock.now())
    headers = [(name, b"\xff\x00" if name == "ce_id" else value) for name, value in record.headers]
    async with running_worker(own):
        await send(own, iter([Record(record.key, record.value, headers, record.at)]))
        await settled(own)
    [letter] = listed(own)
    assert (letter["command_id"], letter["reason"], letter["again"]) == (None, "bad_header", "no")
    assert await fetchval(own, "SELECT count(*) FROM booking.decisions") == 0

    shown = clinic_command(own, "dlq", "show", str(letter["partition"]), str(letter["offset"]), "--json")
    shown_letter = json.loads(shown.stdout)
    assert ["ce_id", "hex ff00"] in shown_letter["headers"]
    assert ["dlq_reason", "bad_header"] in shown_letter["headers"]
    assert json.loads(shown_letter["value"])["command_id"] == str(command.command_id)
    nowhere = clinic_command(own, "dlq", "show", str(letter["partition"]), "77")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert "There is no dead letter at partition" in nowhere.stderr
    for misuse in (("redrive",), ("redrive", "3"), ("redrive", "3", "4", "--all")):
        assert clinic_command(own, "dlq", *misuse).returncode == 2
