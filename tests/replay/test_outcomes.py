"""Outcomes and corrections, also those that an earlier release decided, are decided again and folded."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from booking_worker.decide import decision_batch as deciding
from contracts.commands import Command, RecordOutcome, VisitOutcome
from contracts.events import Fact, OutcomeRecorded
from contracts.refusals import Reason, Refusal
from infra import clock
from infra.settings import Settings
from ops.rebuild.fold_all import fold_all
from ops.replay.verify import verify_all
from scheduling.decide import decide
from scheduling.state import Book
from tests.clinic import database
from tests.replay.conftest import decided, fetchval, state
from tests.replay.examples import (
    booked,
    doctors_in_different_partitions,
    ended,
    moved,
    opened,
    record_of,
)
from tests.replay.sending import send

Decide = Callable[[Book, Command, datetime], list[Fact] | Refusal]
MISSED, CAME = VisitOutcome.NO_SHOW, VisitOutcome.COMPLETED


def as_earlier_releases(book: Book, command: Command, now: datetime) -> list[Fact] | Refusal:
    """An outcome was final, and left the version as it was."""
    known = book.appointments.get(command.appointment_id) if isinstance(command, RecordOutcome) else None
    if known is None:
        return decide(book, command, now)
    if known.outcome is not None:
        return Refusal(Reason.NOT_BOOKED)
    outcome = decide(book, command, now)
    if isinstance(outcome, Refusal):
        return outcome
    [fact] = outcome
    assert isinstance(fact, OutcomeRecorded), "that is what the command makes"
    return [fact.model_copy(update={"version": known.version, "previous_status": None})]


@pytest.mark.parametrize(
    ("first", "later", "version", "status", "refusals"),
    [
        (decide, decide, 4, "completed", ["too_late_to_change"]),
        (as_earlier_releases, decide, 3, "completed", ["too_late_to_change"]),
        (as_earlier_releases, as_earlier_releases, 2, "no_show", ["not_booked"] * 3),
    ],
    ids=["this release", "an earlier one, then this", "an earlier one"],
)
async def test_outcomes_verify_and_are_rebuilt(
    own: Settings,
    template: str,
    monkeypatch: pytest.MonkeyPatch,
    first: Decide,
    later: Decide,
    version: int,
    status: str,
    refusals: list[str],
) -> None:
    at = clock.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=7)
    doctor_id, other_id = doctors_in_different_partitions()
    booking = booked(doctor_id, at + timedelta(days=1))
    began = at + timedelta(days=1, hours=1)

    async def send_at(when: datetime, *commands: Command) -> None:
        # Each is decided before the next is sent: they are in two partitions.
        for command in commands:
            await send(own, iter([record_of(command, when)]))
            await decided(own)

    monkeypatch.setattr(deciding, "decide", first)
    away = moved(booking, other_id, began - timedelta(minutes=30))
    await send_at(at, *opened(doctor_id), *opened(other_id), booking, away)
    await send_at(began, ended(booking, MISSED))
    monkeypatch.setattr(deciding, "decide", later)
    await send_at(began, ended(booking, CAME), ended(booking, CAME))
    await send_at(at + timedelta(days=3), ended(booking, MISSED))

    known = "SELECT (version, status) FROM booking.appointments WHERE id = $1"
    assert await fetchval(own, known, booking.appointment_id) == (version, status)
    found = await fetchval(own, "SELECT array_agg(reason) FROM booking.decisions WHERE reason IS NOT NULL")
    assert sorted(found) == refusals
    reports, state_now = await verify_all(own)
    assert [finding for report in reports for finding in report.findings] == []
    async with database(own, template) as empty:
        rebuilt = await fold_all(empty)
        assert rebuilt.state == state_now == await state(empty)
