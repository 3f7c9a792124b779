"""I4: nothing happens from a command that was refused, was never accepted, or that nobody asked for."""

import pytest

from tests.faults.history import STAFF
from tests.unit.faults.story import WEEK, Story, at, placed
from tests.unit.faults.topics import ADA, PAT, Ask, Data, Deed, append

SHORTER = {"hours": WEEK["hours"][:4]}


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


def test_something_done_for_a_request_answered_that_too_much_waits_is_found() -> None:
    story, deed = timed_out()
    deed.unanswered(503, "busy")
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_request_that_is_busy_when_it_is_repeated_may_have_happened_before() -> None:
    story, deed = timed_out()
    again = story.again(deed)
    again.status, again.answer, again.headers = 503, {"code": "busy"}, {"retry-after": "1"}
    story.finds()


def test_something_done_in_the_name_of_somebody_who_did_not_ask_is_found() -> None:
    story, deed = timed_out()
    story.history.calls.remove(deed.call)
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_repeat_of_a_request_without_an_answer_that_acts_twice_is_found() -> None:
    story = Story()
    first, again = story.set_hours(ADA).unanswered(), story.set_hours(ADA)
    again.call.key = first.call.key
    story.finds("I4: command 0/2 .* was accepted from nobody")


def never_answered(hours: Data = SHORTER) -> tuple[Story, Deed, Deed]:
    """Staff sets a doctor's hours, then these, and gets no answer to either."""
    story = Story()
    return story, story.set_hours(ADA).unanswered(), story.set_hours(ADA, hours).unanswered()


@pytest.mark.parametrize("hours", [WEEK, SHORTER], ids=["same body", "other body"])
def test_a_key_that_is_never_answered_and_acts_twice_is_found(hours: Data) -> None:
    story, first, again = never_answered(hours)
    again.call.key = first.call.key
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_key_that_is_never_answered_may_be_on_the_log_twice_under_one_id() -> None:
    story, first, _ = never_answered()
    append(story.commands, first.command)
    story.finds()


def test_keys_that_were_never_answered_are_given_to_the_commands_as_they_fit() -> None:
    story, first, other = never_answered()
    other.call.key = first.call.key
    # The first command could have this key or that one, the second has no choice.
    ask = Ask(STAFF, first.call.method, first.call.path, first.call.body)
    story.say(ask, None, None, "another")
    story.finds()


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
