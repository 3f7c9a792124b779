"""I6: decisions that no client saw may be shown or not; once everything has settled, all are shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.workload.history import History
from tests.unit.faults.checker.reads.looks import appointment, of, page
from tests.unit.faults.checker.reads.test_free_slots import ALL_DAY, half_hours, slots
from tests.unit.faults.checker.story import VALUES, Story
from tests.unit.faults.checker.topics import ADA, BEN, PAT, SAM, Deed

UNSEEN: list[Any] = [
    pytest.param(lambda deed: deed.pending(), id="accepted"),
    pytest.param(lambda deed: deed.unanswered(), id="unanswered"),
    pytest.param(lambda deed: deed.unanswered(503, "log_unavailable"), id="log_unavailable"),
]
unseen = pytest.mark.parametrize("leave", UNSEEN)
Leave = Callable[[Deed], Deed]


@unseen
def test_a_booking_may_be_shown_or_not(leave: Leave) -> None:
    story = Story()
    booked = leave(story.book(PAT, "09:00"))
    page(story)
    page(story, of(story, booked))
    appointment(story, booked)
    gone = appointment(story, booked)
    gone.status, gone.answer = 404, {"code": "not_found"}
    story.finds()


@unseen
def test_a_doctor_may_be_shown_as_before_or_after_a_change(leave: Leave) -> None:
    story = Story()
    leave(story.update(ADA, active=False))
    for active in (True, False):
        story.read(f"/v1/doctors/{ADA}", {"id": ADA, "active": active, **VALUES})
    story.finds()


@unseen
def test_a_slot_may_be_offered_or_not(leave: Leave) -> None:
    story = half_hours()
    leave(story.book(PAT, "09:00"))
    for offered in (ALL_DAY, ALL_DAY[1:]):
        slots(story, *offered)
    story.finds()


@unseen
def test_a_booking_that_is_missing_after_everything_has_settled_is_found(leave: Leave) -> None:
    story = Story()
    leave(story.book(PAT, "09:00"))
    story.settle()
    page(story)
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


def test_a_booking_before_one_that_was_seen_decided_is_shown() -> None:
    story = Story()
    story.book(PAT, "09:00").pending()
    later = story.book(SAM, "11:00")
    page(story, of(story, later))
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


def test_a_booking_before_one_in_another_partition_may_be_missing() -> None:
    story = Story()
    story.book(PAT, "09:00").pending()
    later = story.book(SAM, "09:00", doctor=BEN)
    page(story, of(story, later))
    story.finds()


@pytest.mark.parametrize("settles", [True, False])
def test_a_saved_history_is_read_unchanged(settles: bool, tmp_path: Path) -> None:
    story = Story()
    if settles:
        story.settle()
    page(story)
    story.history.save(tmp_path / "history")
    loaded = History.load(tmp_path / "history")
    assert (loaded.calls, loaded.settled) == (story.history.calls, story.history.settled)
