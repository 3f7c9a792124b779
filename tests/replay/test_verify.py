"""Deciding again gives what is recorded, and whatever was changed is found."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from booking_worker import deciding
from booking_worker.main import running_worker
from contracts.commands import Command
from contracts.topics import COMMANDS, DEAD_LETTERS
from infra import clock
from infra.settings import Settings
from ops.replay.redeciding import Finding
from ops.replay.verify import verify_all
from scheduling.decide import decide
from tests.clinic import records
from tests.replay import story as forgeries
from tests.replay.conftest import Told, copy_of, decided, execute, fetchval, servers, settled, state
from tests.replay.examples import (
    booked,
    doctors_in_different_partitions,
    opened,
    record_of,
)
from tests.replay.sending import send
from tests.replay.story import Log, Story


async def findings(settings: Settings) -> list[Finding]:
    """What verifying a clinic finds."""
    reports, _ = await verify_all(settings)
    return [finding for report in reports for finding in report.findings]


async def test_a_real_history_fits(told: Told) -> None:
    reports, found = await verify_all(told.settings)
    assert [finding for report in reports for finding in report.findings] == [], told.seed
    assert found == await state(told.settings)
    assert sum(report.commands for report in reports) == len(await records(told.settings, COMMANDS))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            """
            UPDATE booking.events SET data = replace(data::text, '"version":1', '"version":3')::json
            WHERE (partition, sequence) = (
                SELECT partition, sequence FROM booking.events WHERE type = 'AppointmentBooked' LIMIT 1
            )
            """,
            "topic and database differ",
        ),
        (
            """
            DELETE FROM booking.events WHERE (partition, sequence) = (
                SELECT partition, sequence FROM booking.events WHERE type = 'CommandRefused' LIMIT 1
            )
            """,
            "topic and database differ",
        ),
        (
            """
            UPDATE booking.decisions SET state = 'confirmed', reason = NULL WHERE command_id = (
                SELECT command_id FROM booking.decisions WHERE reason = 'slot_taken' LIMIT 1
            )
            """,
            "the decision in the database is not the event's",
        ),
        (
            """
            INSERT INTO booking.decisions
            SELECT gen_random_uuid(), command_type, fingerprint, state, reason, count, partition, "offset",
                decided_at
            FROM booking.decisions LIMIT 1
            """,
            "decisions, and there are events of",
        ),
    ],
)
async def test_what_is_changed_in_the_database_is_found(told: Told, change: str, what: str) -> None:
    async with copy_of(told.settings) as tampered:
        await execute(tampered, change)
        found = await findings(tampered)
        assert any(what in finding.what for finding in found), found
        assert await state(tampered) != await state(told.settings)


@pytest.fixture(scope="module")
async def story(settings: Settings, template: str) -> AsyncIterator[Story]:
    async with servers(settings, template) as own:
        story = Story(own)
        async with running_worker(own):
            for command in story.commands:
                await send(own, iter([record_of(command, story.at)]))
                await settled(own)
        yield story


async def test_what_other_partitions_did_explains_what_a_partition_alone_does_not(story: Story) -> None:
    query = "SELECT array_agg(coalesce(reason, state)) FROM booking.decisions"
    outcomes: Counter[str] = Counter(await fetchval(story.settings, query))
    assert outcomes == {"confirmed": 9, "slot_taken": 1, "patient_busy": 1}
    assert await findings(story.settings) == []
    assert await story.findings(await story.log()) == []


@pytest.mark.parametrize(
    ("forge", "what"),
    [
        (forgeries.a_refusal_is_missing, "no decision is recorded"),
        (forgeries.a_confirmation_became_a_refusal, "another outcome"),
        (forgeries.a_patient_was_busy_with_nothing, "another outcome"),
        (forgeries.a_taken_time_was_given, "another outcome"),
        (forgeries.another_time, "another outcome"),
        (forgeries.another_fingerprint, "the event is not of this command"),
        (forgeries.of_another_command, "the event is not of this command"),
        (forgeries.decided_twice, "decided a second time"),
        (forgeries.nothing_failed, "failed, and is not set aside"),
        (forgeries.a_gap, "is missing"),
        (forgeries.an_event_without_a_command, "no command stands there"),
    ],
)
async def test_what_is_forged_on_the_topic_is_found(
    story: Story, forge: Callable[[Story, Log], None], what: str
) -> None:
    log = await story.log()
    forge(story, log)
    found = await story.findings(log)
    assert any(what in finding.what for finding in found), found


async def test_a_dead_letter_is_taken_as_recorded(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    at = clock.now().replace(microsecond=0)
    culprit = booked(doctor_id, at + timedelta(days=2))

    def buggy(book: Any, given: Command, now: datetime) -> Any:
        if given.command_id == culprit.command_id:
            raise ZeroDivisionError("a bug")
        return decide(book, given, now)

    monkeypatch.setattr(deciding, "decide", buggy)
    await send(own, iter([record_of(command, at) for command in (*opened(doctor_id), culprit)]))
    await decided(own)

    assert len(await records(own, DEAD_LETTERS)) == 1
    assert await findings(own) == []
