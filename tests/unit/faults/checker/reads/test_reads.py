"""I6: every read shows what was confirmed before it, and nothing that was not."""

from typing import Any

import pytest

from tests.unit.faults.checker.reads.looks import appointment, calendar, of, page, two_visits
from tests.unit.faults.checker.story import VALUES, WEEK, Story, at
from tests.unit.faults.checker.topics import ADA, BEN, PAT, SAM, Data


def test_reads_that_show_what_was_confirmed_are_fine() -> None:
    story, first, second = two_visits()
    appointment(story, first)
    page(story, of(story, first), of(story, second))
    page(story, of(story, first), query=f"?patient_id={PAT}")
    page(story, of(story, second), actor=SAM)
    page(story, query="?status=cancelled")
    calendar(story, of(story, first), of(story, second))
    story.read(f"/v1/doctors/{ADA}", {"id": ADA, "active": True, **VALUES})
    story.read(f"/v1/doctors/{ADA}/schedule", WEEK)
    story.finds()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("doctor_id", BEN), ("patient_id", SAM), ("visit_type", "surgery"), ("status", "cancelled"),
        ("starts_at", at("09:15")), ("ends_at", at("09:45")), ("version", 2), ("booked_at", at("08:00")),
        ("cancelled_by", "staff"), ("cancel_reason", "why"), ("id", ADA),
    ],
)  # fmt: skip
def test_wrong_values_of_an_appointment_are_found(name: str, value: Any) -> None:
    story, first, _ = two_visits()
    appointment(story, first, **{name: value})
    story.finds("I6: call .* shows .* it can only be booked, version 1, ")


def test_a_missing_confirmed_appointment_is_found() -> None:
    story, first, _ = two_visits()
    gone = appointment(story, first)
    gone.status, gone.answer = 404, {"code": "not_found"}
    story.finds("API: call .* was answered 404", "I6: call .* does not find what was confirmed before")


def test_an_appointment_hidden_from_another_patient_is_fine() -> None:
    story, first, _ = two_visits()
    gone = appointment(story, first)
    gone.actor, gone.status, gone.answer = SAM, 404, {"code": "not_found"}
    story.finds()


def test_an_appointment_shown_to_another_patient_is_found() -> None:
    story, first, _ = two_visits()
    appointment(story, first).actor = SAM
    story.finds(f"I6: call .* shows the appointment of another patient, {PAT}")


def test_an_appointment_shown_as_booked_after_its_cancellation_is_found() -> None:
    story, first, _ = two_visits()
    before = of(story, first)
    story.cancel(first)
    appointment(story, first, **before)
    story.finds("I6: call .* shows .* it can only be cancelled, version 2, ")


def test_a_read_during_a_cancellation_may_show_either() -> None:
    story, first, _ = two_visits()
    before = of(story, first)
    gone = story.cancel(first)
    appointment(story, first, **before).started = gone.call.started
    appointment(story, first).started = gone.call.started
    story.finds()


def test_an_appointment_shown_before_it_was_requested_is_found() -> None:
    story, first, second = two_visits()
    early = appointment(story, second)
    early.started, early.ended = first.call.started, first.call.ended
    story.finds("I6: call .* shows .* it can only be nothing")


@pytest.mark.parametrize("change", [{"name": "another"}, {"active": False}, {"more": 1}])
def test_wrong_values_of_a_doctor_are_found(change: Data) -> None:
    story = Story()
    story.read(f"/v1/doctors/{ADA}", {"id": ADA, "active": True, **VALUES, **change})
    story.finds("I6: call .* shows .*; it can only be ")


def test_a_doctor_shown_as_before_a_change_is_found() -> None:
    story = Story()
    story.update(ADA, active=False)
    story.read(f"/v1/doctors/{ADA}", {"id": ADA, "active": True, **VALUES})
    story.finds("I6: call .* shows .*; it can only be ")


def test_wrong_hours_are_found() -> None:
    story = Story()
    story.read(f"/v1/doctors/{ADA}/schedule", {"hours": WEEK["hours"][1:]})
    story.finds("I6: call .* shows the hours .*; they can only be ")


def test_a_calendar_that_lacks_an_appointment_is_found() -> None:
    story, first, _ = two_visits()
    calendar(story, of(story, first))
    story.finds("I6: call .* lacks appointment .*: booked, version 1, ")


def test_a_calendar_with_wrong_values_of_an_appointment_is_found() -> None:
    story, first, second = two_visits()
    calendar(story, of(story, first), of(story, second) | {"version": 2})
    story.finds("I6: call .* shows .* it can only be booked, version 1, ")


@pytest.mark.parametrize(("shown", "found"), [(True, ()), (False, ("I6: call .* shows the time off ",))])
def test_a_calendar_without_the_time_off_is_found(shown: bool, found: tuple[str, ...]) -> None:
    story = Story()
    data = story.block("09:00", "10:00").command.data
    away = {"id": data["time_off_id"], "starts_at": data["starts_at"], "ends_at": data["ends_at"]}
    calendar(story, away=(away,) if shown else ())
    story.finds(*found)


def test_a_calendar_with_another_doctors_visit_is_found() -> None:
    story, first, second = two_visits()
    other = story.book(PAT, "11:00", doctor=BEN)
    calendar(story, *(of(story, one_) for one_ in (first, second, other)))
    story.finds("I6: call .* shows .*, which is not of these days of this doctor")


def test_a_calendar_with_a_visit_of_another_day_is_found() -> None:
    story, first, second = two_visits()
    read = calendar(story, of(story, first), of(story, second))
    read.path = read.path.replace("-14", "-15")
    story.finds(*("I6: call .* shows .*, which is not of these days of this doctor",) * 2)


def test_a_calendar_with_a_visit_twice_is_found() -> None:
    story, first, second = two_visits()
    calendar(story, of(story, first), of(story, first), of(story, second))
    story.finds("I6: call .* shows appointment .* 2 times")
