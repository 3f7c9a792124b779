"""I1 and I5 on the topics alone: every command is decided once, and events are complete and in order."""

from typing import Any

import pytest

from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import BEN, PAT, SAM, Deed, Message, append


def two_visits() -> tuple[Story, Deed, Deed]:
    """Two confirmed bookings in one partition."""
    story = Story()
    return story, story.book(PAT, "09:00"), story.book(SAM, "10:00")


def number_again(events: list[Message], partition: int = 0) -> None:
    """Renumber the sequences in the order of the topic."""
    for number, event in enumerate(message for message in events if message.position[0] == partition):
        event.headers["ce_sequence"] = str(number + 1).encode()


def test_commands_decided_once_and_in_order_are_fine() -> None:
    story, _, _ = two_visits()
    story.finds()


def test_a_command_that_was_never_decided_is_found() -> None:
    story, _, last = two_visits()
    story.events.remove(last.events[0])
    story.history.calls.remove(last.call)
    story.finds("I1: command 0/3 .* was never decided")


def test_a_command_decided_twice_is_found() -> None:
    story, booked, _ = two_visits()
    cancelled = story.cancel(booked)
    again = append(story.commands, cancelled.command)
    event = append(story.events, cancelled.events[0])
    event.data["source"] = {"partition": 0, "offset": again.position[1]}
    event.headers |= {"ce_id": story.new_id().encode(), "ce_type": b"clinic.booking.CommandConfirmed.v1"}
    event.headers["ce_sequence"] = b"6"
    story.finds("I1: command 0/5 .* is decided twice: by event 0/5 .* and event 0/6")


def test_an_event_without_a_command_is_found() -> None:
    story, _, last = two_visits()
    story.commands.remove(last.command)
    story.history.calls.remove(last.call)
    story.finds("I1: event 0/4 .* comes from command 0/3, where nobody sent anything")


def test_the_same_command_on_the_log_twice_is_decided_once() -> None:
    story, booked, _ = two_visits()
    append(story.commands, booked.command)
    story.finds()


def test_a_command_decided_at_its_second_position_is_found() -> None:
    story, _, last = two_visits()
    again = append(story.commands, last.command)
    last.events[0].data["source"] = {"partition": 0, "offset": again.position[1]}
    story.finds("I1: command 0/4 .* is decided, and not what came first, command 0/3")


def test_a_gap_in_the_events_of_a_partition_is_found_once() -> None:
    story, booked, last = two_visits()
    booked.events[0].headers["ce_sequence"], last.events[0].headers["ce_sequence"] = b"4", b"5"
    story.finds("I5: event 0/4 .* comes after 2 events: a gap")


def test_an_event_published_again_unchanged_is_fine() -> None:
    story, booked, _ = two_visits()
    append(story.events, booked.events[0])
    story.finds()


@pytest.mark.parametrize(
    "change",
    [{"key": BEN.encode()}, {"headers": {"traceparent": b"another"}}, {"data": {"reason": "another"}}],
    ids=["key", "header", "value"],
)
def test_an_event_published_again_with_changes_is_found(change: dict[str, Any]) -> None:
    story, booked, _ = two_visits()
    again = append(story.events, booked.events[0])
    again.key = change.get("key", again.key)
    again.headers |= change.get("headers", {})
    again.data |= change.get("data", {})
    story.finds("I5: event 0/3 .* is on the topic twice, at 2 and 4, and not the same")


def test_an_event_of_another_partitions_command_is_found() -> None:
    story, booked, _ = two_visits()
    booked.command.position = (1, 2)
    booked.events[0].data["source"] = {"partition": 1, "offset": 2}
    story.finds("I5: event 0/3 .* comes from command 1/2, another partition")


def test_events_out_of_the_order_of_their_commands_are_found() -> None:
    story, booked, _ = two_visits()
    index = story.events.index(booked.events[0])
    story.events[index : index + 2] = reversed(story.events[index : index + 2])
    number_again(story.events)
    story.finds("I5: event 0/4 .* comes from command 0/2, after an event from offset 3")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("command_type", "CancelAppointment"),
        ("fingerprint", "another"),
        ("actor", {"kind": "patient", "id": SAM}),
    ],
)
def test_an_event_with_wrong_values_of_its_command_is_found(name: str, value: Any) -> None:
    story, booked, _ = two_visits()
    booked.events[0].data[name] = value
    story.finds(f"I5: event 0/3 .* has {name} .*, the command ")


def test_an_event_with_another_time_than_the_brokers_is_found() -> None:
    story, booked, _ = two_visits()
    booked.events[0].data["decided_at"] = "2030-01-07T07:00:00Z"
    booked.events[0].headers["ce_time"] = b"2030-01-07T07:00:00Z"
    story.history.calls.remove(booked.call)
    story.finds("I5: event 0/3 .* has decided_at .*, the command ")


def test_an_event_under_the_id_of_another_command_is_found() -> None:
    story, booked, _ = two_visits()
    booked.events[0].data["command_id"] = story.new_id()
    story.history.calls.remove(booked.call)
    story.finds("I5: event 0/3 .* has command_id .*", "I1: command 0/2 .* was never decided")


def test_an_event_with_the_id_of_another_is_found() -> None:
    story, booked, last = two_visits()
    last.events[0].headers["ce_id"] = booked.events[0].headers["ce_id"]
    story.finds("I5: event 0/4 .* has the id of event 0/3")


def test_an_event_with_another_key_than_its_command_is_found() -> None:
    story, booked, _ = two_visits()
    booked.events[0].key = BEN.encode()
    story.finds("I5: event 0/3 .* has key .*, the command ")


def test_an_unreadable_event_is_found() -> None:
    story, _, last = two_visits()
    append(story.events, last.events[0]).raw = b"{"
    story.finds("I5: events 0/4 carries no event")
