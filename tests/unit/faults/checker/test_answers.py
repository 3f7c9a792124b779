"""I1: every client is told the decision of a command that is on the log."""

from typing import Any

import pytest

from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import BEN, CAM, PAT, SAM, Deed, append


def booked() -> tuple[Story, Deed]:
    """A confirmed booking with its answer."""
    story = Story()
    return story, story.book(PAT, "09:00")


def taken() -> tuple[Story, Deed]:
    """A refused booking with its answer."""
    story = Story()
    story.book(PAT, "09:00")
    return story, story.book(SAM, "09:00", refused="slot_taken")


def conflicting() -> tuple[Story, Deed]:
    """Time off over a visit, refused with the count."""
    story, _ = booked()
    deed = story.block("09:00", "10:00", refused="conflicts_with_bookings")
    deed.events[0].data["count"] = 1
    deed.call.answer["refusal"]["detail"] = "1 appointment is in the way"
    return story, deed


@pytest.mark.parametrize("history", [booked, taken, conflicting])
def test_answers_that_equal_the_decisions_are_fine(history: Any) -> None:
    history()[0].finds()


def test_a_202_whose_command_is_not_on_the_log_is_found() -> None:
    story, deed = booked()
    deed.pending()
    story.commands.remove(deed.command)
    story.events.remove(deed.events[0])
    story.finds("I1: call .* was told of command .*, which is not on the log")


def test_a_202_whose_command_is_not_decided_is_found() -> None:
    story, deed = booked()
    deed.pending()
    story.events.remove(deed.events[0])
    never = "I1: command 0/2 .* was never decided"
    story.finds(never, "I1: call .* was told of command .*, which is not decided")


@pytest.mark.parametrize(
    ("state", "refusal", "answered"),
    [
        ("refused", {"reason": "slot_taken", "detail": "why"}, "slot_taken"),
        ("failed", None, "failed"),
    ],
)
def test_a_wrong_answer_to_a_confirmed_command_is_found(state: str, refusal: Any, answered: str) -> None:
    story, deed = booked()
    deed.call.answer |= {"state": state, "refusal": refusal}
    story.finds(f"I1: call .* was told {answered}; .* is confirmed")


@pytest.mark.parametrize(
    ("state", "refusal", "answered"),
    [("confirmed", None, "confirmed"), ("refused", {"reason": "patient_busy"}, "patient_busy")],
)
def test_a_wrong_answer_to_a_refused_command_is_found(state: str, refusal: Any, answered: str) -> None:
    story, deed = taken()
    deed.call.answer |= {"state": state, "refusal": refusal}
    story.finds(f"I1: call .* was told {answered}; .* is slot_taken")


def test_a_confirmed_command_answered_with_a_refusal_is_found() -> None:
    story, deed = booked()
    deed.call.answer["refusal"] = {"reason": "slot_taken", "detail": "why"}
    story.finds("I1: call .* was told confirmed and slot_taken; .* is confirmed")


@pytest.mark.parametrize("name", ["type", "appointment_id", "doctor_id", "time_off_id"])
def test_a_wrong_id_is_found(name: str) -> None:
    story, deed = booked()
    deed.call.answer[name] = CAM
    story.finds(f"I1: call .* was told .*'{name}': '{CAM}'.*; on the log is ")


def test_a_visit_moved_twice_may_have_changed_its_doctor_in_between() -> None:
    story, deed = booked()
    moved = story.move(deed, "10:00")
    again = append(story.commands, moved.command)
    again.position, again.key = (1, 2), BEN.encode()
    again.data["doctor_id"] = moved.call.answer["doctor_id"] = BEN
    story.finds()


@pytest.mark.parametrize("name", ["decided_at", "submitted_at"])
def test_a_wrong_time_is_found(name: str) -> None:
    story, deed = booked()
    deed.call.answer[name] = "2030-01-07T07:00:00Z"
    texts = {"decided_at": "was told that it was decided at", "submitted_at": "says it was on the log at"}
    story.finds(f"I1: call .* {texts[name]} 2030-01-07T07:00:00Z")


def test_a_decision_without_its_time_is_found() -> None:
    story, deed = booked()
    deed.call.answer["decided_at"] = None
    story.finds("I1: call .* was told that it was decided at None")


def test_a_refusal_without_its_count_is_found() -> None:
    story, deed = conflicting()
    deed.call.answer["refusal"]["detail"] = "an appointment is in the way"
    story.finds("I1: call .* was not told the count 1")


def test_a_decided_command_answered_as_accepted_is_found() -> None:
    story, deed = booked()
    deed.pending().call.answer = deed.outcome
    story.finds("I1: call .* was answered 202 with the state confirmed")


def test_a_pending_command_answered_as_done_is_found() -> None:
    story, deed = booked()
    deed.pending().call.status = 200
    story.finds("I1: call .* was answered 200 with the state pending")


def test_a_repeated_cancellation_is_answered_as_confirmed() -> None:
    story, deed = booked()
    story.cancel(deed)
    story.cancel(deed)
    story.finds()
    story.history.calls[-1].answer |= {"state": "refused", "refusal": {"reason": "not_booked"}}
    story.finds("I1: call .* was told not_booked; .* is nothing changed")


def test_findings_above_the_limit_are_counted() -> None:
    story, deed = booked()
    deed.call.answer["decided_at"] = "2030-01-07T07:00:00Z"
    for _ in range(21):
        story.status(deed, decided_at="2030-01-07T07:00:00Z")
    story.finds(*["I1: call "] * 20, "I1: and 2 more")
