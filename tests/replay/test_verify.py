"""Deciding again gives the recorded decisions, and every change is found."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from booking_worker.decide import decision_batch as deciding
from booking_worker.main import running_worker
from contracts.commands import Command
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC
from infra import clock
from infra.settings import Settings
from ops.replay.redecide import Finding
from ops.replay.verify import verify_all
from scheduling.decide import decide
from tests.clinic import records
from tests.replay import story as forgeries
from tests.replay.conftest import Seeded, copy_of, decided, execute, fetchval, servers, settled, state
from tests.replay.examples import (
    booked,
    doctors_in_different_partitions,
    opened,
    record_of,
)
from tests.replay.sending import send
from tests.replay.story import Log, Story


async def findings(settings: Settings, since: datetime | None = None) -> list[Finding]:
    """The findings of verifying a clinic."""
    reports, _ = await verify_all(settings, since)
    return [finding for report in reports for finding in report.findings]


async def test_a_real_history_verifies(seeded: Seeded) -> None:
    reports, found = await verify_all(seeded.settings)
    assert [finding for report in reports for finding in report.findings] == [], seeded.seed
    assert found == await state(seeded.settings)
    assert sum(report.commands for report in reports) == len(await records(seeded.settings, COMMANDS_TOPIC))


async def test_since_a_time_earlier_findings_are_left_out(seeded: Seeded) -> None:
    async with copy_of(seeded.settings) as tampered:
        at = await fetchval(
            tampered,
            """
            WITH found AS (SELECT command_id FROM booking.decisions ORDER BY decided_at, command_id LIMIT 1)
            UPDATE booking.decisions SET fingerprint = repeat('0', 32)
            WHERE command_id IN (SELECT command_id FROM found) RETURNING decided_at
            """,
        )
        assert len(await findings(tampered)) == 1, seeded.seed
        assert len(await findings(tampered, at)) == 1
        assert len(await findings(tampered, datetime.min.replace(tzinfo=UTC))) == 1
        assert await findings(tampered, at + timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    ("change", "text"),
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
async def test_a_change_in_the_database_is_found(seeded: Seeded, change: str, text: str) -> None:
    async with copy_of(seeded.settings) as tampered:
        await execute(tampered, change)
        found = await findings(tampered)
        assert any(text in finding.problem for finding in found), found
        assert await state(tampered) != await state(seeded.settings)


@pytest.fixture(scope="module")
async def story(settings: Settings, template: str) -> AsyncIterator[Story]:
    async with servers(settings, template) as own:
        story = Story(own)
        async with running_worker(own):
            for command in story.commands:
                await send(own, iter([record_of(command, story.at)]))
                await settled(own)
        yield story


async def test_decisions_of_other_partitions_explain_what_one_partition_cannot(story: Story) -> None:
    query = "SELECT array_agg(coalesce(reason, state)) FROM booking.decisions"
    outcomes: Counter[str] = Counter(await fetchval(story.settings, query))
    assert outcomes == {"confirmed": 9, "slot_taken": 1, "patient_busy": 1}
    assert await findings(story.settings) == []
    for doctor_id in (story.first, story.second):
        assert await story.findings(await story.log(doctor_id)) == []


async def test_decisions_that_depend_on_other_partitions_are_marked(story: Story) -> None:
    evidence = {
        data["command_id"]: data["evidence"]
        for doctor_id in (story.first, story.second)
        for data in (json.loads(event.value) for event in (await story.log(doctor_id)).events)
    }

    def seen(version: int) -> dict[str, Any]:
        id_ = str(story.booked.appointment_id)
        return {"appointments": [{"appointment_id": id_, "version": version, "status": "booked"}]}

    assert evidence[str(story.taken.command_id)] == seen(1)
    assert evidence[str(story.busy.command_id)] == seen(1)
    assert evidence[str(story.moved.command_id)] == seen(1)
    assert evidence[str(story.cancelled.command_id)] == seen(2)
    assert len([noted for noted in evidence.values() if noted]) == 4


async def test_events_of_releases_without_evidence_verify_too(story: Story) -> None:
    for doctor_id in (story.first, story.second):
        log = await story.log(doctor_id)
        forgeries.without_evidence(log)
        # The rows in the database have changed since, and nothing else is found.
        found = {finding.problem.partition(": ")[2] for finding in await story.findings(log)}
        assert found == {"topic and database differ"}


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (forgeries.a_refusal_is_missing, "no decision is recorded"),
        (forgeries.a_confirmation_became_a_refusal, "another outcome"),
        (forgeries.a_confirmation_became_a_refusal_by_the_hours, "another outcome"),
        (forgeries.a_patient_was_busy_with_nothing, "another outcome"),
        (forgeries.a_taken_time_was_given, "another outcome"),
        (forgeries.another_time, "another outcome"),
        (forgeries.the_evidence_is_left_out, "another outcome"),
        (forgeries.the_evidence_is_of_no_version, "another outcome"),
        (forgeries.the_evidence_is_of_what_came_later, "another outcome"),
        (forgeries.another_promise, "the promise is"),
        (forgeries.the_promise_of_another_time, "the promised start is not of this visit"),
        (forgeries.another_fingerprint, "the event is not of this command"),
        (forgeries.of_another_command, "the event is not of this command"),
        (forgeries.decided_twice, "decided a second time"),
        (forgeries.nothing_failed, "failed, and is not set aside"),
        (forgeries.a_gap, "is missing"),
        (forgeries.an_event_without_a_command, "its offset has no command"),
    ],
)
async def test_a_forgery_on_the_topic_is_found(
    story: Story, forge: Callable[[Story, Log], None], text: str
) -> None:
    log = await story.log()
    forge(story, log)
    found = await story.findings(log)
    assert any(text in finding.problem for finding in found), found


@pytest.mark.parametrize(
    ("forge", "text"),
    [
        (forgeries.a_confirmation_became_a_refusal, "another outcome"),
        (forgeries.a_patient_was_busy_with_nothing, "another outcome"),
        (forgeries.a_taken_time_was_given, "another outcome"),
        (forgeries.another_time, "another outcome"),
        (forgeries.the_promise_of_another_time, "the promised start is not of this visit"),
        (forgeries.a_confirmation_became_a_refusal_by_the_hours, ""),
    ],
)
async def test_with_other_zone_data_only_the_hours_are_taken_as_recorded(
    story: Story, forge: Callable[[Story, Log], None], text: str
) -> None:
    log = await story.log()
    forge(story, log)
    forgeries.by_other_zone_data(log)
    # The rows in the database are what they were.
    same_as_stored = ("topic and database differ", "the decision in the database is not the event's")
    problems = [finding.problem for finding in await story.findings(log)]
    found = [problem for problem in problems if not problem.endswith(same_as_stored)]
    assert any(text in problem for problem in found) if text else not found, found


async def test_a_dead_letter_is_accepted_as_recorded(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
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

    assert len(await records(own, DEAD_LETTERS_TOPIC)) == 1
    assert await findings(own) == []
