"""I6: free slots lie in the doctor's hours, are not taken, and are not too soon."""

from datetime import datetime
from typing import Any

import pytest

from tests.faults.workload.history import Call
from tests.unit.faults.checker.story import DAY, POLICY, Story, at, placed
from tests.unit.faults.checker.topics import ADA, PAT, Data

ALL_DAY = ("09:00", "09:30", "10:00", "10:30", "11:00", "11:30")
HALF_HOURS = POLICY | {"slot_minutes": 30}
LACKS, OFFERS = "I6: call .* lacks what is free: 1 slots, ", "I6: call .* offers what is not free: 1 slots, "


def half_hours() -> Story:
    """Dr Ada has six slots a day, half an hour each."""
    story = Story()
    story.update(ADA, policy=HALF_HOURS)
    return story


def slots(story: Story, *clocks: str, kind: str = "checkup", status: int = 200, etag: str = "") -> Call:
    """A read of a day's free slots."""
    places = [placed(ADA, kind, at(clock)) for clock in clocks]
    free = [{name: visit[name] for name in ("starts_at", "ends_at")} for visit in places]
    path = f"/v1/doctors/{ADA}/availability?from={DAY}&to={DAY}&visit_type={kind}"
    answer: Data = {"days": [{"date": DAY, "slots": free}]}
    return story.read(path, answer if status == 200 else None, status, etag=etag)


def test_a_day_without_appointments_is_free() -> None:
    story = half_hours()
    slots(story, *ALL_DAY)
    story.finds()


def test_a_missing_free_slot_is_found() -> None:
    story = half_hours()
    slots(story, *ALL_DAY[1:])
    story.finds(LACKS + at("09:00")[:16])


def test_a_slot_outside_the_hours_is_found() -> None:
    story = half_hours()
    slots(story, *ALL_DAY, "12:00")
    story.finds(OFFERS + at("12:00")[:16])


def test_a_slot_that_is_taken_is_found() -> None:
    story = half_hours()
    story.book(PAT, "10:00")
    slots(story, *ALL_DAY)
    story.finds(OFFERS + at("10:00")[:16])


def test_a_slot_in_the_time_off_is_found() -> None:
    story = half_hours()
    story.block("09:00", "09:30")
    slots(story, *ALL_DAY)
    story.finds(OFFERS + at("09:00")[:16])


def test_a_slot_whose_buffer_overlaps_a_visit_is_found() -> None:
    story = half_hours()
    story.book(PAT, "10:00")
    slots(story, "09:00", "11:00", "11:30", kind="surgery")
    story.finds()
    slots(story, "09:00", "09:30", "11:00", "11:30", kind="surgery")
    story.finds(OFFERS + at("09:30")[:16])


def test_a_slot_of_a_cancelled_visit_is_free_again() -> None:
    story = half_hours()
    story.cancel(story.book(PAT, "09:00"))
    slots(story, *ALL_DAY)
    story.finds()
    slots(story, *ALL_DAY[1:])
    story.finds(LACKS + at("09:00")[:16] + r".*taken by .* \(checkup, .*\) from .* until ")


def test_a_slot_that_is_booked_meanwhile_may_be_offered_or_not() -> None:
    story = half_hours()
    booked = story.book(PAT, "09:00")
    for offered in (ALL_DAY, ALL_DAY[1:]):
        slots(story, *offered).started = booked.call.started
    story.finds()


def test_a_slot_that_is_too_soon_is_found() -> None:
    story = half_hours()
    story.wait(days=7, minutes=15)
    slots(story, *ALL_DAY[1:])
    story.finds()
    slots(story, *ALL_DAY)
    story.finds(OFFERS + at("09:00")[:16])


def test_a_slot_that_becomes_too_soon_meanwhile_may_be_offered_or_not() -> None:
    story = half_hours()
    for offered in (ALL_DAY, ALL_DAY[1:]):
        slots(story, *offered).at = datetime.fromisoformat(at("08:00")).timestamp() - 0.2
    story.finds()


def test_an_inactive_doctor_who_offers_slots_is_found() -> None:
    story = half_hours()
    story.update(ADA, policy=HALF_HOURS, active=False)
    slots(story)
    story.finds()
    slots(story, "09:00")
    story.finds(OFFERS + at("09:00")[:16])


def test_not_modified_means_the_slots_of_the_tag() -> None:
    story = half_hours()
    slots(story, *ALL_DAY, etag="one")
    slots(story, status=304, etag="one")
    story.finds()
    story.book(PAT, "09:00")
    slots(story, status=304, etag="one")
    story.finds(OFFERS + at("09:00")[:16])


def test_an_unknown_tag_is_found() -> None:
    story = half_hours()
    slots(story, status=304, etag="another")
    story.finds("I6: call .* was answered 304 with a tag that was never given")


def test_a_slot_that_is_offered_twice_is_found() -> None:
    story = half_hours()
    slots(story, *ALL_DAY, "09:00")
    story.finds("I6: call .* offers more than once: 1 slots, " + at("09:00")[:16])


def test_two_answers_with_one_tag_are_found() -> None:
    story = half_hours()
    slots(story, *ALL_DAY, etag="one")
    slots(story, *ALL_DAY, etag="one")
    story.finds()
    story.book(PAT, "09:00")
    slots(story, *ALL_DAY[1:], etag="one")
    story.finds("I6: call .* has the tag one, which was given to another answer before")


def test_answers_without_a_tag_may_differ() -> None:
    story = half_hours()
    slots(story, *ALL_DAY)
    story.book(PAT, "09:00")
    slots(story, *ALL_DAY[1:])
    story.finds()


def test_not_modified_without_a_tag_is_found() -> None:
    story = half_hours()
    slots(story, *ALL_DAY)
    slots(story, status=304)
    story.finds("I6: call .* was answered 304 with a tag that was never given")


@pytest.mark.parametrize("answer", [None, [], "free"])
def test_an_answer_that_is_not_a_json_object_is_found(answer: Any) -> None:
    story = half_hours()
    slots(story).answer = answer
    story.finds("I6: call .* was answered 200 without a JSON object")
