"""I5: each decision is one that the rules allow."""

from collections.abc import Callable

import pytest

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.story import POLICY, VALUES, WEEK, Story
from tests.unit.faults.checker.topics import ADA, BEN, CAM, PAT, SAM, Ask, Deed

Case = Callable[[Story, str | None], Deed]
KINDS_LEFT = [kind for kind in VALUES["visit_types"] if kind["code"] == "checkup"]
TWICE = {"hours": [WEEK["hours"][0], WEEK["hours"][0] | {"starts": "11:00", "ends": "13:00"}]}


# Each requests something that the rules refuse, and is refused for that reason, or is not.
def too_many(story: Story, refused: str | None) -> Deed:
    for clock in ("09:00", "09:30", "10:00"):
        story.book(PAT, clock)
    return story.book(PAT, "10:30", refused=refused)


def late(story: Story, refused: str | None) -> Deed:
    booked = story.book(PAT, "09:00")
    story.wait(days=6, hours=23)
    return story.cancel(booked, by=PAT, refused=refused)


def over(story: Story, refused: str | None, **time: float) -> Deed:
    story.wait(**time)
    return story.book(PAT, "09:00", refused=refused)


def cancelled(story: Story, refused: str | None) -> Deed:
    booked = story.book(PAT, "09:00")
    story.cancel(booked)
    return story.move(booked, "10:00", refused=refused)


def away(story: Story, refused: str | None) -> Deed:
    story.block("09:00", "10:00")
    return story.book(PAT, "09:30", refused=refused)


def over_a_visit(story: Story, refused: str | None) -> Deed:
    story.book(PAT, "09:00")
    deed = story.block("09:00", "10:00", refused=refused)
    deed.events[0].data["count"] = 1
    deed.call.answer["refusal"] = refused and {"reason": refused, "detail": "1 appointment"}
    return deed


def came_back(story: Story, refused: str | None) -> Deed:
    blocked = story.block("09:00", "10:00")
    story.unblock(blocked)
    return story.unblock(blocked, refused=refused)


def changed(story: Story, refused: str | None, **changes: object) -> Deed:
    story.update(ADA, **changes)
    return story.book(PAT, "09:00", kind="surgery", refused=refused)


