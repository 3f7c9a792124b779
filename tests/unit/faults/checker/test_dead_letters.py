"""I9: undecidable commands are set aside once, unchanged and with their reason, and are answered."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import Poison
from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import PAT, SAM, Deed, append

# A record that cannot be read, and a command that its handler cannot decide.
EACH = pytest.mark.parametrize(("reason", "raw"), [("invalid_data", b"{"), ("handler_error", None)])


def poisoned(reason: str = "invalid_data", raw: bytes | None = b"{") -> tuple[Story, Deed]:
    """An invalid command, set aside and failed, between valid bookings."""
    story = Story()
    story.book(PAT, "09:00")
    deed = story.spoil(story.book(SAM, "10:00"), reason, raw)
    story.book(PAT, "11:00")
    return story, deed


def change_header(story: Story, name: str, value: bytes | None) -> None:
    """Change a header of the dead letter; None removes it."""
    headers = [header for header in story.letters[0].headers if header[0] != name]
    if value is not None:
        headers.append((name, value))
    story.letters[0] = replace(story.letters[0], headers=headers)


def test_a_command_set_aside_once_and_answered_is_fine() -> None:
    poisoned()[0].finds()


def test_a_command_without_an_id_needs_no_answer() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.command.headers["ce_id"] = b"nobody"
    story.spoil(deed, "bad_header")
    story.events.remove(deed.events[0])
    story.finds()


def test_a_command_with_such_headers_of_its_own_is_judged_by_the_last_of_them() -> None:
    story = Story()
    deed = story.book(PAT, "09:00")
    deed.command.headers["dlq_reason"] = b"none at all"
    story.spoil(deed, "invalid_data")
    story.finds()


def test_a_command_whose_handler_fails_is_set_aside_and_answered_as_failed() -> None:
    story, deed = poisoned("handler_error", raw=None)
    story.history.calls.append(deed.call)
    deed.call.answer["state"] = "failed"
    story.finds()
    deed.call.answer["state"] = "confirmed"
    story.finds("I1: call .* was told confirmed; .* is failed")


def test_a_repeated_dead_letter_is_found() -> None:
    story, _ = poisoned()
    story.letters *= 2
    story.finds("I9: command 0/3 .invalid_data. is set aside 2 times")


def test_a_missing_dead_letter_is_found() -> None:
    story, _ = poisoned()
    story.letters.clear()
    story.finds("I9: command 0/3 .invalid_data. is set aside 0 times")


def test_a_wrong_reason_is_found() -> None:
    story, _ = poisoned()
    change_header(story, "dlq_reason", b"unknown_type")
    story.finds("I9: dead letter 0/0 is command 0/3, because of unknown_type, not invalid_data")


@pytest.mark.parametrize("change", [{"key": b"another"}, {"value": b"another"}], ids=["key", "value"])
def test_a_changed_dead_letter_is_found(change: dict[str, Any]) -> None:
    story, _ = poisoned()
    story.letters[0] = replace(story.letters[0], **change)
    story.finds("I9: dead letter 0/0 is command 0/3, and not as it came")


def test_a_dead_letter_that_lost_a_header_is_found() -> None:
    story, _ = poisoned()
    change_header(story, "ce_type", None)
    story.finds("I9: dead letter 0/0 is command 0/3, and not as it came")


@pytest.mark.parametrize("name", ["dlq_topic", "dlq_partition", "dlq_offset"])
def test_a_dead_letter_without_its_origin_is_found(name: str) -> None:
    story, _ = poisoned()
    change_header(story, name, None)
    missing = "I9: command 0/3 .invalid_data. is set aside 0 times"
    story.finds("I9: dead letter 0/0 does not say where it came from", missing)


def test_a_dead_letter_of_a_command_that_can_be_decided_is_found() -> None:
    story, _ = poisoned()
    story.letters.append(story.letters[0])
    change_header(story, "dlq_offset", b"2")
    story.finds("I9: dead letter 0/0 is command 0/2, which can be decided: invalid_data")


def test_an_invalid_command_that_no_fault_sent_is_found() -> None:
    story, _ = poisoned()
    append(story.commands, story.commands[-1]).raw = b"{"
    story.finds("I9: command 0/5 is no command, and nobody said so")


def test_an_unanswered_command_with_an_id_is_found() -> None:
    story, deed = poisoned()
    story.events.remove(deed.events[0])
    story.events[-1].headers["ce_sequence"] = b"4"
    story.finds("I1: command 0/3 .invalid_data. has an id, .*, and no answer")


@EACH
def test_an_invalid_command_that_was_decided_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    deed.events[0].headers["ce_type"] = b"clinic.booking.AppointmentBooked.v1"
    story.finds(f"I9: event 0/4 .AppointmentBooked. answers command 0/3, which can only fail .{reason}.")


@EACH
def test_a_command_that_failed_for_another_reason_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    deed.events[0].data["reason"] = "unknown_type"
    story.finds(f"I9: event 0/4 .CommandFailed. answers command 0/3, which can only fail .{reason}.")


@EACH
def test_a_command_that_failed_and_was_confirmed_is_found(reason: str, raw: bytes | None) -> None:
    story, deed = poisoned(reason, raw)
    # After it, so that no event of another command is in between.
    later = story.events.pop()
    event = append(story.events, deed.events[0])
    event.headers |= {"ce_type": b"clinic.booking.CommandConfirmed.v1", "ce_id": story.new_id().encode()}
    event.headers["ce_sequence"] = b"5"
    append(story.events, later).headers["ce_sequence"] = b"6"
    story.finds(f"I9: event 0/5 .CommandConfirmed. answers command 0/3, which can only fail .{reason}.")


def test_a_command_answered_under_another_id_is_found() -> None:
    story, deed = poisoned()
    deed.events[0].data["command_id"] = other = story.new_id()
    no_answer = "I1: command 0/3 .invalid_data. has an id, .*, and no answer"
    story.finds(f"I9: event 0/4 .* answers command 0/3 in the name of {other}", no_answer)


def test_an_invalid_command_that_never_reached_the_topic_is_found() -> None:
    story, _ = poisoned()
    story.poison.append(Poison(1, 9, "no_envelope"))
    story.finds("I9: command 1/9 .no_envelope. is set aside 0 times")
