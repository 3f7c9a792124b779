"""I4: a command that was refused, never accepted or never requested has no effect."""

import pytest

from tests.faults.workload.history import STAFF
from tests.unit.faults.checker.story import WEEK, Story, at, placed
from tests.unit.faults.checker.topics import ADA, PAT, Ask, Data, Deed, append

SHORTER = {"hours": WEEK["hours"][:4]}


def refused() -> tuple[Story, Deed]:
    """A patient may not book at six in the morning."""
    story = Story()
    return story, story.book(PAT, "06:00", refused="outside_hours")


def timed_out() -> tuple[Story, Deed]:
    """A patient books and gets no answer; the patient has another visit."""
    story = Story()
    story.book(PAT, "09:00")
    return story, story.book(PAT, "10:00").unanswered()


def never_happened(story: Story, deed: Deed) -> None:
    """As if the request had never reached the log."""
    story.commands.remove(deed.command)
    story.events.remove(deed.events[0])


def test_a_refused_command_without_effect_is_fine() -> None:
    refused()[0].finds()


def test_an_event_from_a_command_that_was_refused_is_found() -> None:
    story, deed = refused()
    booked = deed.events[0].data | placed(ADA, "checkup", at("06:00")) | {"version": 1}
    story.put(story.events, ADA, "AppointmentBooked", story.new_id(), booked)
    story.finds("I5: .* made .*CommandRefused.*, .*AppointmentBooked.*; expected .'CommandRefused'.")


def test_an_unanswered_request_may_have_had_an_effect() -> None:
    timed_out()[0].finds()


def test_an_unanswered_request_may_have_had_no_effect() -> None:
    story, deed = timed_out()
    never_happened(story, deed)
    story.finds()


@pytest.mark.parametrize("code", ["log_unavailable", "store_unavailable"])
def test_a_request_answered_log_unavailable_may_have_had_an_effect(code: str) -> None:
    story, deed = timed_out()
    deed.unanswered(503, code)
    story.finds()


def test_another_effect_of_an_unanswered_request_is_found() -> None:
    story, deed = timed_out()
    deed.call.body = (deed.call.body or {}) | {"starts_at": at("11:00")}
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_an_effect_of_a_rejected_request_is_found() -> None:
    story, deed = timed_out()
    deed.unanswered(429, "rate_limited")
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_an_effect_of_a_request_rejected_as_overload_is_found() -> None:
    story, deed = timed_out()
    deed.unanswered(503, "busy")
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_repeat_rejected_as_overload_may_have_had_an_effect_before() -> None:
    story, deed = timed_out()
    again = story.again(deed)
    again.status, again.answer, again.headers = 503, {"code": "busy"}, {"retry-after": "1"}
    story.finds()


def test_an_effect_in_the_name_of_another_client_is_found() -> None:
    story, deed = timed_out()
    story.history.calls.remove(deed.call)
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_a_repeat_of_an_unanswered_request_with_two_effects_is_found() -> None:
    story = Story()
    first, again = story.set_hours(ADA).unanswered(), story.set_hours(ADA)
    again.call.key = first.call.key
    story.finds("I4: command 0/2 .* was accepted from nobody")


def never_answered(hours: Data = SHORTER) -> tuple[Story, Deed, Deed]:
    """Staff set a doctor's hours, then these, and get no answer to either."""
    story = Story()
    return story, story.set_hours(ADA).unanswered(), story.set_hours(ADA, hours).unanswered()


@pytest.mark.parametrize("hours", [WEEK, SHORTER], ids=["same body", "other body"])
def test_an_unanswered_key_with_two_effects_is_found(hours: Data) -> None:
    story, first, again = never_answered(hours)
    again.call.key = first.call.key
    story.finds("I4: command 0/3 .* was accepted from nobody")


def test_an_unanswered_key_may_be_on_the_log_twice_under_one_id() -> None:
    story, first, _ = never_answered()
    append(story.commands, first.command)
    story.finds()


def test_unanswered_keys_are_assigned_to_commands_as_they_fit() -> None:
    story, first, other = never_answered()
    other.call.key = first.call.key
    # The first command can have either key, the second only one of them.
    ask = Ask(STAFF, first.call.method, first.call.path, first.call.body)
    story.say(ask, None, None, "another")
    story.finds()


def test_a_command_that_differs_from_its_request_is_found() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.call.body = (deed.call.body or {}) | {"visit_type": "surgery"}
    wrong_outcome = "I3: call .* was told confirmed; its key was used for another body"
    story.finds("I4: command 0/2 is not what was asked with key ", wrong_outcome)


def test_another_command_under_an_answered_id_is_found() -> None:
    story = Story()
    other = append(story.commands, story.book(PAT, "09:00").command)
    other.data["starts_at"] = at("10:00")
    story.finds("I4: command 0/3 is not what was asked with key ")
