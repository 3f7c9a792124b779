"""I4: nothing happens from a command that was refused, was never accepted, or that nobody asked for."""

import pytest

from tests.unit.faults.story import Story, at, placed
from tests.unit.faults.topics import ADA, PAT, Deed, append


def refused() -> tuple[Story, Deed]:
    """A patient may not book at six in the morning."""
    story = Story()
    return story, story.book(PAT, "06:00", refused="outside_hours")


def timed_out() -> tuple[Story, Deed]:
    """A patient books, and gets no answer; it has another visit."""
    story = Story()
    story.book(PAT, "09:00")
    return story, story.book(PAT, "10:00").unanswered()


def never_happened(story: Story, deed: Deed) -> None:
    """As if the request had never reached the log."""
    story.commands.remove(deed.command)
    story.events.remove(deed.events[0])


def test_a_refused_command_of_which_nothing_comes_is_fine() -> None:
    refused()[0].finds()


def test_an_event_from_a_command_that_was_refused_is_found() -> None:
    story, deed = refused()
    booked = deed.events[0].data | placed(ADA, "checkup", at("06:00")) | {"version": 1}
    story.put(story.events, ADA, "AppointmentBooked", story.new_id(), booked)
    story.finds("I5: .* made .*CommandRefused.*, .*AppointmentBooked.*; expected .'CommandRefused'.")


def test_a_request_without_an_answer_may_have_happened() -> None:
    timed_out()[0].finds()


def test_a_request_without_an_answer_may_not_have_happened() -> None:
    story, deed = timed_out()
    never_happened(story, deed)
    story.finds()


@pytest.mark.parametrize("code", ["log_unavailable", "store_unavailable"])
def test_a_request_answered_that_the_log_is_away_may_have_happened(code: str) -> None:
    story, deed = timed_out()
    deed.unanswered(503, code)
    story.finds()


def test_a_request_without_an_answer_that_did_something_else_is_found() -> None:
    story, deed = timed_out()
    deed.call.body = (deed.call.body or {}) | {"starts_at": at("11:00")}
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_something_done_for_a_request_that_was_turned_away_is_found() -> None:
    story, deed = timed_out()
    deed.unanswered(429, "rate_limited")
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_something_done_in_the_name_of_somebody_who_did_not_ask_is_found() -> None:
    story, deed = timed_out()
    story.history.calls.remove(deed.call)
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_repeat_of_a_request_without_an_answer_that_acts_twice_is_found() -> None:
    story = Story()
    first, again = story.set_hours(ADA).unanswered(), story.set_hours(ADA)
    again.call.key = first.call.key
    story.finds("I4: command 0/2 .* was accepted from nobody")


def test_a_command_that_is_not_what_was_asked_is_found() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.call.body = (deed.call.body or {}) | {"visit_type": "surgery"}
    told = "I3: call .* was told confirmed; its key was used for another body"
    story.finds("I4: command 0/2 is not what was asked with key ", told)


def test_something_else_on_the_log_under_an_id_that_was_told_is_found() -> None:
    story = Story()
    other = append(story.commands, story.book(PAT, "09:00").command)
    other.data["starts_at"] = at("10:00")
    story.finds("I4: command 0/3 is not what was asked with key ")
