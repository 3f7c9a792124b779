"""I5: a decision's events follow from its command, and an appointment's versions are consecutive."""

from typing import Any

import pytest

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.story import DAY, Story, at
from tests.unit.faults.checker.topics import ADA, BEN, PAT, SAM, Deed, Message


def whole_life() -> Story:
    """Every kind of command, decided correctly."""
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
    """Time off from 9 to 10, with the visits in it, and a later visit that stays."""
    story = Story()
    visits = story.book(PAT, "09:00"), story.book(SAM, "09:30")
    story.book(SAM, "10:00")
    return story, story.block("09:00", "10:00", cancels=visits)


def swap(first_deed: Deed, second_deed: Deed, events: list[Message]) -> None:
    """Make the later of two commands in a partition come first."""
    mine, others = first_deed.events[0], second_deed.events[0]
    first_deed.command.position, second_deed.command.position = (
        second_deed.command.position,
        first_deed.command.position,
    )
    numbers = mine.headers["ce_sequence"], others.headers["ce_sequence"]
    others.headers["ce_sequence"], mine.headers["ce_sequence"] = numbers
    mine.data["source"], others.data["source"] = others.data["source"], mine.data["source"]
    first, second = events.index(mine), events.index(others)
    events[first], events[second] = others, mine


def test_every_kind_of_command_decided_correctly_is_fine() -> None:
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
        ("AppointmentBooked", "promised_start", f"{DAY}T10:00:00+01:00[UTC]"),
        ("AppointmentRescheduled", "previous", {"doctor_id": ADA}),
        ("AppointmentRescheduled", "occupied_from", at("09:00")),
        ("AppointmentCancelled", "cancelled_by", "staff"),
        ("AppointmentCancelled", "cancel_reason", "another"),
        ("CommandConfirmed", "appointment_id", ADA),
        ("CommandRefused", "appointment_id", ADA),
        ("OutcomeRecorded", "outcome", "no_show"),
    ],
)
def test_an_event_with_a_wrong_value_is_found(type_: str, name: str, value: Any) -> None:
    story = whole_life()
    wanted_type = f"clinic.booking.{type_}.v1".encode()
    event = next(
        candidate for candidate in reversed(story.events) if candidate.headers["ce_type"] == wanted_type
    )
    event.data[name] = value
    story.finds(rf"I5: event ./\d+ .{type_}. of .* says {name}: ")


def test_an_additional_event_is_found() -> None:
    story = Story()
    data = story.set_hours(ADA).events[0].data
    story.put(story.events, ADA, "WeeklyHoursSet", story.new_id(), data)
    story.finds("I5: .* made .*WeeklyHoursSet.*, .*WeeklyHoursSet.*; expected .'WeeklyHoursSet'.")


def test_time_off_that_cancels_exactly_the_visits_in_it_is_fine() -> None:
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


def test_a_skipped_version_is_found() -> None:
    story = Story()
    story.move(story.book(PAT, "09:00"), "10:00").events[0].data["version"] = 3
    story.finds("I5: appointment .* has the versions .1, 3.", "I5: .* says version: 3, not 2")


def crossing() -> tuple[Story, list[Deed]]:
    """Two visits move at the same time, each to the other's doctor."""
    story = Story()
    first, second = story.book(PAT, "09:00"), story.book(SAM, "10:00", doctor=BEN)
    return story, [
        first,
        second,
        story.move(first, "09:00", doctor=BEN),
        story.move(second, "10:00", doctor=ADA),
    ]


def test_visits_that_swap_their_doctors_are_fine() -> None:
    crossing()[0].finds()


def test_partitions_whose_orders_contradict_each_other_are_found() -> None:
    story, [first, second, first_moved, second_moved] = crossing()
    swap(first, second_moved, story.events)
    swap(second, first_moved, story.events)
    story.finds("I5: no order of the partitions fits the appointments' versions")
