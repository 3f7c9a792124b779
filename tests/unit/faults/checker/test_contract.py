"""The API contract: answers that do not exist, or not in that place."""

from typing import Any

import pytest

from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import ADA, PAT, SAM, Deed


def turned_away(status: int, code: str) -> tuple[Story, Deed]:
    """A booking that was rejected and never reached the log."""
    story = Story()
    deed = story.book(PAT, "09:00").unanswered(status, code)
    story.commands.remove(deed.command)
    story.events.remove(deed.events[0])
    return story, deed


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "log_unavailable"), (503, "store_unavailable"), (503, "busy"), (429, "rate_limited")],
)
def test_a_rejection_with_retry_after_is_fine(status: int, code: str) -> None:
    story, deed = turned_away(status, code)
    story.finds()
    deed.call.headers.clear()
    story.finds(f"API: call .* was answered {status} without Retry-After")


@pytest.mark.parametrize(("status", "code"), [(503, "another"), (429, "busy")])
def test_a_code_that_does_not_match_its_status_is_found(status: int, code: str) -> None:
    turned_away(status, code)[0].finds(f"API: call .* was answered {status} {code}")


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "internal_error"), (404, "not_found"), (422, "invalid_fields"), (401, "unauthenticated")],
)
def test_an_answer_that_no_client_can_have_caused_is_found(status: int, code: str) -> None:
    turned_away(status, code)[0].finds(f"API: call .* was answered {status} {code}")


def test_a_first_use_of_a_key_refused_as_another_is_found() -> None:
    story, _ = turned_away(422, "idempotency_key_reused")
    story.finds("API: call .* was answered 422 idempotency_key_reused")


def test_a_read_answered_as_accepted_is_found() -> None:
    story = Story()
    story.read("/v1/appointments", {"items": [], "next_cursor": None}, status=202)
    story.finds("API: call .* was answered 202")


def test_a_write_answered_as_not_modified_is_found() -> None:
    story, _ = turned_away(304, "")
    story.finds("API: call .* was answered 304")


def test_a_write_to_another_patients_appointment_may_be_404() -> None:
    story = Story()
    booked = story.book(PAT, "09:00")
    asked = story.cancel(booked, by=SAM, refused="not_yours").unanswered(404, "not_found")
    story.commands.remove(asked.command)
    story.events.remove(asked.events[0])
    story.finds()
    asked.call.actor = PAT
    story.finds("API: call .* was answered 404 not_found")


def test_an_accepted_write_without_a_receipt_is_found() -> None:
    story = Story()
    story.book(PAT, "09:00").pending().call.headers.clear()
    story.finds("API: call .* was answered 202 without Location of a receipt, Retry-After: 1")


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("location", "/v1/appointments", "Location of a receipt"),
        ("retry-after", "0", "Retry-After: 1"),
    ],
)
def test_an_accepted_write_with_a_wrong_header_is_found(name: str, value: str, missing: str) -> None:
    story = Story()
    deed = story.book(PAT, "09:00").pending()
    deed.call.headers[name] = value
    story.finds(f"API: call .* was answered 202 without {missing}$")


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("answer", [None, {}, {"command_id": ADA}])
def test_an_accepted_write_without_a_command_resource_is_found(answer: Any, lost: bool) -> None:
    story = Story()
    deed = story.book(PAT, "09:00").pending()
    deed.call.answer = answer
    if lost:
        story.commands.remove(deed.command)
        story.events.remove(deed.events[0])
    # Its receipt still has a status.
    else:
        story.status(deed)
    story.finds("API: call .* was answered 202 without a command resource")


def test_a_status_without_a_command_resource_is_found() -> None:
    story = Story()
    story.status(story.book(PAT, "09:00")).answer = None
    story.finds("API: call .* was answered 200 without a command resource")