CASES: dict[str, Case] = {
    "unknown_doctor": lambda story, why: story.book(PAT, "09:00", doctor=CAM, refused=why),
    "doctor_inactive": lambda story, why: changed(story, why, active=False),
    "unknown_visit_type": lambda story, why: changed(story, why, visit_types=KINDS_LEFT),
    "too_far_ahead": lambda story, why: changed(story, why, policy=POLICY | {"horizon_days": 6}),
    "in_the_past": lambda story, why: over(story, why, days=7, hours=1),
    "too_soon": lambda story, why: over(story, why, days=7, minutes=1),
    "outside_hours": lambda story, why: story.book(PAT, "11:45", refused=why),
    "not_a_slot": lambda story, why: story.book(PAT, "09:10", refused=why),
    "in_time_off": away,
    "too_many_active": too_many,
    "too_late_to_change": late,
    "not_yours": lambda story, why: story.cancel(story.book(PAT, "09:00"), by=SAM, refused=why),
    "not_booked": cancelled,
    "not_started": lambda story, why: story.complete(story.book(PAT, "09:00"), refused=why),
    "conflicts_with_bookings": over_a_visit,
    "overlapping_hours": lambda story, why: story.set_hours(ADA, TWICE, refused=why),
    "unknown_time_off": came_back,
    "already_registered": lambda story, why: story.register(ADA, refused=why),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_refusal_by_the_rules_is_fine(reason: str) -> None:
    story = Story()
    CASES[reason](story, reason)
    story.finds()


@pytest.mark.parametrize("reason", CASES)
def test_a_confirmation_against_the_rules_is_found(reason: str) -> None:
    story = Story()
    CASES[reason](story, None)
    story.finds(f"I5: .* is decided confirmed; it can only be {reason}: ")


@pytest.mark.parametrize("reason", CASES)
def test_a_refusal_for_another_reason_is_found(reason: str) -> None:
    story = Story()
    CASES[reason](story, "another")
    story.finds(f"I5: .* is decided another; it can only be {reason}: ")


def test_a_refusal_against_the_rules_is_found() -> None:
    story = Story()
    story.book(PAT, "09:00", refused="slot_taken")
    story.finds("I5: .* is decided slot_taken; it can only be confirmed: ")


def test_a_command_that_failed_without_a_reason_is_found() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.events[0].headers["ce_type"] = b"clinic.booking.CommandFailed.v1"
    deed.call.answer["state"] = "failed"
    story.finds("I5: .* is decided failed; it can only be confirmed: ")


def test_an_appointment_that_was_never_booked_is_unknown() -> None:
    story, id_ = Story(), CAM
    ask, data = Ask(STAFF, "DELETE", f"/v1/appointments/{id_}"), {"appointment_id": id_}
    story.act("CancelAppointment", ask, data, [], refused="unknown_appointment")
    story.finds()
    story.act("CancelAppointment", ask, data, [("CommandConfirmed", data)])
    story.finds("I5: .* is decided nothing changed; it can only be unknown_appointment: ")


def test_notice_that_is_just_long_enough_is_fine() -> None:
    story = Story()
    booked = story.book(PAT, "11:00")
    # One second passes with each command; those before it are five.
    story.wait(days=7, seconds=-6)
    story.book(SAM, "09:00")
    assert story.commands[-1].at.isoformat() == "2030-01-14T08:00:00+00:00"
    story.wait(hours=1, seconds=-1)
    story.cancel(booked, by=PAT)
    story.finds()


def test_staff_are_not_bound_by_notice_and_count() -> None:
    story = Story()
    for clock in ("10:00", "10:30", "11:00"):
        story.book(PAT, clock)
    story.wait(days=7)
    booked = story.book(PAT, "09:00", by=STAFF)
    story.move(booked, "09:30", by=STAFF)
    story.cancel(booked)
    story.finds()


@pytest.mark.parametrize("refused", [None, "patient_busy"])
def test_simultaneous_decisions_of_two_partitions_may_have_either_order(refused: str | None) -> None:
    story = Story()
    booked = story.book(PAT, "09:00")
    gone, other = story.cancel(booked), story.book(PAT, "09:00", doctor=BEN, refused=refused)
    other.call.started = gone.call.started
    story.finds()


def test_a_decision_that_a_client_saw_before_came_before() -> None:
    story = Story()
    story.cancel(story.book(PAT, "09:00"))
    story.book(PAT, "09:00", doctor=BEN, refused="patient_busy")
    story.finds("I5: .* is decided patient_busy; it can only be confirmed: ")


def test_a_visits_versions_alone_show_its_order() -> None:
    story = Story()
    booked = story.book(PAT, "09:00").pending()
    story.move(booked, "10:00", doctor=BEN).pending()
    story.cancel(booked, refused="unknown_appointment").pending()
    story.finds("I5: .* is decided unknown_appointment; it can only be confirmed: ")


@pytest.mark.parametrize("refused", [None, "too_late_to_change"])
def test_a_notice_changed_meanwhile_in_another_partition_may_apply_or_not(refused: str | None) -> None:
    story = Story()
    booked = story.book(PAT, "09:00")
    changed = story.update(ADA, policy=POLICY | {"change_notice_minutes": 20_000})
    moved = story.move(booked, "10:00", doctor=BEN, refused=refused)
    moved.call.started = changed.call.started
    story.finds()


def test_a_notice_changed_before_in_another_partition_applies() -> None:
    story = Story()
    booked = story.book(PAT, "09:00")
    story.update(ADA, policy=POLICY | {"change_notice_minutes": 20_000})
    story.move(booked, "10:00", doctor=BEN)
    story.finds("I5: .* is decided confirmed; it can only be too_late_to_change: ")
