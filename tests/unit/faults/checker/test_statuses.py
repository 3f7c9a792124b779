"""I7: a status is never 404 after its 202, and never goes backwards."""

import pytest

from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import PAT, Deed

PENDING = {"state": "pending", "decided_at": None}


def accepted() -> tuple[Story, Deed]:
    """An accepted booking; later reads show it pending, then confirmed."""
    story = Story()
    deed = story.book(PAT, "09:00").pending()
    story.status(deed, **PENDING)
    story.status(deed)
    return story, deed


def test_a_status_from_pending_to_confirmed_is_fine() -> None:
    accepted()[0].finds()


def test_a_status_that_goes_backwards_is_found() -> None:
    story, deed = accepted()
    story.status(deed, **PENDING)
    story.finds("I7: call .* was told pending, after another was told the decision")


def test_a_repeat_that_is_pending_again_is_found() -> None:
    story, deed = accepted()
    again = story.again(deed, **PENDING)
    again.status, again.headers = 202, deed.call.headers
    story.finds("I7: call .* was told pending, after another was told the decision")


def test_a_status_requested_before_another_was_answered_is_fine() -> None:
    story, deed = accepted()
    decided = story.history.calls[-1]
    story.status(deed, **PENDING).started = decided.started
    story.finds()


@pytest.mark.parametrize("status", [404, 500])
def test_a_missing_status_is_found(status: int) -> None:
    story, deed = accepted()
    gone = story.status(deed)
    gone.status, gone.answer = status, {"code": "not_found"}
    story.finds(f"I7: call .* was answered {status} for a genuine receipt")


@pytest.mark.parametrize("code", ["log_unavailable", "store_unavailable"])
def test_a_status_that_is_temporarily_unavailable_is_fine(code: str) -> None:
    story, deed = accepted()
    away = story.status(deed)
    away.status, away.answer, away.headers = 503, {"code": code}, {"retry-after": "1"}
    story.finds()


def test_a_pending_status_with_a_time_of_decision_is_found() -> None:
    story, deed = accepted()
    story.history.calls[-2].answer["decided_at"] = deed.outcome["decided_at"]
    story.finds("I7: call .* is pending, and yet decided at ")


def test_a_pending_status_with_a_refusal_is_found() -> None:
    story, _ = accepted()
    story.history.calls[-2].answer["refusal"] = {"reason": "slot_taken", "detail": "why"}
    story.finds("I7: call .* is pending, and yet decided at None")


def test_a_receipt_that_was_never_issued_is_found() -> None:
    story, deed = accepted()
    story.status(deed).path = "/v1/commands/another"
    story.finds("I7: call .* asks for a receipt that nobody was given")
