"""I5: a decision's events say what follows from its command, and appointments go from version to version."""

from typing import Any

import pytest

from tests.faults.history import STAFF
from tests.unit.faults.story import Story, at
from tests.unit.faults.topics import ADA, BEN, PAT, SAM, Deed, Message


def whole_life() -> Story:
    """Every kind of command is decided, each rightly."""
    story = Story()
    booked = story.book(PAT, "09:00")
    story.book(SAM, "09:00", refused="slot_taken")
    story.move(booked, "10:00")
    story.move(booked, "11:00", doctor=BEN)
    story.cancel(booked, by=PAT)
    story.cancel(booked)
    visited = story.book(SAM, "09:30", by=STAFF)
    story.unblock(story.block("11:00", "12:00"))
    story.block("11:00", "12:00")
    story.update(ADA, active=False)
    story.wait(days=8)
    story.complete(visited)
    return story


def two_visits_cancelled() -> tuple[Story, Deed]:
    """Time off from 9 to 10, with the visits in it, and one after it that stays."""
    story = Story()
    visits = story.book(PAT, "09:00"), story.book(SAM, "09:30")
    story.book(SAM, "10:00")
    return story, story.block("09:00", "10:00", cancels=visits)


def swap(one: Deed, other: Deed, events: list[Message]) -> None:
    """As if the later of two commands in a partition had come first."""
    mine, others = one.events[0], other.events[0]
    one.command.place, other.command.place = other.command.place, one.command.place
    numbers = mine.headers["ce_sequence"], others.headers["ce_sequence"]
    others.headers["ce_sequence"], mine.headers["ce_sequence"] = numbers
    mine.data["source"], others.data["source"] = others.data["source"], mine.data["source"]
    first, second = events.index(mine), events.index(others)
    events[first], events[second] = others, mine


def test_a_whole_life_is_fine() -> None:
    whole_life().finds()


@pytest.mark.parametrize(
    ("type_", "name", "value"),
    [
        ("DoctorRegistered", "specialty", "another"),
        ("DoctorUpdated", "name", "another"),
        ("WeeklyHoursSet", "hours", [{"weekday": 1, "starts": "09:00", "ends": "11:30"}]),
        ("TimeBlocked", "starts_at", at("11:30")),
        ("TimeUnblocked", "ends_at", at("11:30")),
        ("TimeBlocked", "time_off_id", ADA),
        ("AppointmentBooked", "ends_at", at("09:45")),
        ("AppointmentBooked", "occupied_until", at("11:00")),
        ("AppointmentBooked", "reason", "another"),
        ("AppointmentRescheduled", "previous", {"doctor_id": ADA}),
        ("AppointmentRescheduled", "occupied_from", at("09:00")),
        ("AppointmentCancelled", "cancelled_by", "staff"),
        ("AppointmentCancelled", "cancel_reason", "another"),
        ("CommandConfirmed", "appointment_id", ADA),
        ("CommandRefused", "appointment_id", ADA),
        ("OutcomeRecorded", "outcome", "no_show"),
    ],
)
def test_an_event_that_says_something_else_is_found(type_: str, name: str, value: Any) -> None:
    story = whole_life()
    told = f"clinic.booking.{type_}.v1".encode()
    event = next(one for one in reversed(story.events) if one.headers["ce_type"] == told)
    event.data[name] = value
    story.finds(rf"I5: event ./\d+ .{type_}. of .* says {name}: ")


def test_an_event_too_many_is_found() -> None:
    story = Story()
    data = story.set_hours(ADA).events[0].data
    story.put(story.events, ADA, "WeeklyHoursSet", story.new_id(), data)
    story.finds("I5: .* made .*WeeklyHoursSet.*, .*WeeklyHoursSet.*; expected .'WeeklyHoursSet'.")


def test_time_off_that_cancels_just_the_visits_in_it_is_fine() -> None:
    two_visits_cancelled()[0].finds()


def test_a_visit_left_in_the_time_off_is_found() -> None:
    story, blocked = two_visits_cancelled()
    story.events.remove(blocked.events[-1])
    story.finds("I5: .* leaves appointments in the time off: ")


def test_a_visit_cancelled_outside_the_time_off_is_found() -> None:
    story, blocked = two_visits_cancelled()
    blocked.command.data["ends_at"] = blocked.events[0].data["ends_at"] = at("09:30")
    blocked.call.body = (blocked.call.body or {}) | {"ends_at": at("09:30")}
    story.finds("I5: .* cancels appointments that are not in the time off: ")


@pytest.mark.parametrize(("count", "found"), [(1, ()), (2, ("I5: .* counts 2 conflicts, not 1 to 1",))])
def test_a_wrong_count_of_conflicts_is_found(count: int, found: tuple[str, ...]) -> None:
    story = Story()
    story.book(PAT, "09:00")
    deed = story.block("09:00", "10:00", refused="conflicts_with_bookings")
    deed.events[0].data["count"] = count
    deed.call.answer["refusal"]["detail"] = f"{count} in the way"
    story.finds(*found)


def test_a_version_that_is_left_out_is_found() -> None:
    story = Story()
    story.move(story.book(PAT, "09:00"), "10:00").events[0].data["version"] = 3
    story.finds("I5: appointment .* has the versions .1, 3.", "I5: .* says version: 3, not 2")


def crossing() -> tuple[Story, list[Deed]]:
    """Two visits move at the same time, each to the doctor that the other comes from."""
    story = Story()
    one, other = story.book(PAT, "09:00"), story.book(SAM, "10:00", doctor=BEN)
    return story, [one, other, story.move(one, "09:00", doctor=BEN), story.move(other, "10:00", doctor=ADA)]


def test_visits_that_change_places_are_fine() -> None:
    crossing()[0].finds()


def test_partitions_whose_orders_contradict_each_other_are_found() -> None:
    story, [one, other, one_moved, other_moved] = crossing()
    swap(one, other_moved, story.events)
    swap(other, one_moved, story.events)
    story.finds("I5: no order of the partitions fits the appointments' versions")
