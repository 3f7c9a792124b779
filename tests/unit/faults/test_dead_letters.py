"""I9: what cannot be decided is set aside once, as it came and with its reason, and is answered."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import Poison
from tests.unit.faults.story import Story
from tests.unit.faults.topics import PAT, SAM, Deed, append

# A record that cannot be read, and a command that its handler cannot decide.
EACH = pytest.mark.parametrize(("reason", "raw"), [("invalid_data", b"{"), ("handler_error", None)])


def poisoned(reason: str = "invalid_data", raw: bytes | None = b"{") -> tuple[Story, Deed]:
    """A record that is no command, set aside and failed, between bookings that are."""
    story = Story()
    story.book(PAT, "09:00")
    deed = story.spoil(story.book(SAM, "10:00"), reason, raw)
    story.book(PAT, "11:00")
    return story, deed


def change_header(story: Story, name: str, value: bytes | None) -> None:
    """Of the dead letter; None takes it away."""
    headers = [header for header in story.letters[0].headers if header[0] != name]
    if value is not None:
        headers.append((name, value))
    story.letters[0] = replace(story.letters[0], headers=headers)


def test_one_that_is_set_aside_once_and_answered_is_fine() -> None:
    poisoned()[0].finds()


def test_one_without_a_command_id_needs_no_answer() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.command.headers["ce_id"] = b"nobody"
    story.spoil(deed, "bad_header")
    story.events.remove(deed.events[0])
    story.finds()


def test_one_that_carries_such_headers_itself_is_told_by_the_last_of_them() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.command.headers["dlq_reason"] = b"none at all"
    story.spoil(deed, "invalid_data")
    story.finds()


def test_a_command_that_makes_its_handler_fail_is_set_aside_and_told_as_failed() -> None:
    story, deed = poisoned("handler_error", raw=None)
    story.history.calls.append(deed.call)
    deed.call.answer["state"] = "failed"
    story.finds()
    deed.call.answer["state"] = "confirmed"
    story.finds("I1: call .* was told confirmed; .* is failed")


def test_a_dead_letter_that_is_there_twice_is_found() -> None:
    story, _ = poisoned()
    story.letters *= 2
    story.finds("I9: command 0/3 .invalid_data. is set aside 2 times")


def test_a_dead_letter_that_is_missing_is_found() -> None:
    story, _ = poisoned()
    story.letters.clear()
    story.finds("I9: command 0/3 .invalid_data. is set aside 0 times")


def test_another_reason_is_found() -> None:
    story, _ = poisoned()
    change_header(story, "dlq_reason", b"unknown_type")
    story.finds("I9: dead letter 0/0 is command 0/3, because of unknown_type, not invalid_data")


@pytest.mark.parametrize("change", [{"key": b"another"}, {"value": b"another"}], ids=["key", "value"])
def test_a_dead_letter_that_is_not_as_it_came_is_found(change: dict[str, Any]) -> None:
    story, _ = poisoned()
    story.letters[0] = replace(story.letters[0], **change)
    story.finds("I9: dead letter 0/0 is command 0/3, and not as it came")


def test_a_dead_letter_that_lost_a_header_is_found() -> None:
    story, _ = poisoned()
    change_header(story, "ce_type", None)
    story.finds("I9: dead letter 0/0 is command 0/3, and not as it came")


@pytest.mark.parametrize("name", ["dlq_topic", "dlq_partition", "dlq_offset"])
def test_a_dead_letter_that_does_not_say_where_it_came_from_is_found(name: str) -> None:
    story, _ = poisoned()
    change_header(story, name, None)
    missing = "I9: command 0/3 .invalid_data. is set aside 0 times"
    story.finds("I9: dead letter 0/0 does not say where it came from", missing)


def test_a_dead_letter_of_a_command_that_can_be_decided_is_found() -> None:
    story, _ = poisoned()
    story.letters.append(story.letters[0])
    change_header(story, "dlq_offset", b"2")
    story.finds("I9: dead letter 0/0 is command 0/2, which can be decided: invalid_data")


def test_one_that_nobody_sent_on_purpose_is_found() -> None:
    story, _ = poisoned()
    append(story.commands, story.commands[-1]).raw = b"{"
    story.finds("I9: command 0/5 is no command, and nobody said so")


def test_one_with_an_id_and_without_an_answer_is_found() -> None:
    story, deed = poisoned()
    story.events.remove(deed.events[0])
    story.events[-1].headers["ce_sequence"] = b"4"
    story.finds("I1: command 0/3 .invalid_data. has an id, .*, and no answer")


@EACH
def test_one_that_was_decided_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    deed.events[0].headers["ce_type"] = b"clinic.booking.AppointmentBooked.v1"
    story.finds(f"I9: event 0/4 .AppointmentBooked. answers command 0/3, which can only fail .{reason}.")


@EACH
def test_one_that_failed_for_another_reason_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    deed.events[0].data["reason"] = "unknown_type"
    story.finds(f"I9: event 0/4 .CommandFailed. answers command 0/3, which can only fail .{reason}.")


@EACH
def test_one_that_failed_and_was_confirmed_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    # Behind it, so that no event of another command stands between.
    later = story.events.pop()
    event = append(story.events, deed.events[0])
    event.headers |= {"ce_type": b"clinic.booking.CommandConfirmed.v1", "ce_id": story.new_id().encode()}
    event.headers["ce_sequence"] = b"5"
    append(story.events, later).headers["ce_sequence"] = b"6"
    story.finds(f"I9: event 0/5 .CommandConfirmed. answers command 0/3, which can only fail .{reason}.")


def test_one_that_is_answered_in_another_name_is_found() -> None:
    story, deed = poisoned()
    deed.events[0].data["command_id"] = other = story.new_id()
    no_answer = "I1: command 0/3 .invalid_data. has an id, .*, and no answer"
    story.finds(f"I9: event 0/4 .* answers command 0/3 in the name of {other}", no_answer)


def test_poison_that_never_came_to_the_topic_is_found() -> None:
    story, _ = poisoned()
    story.poison.append(Poison(1, 9, "no_envelope"))
    story.finds("I9: command 1/9 .no_envelope. is set aside 0 times")
