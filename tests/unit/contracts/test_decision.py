"""A wake-up names commands and nothing else; a refusal has a sentence for people."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.decision import pack_wake_up, unpack_wake_up
from contracts.refusals import DETAILS, Reason, Refusal
from tests.unit.contracts.examples import COMMAND_ID


@settings(deadline=None)
@given(some.lists(some.uuids(), max_size=5))
def test_a_wake_up_names_the_commands_that_were_decided(command_ids: list[object]) -> None:
    assert unpack_wake_up(pack_wake_up(command_ids)) == command_ids  # type: ignore[arg-type]


def test_a_wake_up_of_the_released_version_can_be_read() -> None:
    message = b'{"decisions":[{"command_id":"c0000000-0000-5000-8000-000000000001"}]}'

    assert unpack_wake_up(message) == [COMMAND_ID]
    assert pack_wake_up([COMMAND_ID]) == message


def test_unknown_parts_of_a_wake_up_are_dropped() -> None:
    message = (
        b'{"version": 2, "decisions": [{"waitlist_id": 7}, '
        b'{"command_id": "c0000000-0000-5000-8000-000000000001", "state": "waiting", "more": {"deep": []}}]}'
    )

    assert unpack_wake_up(message) == [COMMAND_ID]


GARBAGE = {
    "text": b"hello",
    "nothing": b"",
    "not UTF-8": b"\xff\xfe",
    "another kind of JSON": b"[]",
    "no decisions": b"{}",
    "decisions of another kind": b'{"decisions": 1}',
    "a decision of another kind": b'{"decisions": ["c0000000-0000-5000-8000-000000000001"]}',
    "an id of another kind": b'{"decisions": [{"command_id": 17}]}',
    "an id that is none": b'{"decisions": [{"command_id": "17"}]}',
    "nested too deeply": b"[" * 100_000,
    "of an earlier release": b'[["c0000000000050008000000000000001", null, "failed", null, 0, 0, ""]]',
}


@pytest.mark.parametrize("message", GARBAGE.values(), ids=GARBAGE)
def test_garbage_names_no_command(message: bytes) -> None:
    assert unpack_wake_up(message) == []


def test_every_reason_has_a_sentence() -> None:
    assert DETAILS.keys() == set(Reason)
    assert len(set(DETAILS.values())) == len(Reason)


def test_the_sentence_counts_the_conflicting_bookings() -> None:
    detail = Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 3).detail

    assert detail == "3 booked appointments conflict with this time off."
    assert Refusal(Reason.SLOT_TAKEN).detail == "The time is taken."


def test_a_reason_that_only_a_newer_release_knows_has_a_sentence() -> None:
    assert Refusal("waitlist_full").detail == "The request was refused (waitlist_full)."
