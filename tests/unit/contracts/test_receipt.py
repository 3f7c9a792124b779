"""A receipt can be read for ever, with the same meaning."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.commands import COMMAND_TYPES, Actor, ActorKind, Command, RecordedActor
from contracts.receipt import Receipt
from tests.unit.contracts.examples import (
    APPOINTMENT,
    BY_PATIENT,
    COMMAND_EXAMPLES,
    COMMAND_ID,
    DOCTOR,
    FINGERPRINT,
    NOW,
    TIME_OFF,
    block,
    book,
    register,
)

ids = some.uuids()
ids_or_none = some.none() | ids
receipts = some.builds(
    Receipt,
    command_type=some.sampled_from([model.__name__ for model in COMMAND_TYPES]),
    command_id=ids,
    fingerprint=some.binary(min_size=16, max_size=16).map(bytes.hex),
    partition=some.integers(0, 2**16 - 1),
    offset=some.integers(0, 2**63 - 1),
    submitted_at=some.integers(0, 7_000_000_000_000).map(
        lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    ),
    actor=some.builds(Actor, kind=some.sampled_from(ActorKind), id=ids),
    doctor_id=ids,
    appointment_id=ids_or_none,
    time_off_id=ids_or_none,
    earlier_fingerprint=some.none() | some.binary(min_size=16, max_size=16).map(bytes.hex),
)


@settings(deadline=None)
@given(receipt=receipts)
def test_a_receipt_is_read_as_it_was_written(receipt: Receipt) -> None:
    assert Receipt.from_bytes(receipt.to_bytes()) == receipt


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=lambda command: type(command).__name__)
def test_every_command_has_a_receipt_of_its_type(command: Command) -> None:
    receipt = Receipt.of(command, 3, 42, NOW)

    assert receipt.command_type == type(command).__name__
    assert (receipt.command_id, receipt.fingerprint) == (COMMAND_ID, FINGERPRINT)
    assert (receipt.partition, receipt.offset, receipt.submitted_at) == (3, 42, NOW)
    assert (receipt.actor, receipt.doctor_id) == (BY_PATIENT, DOCTOR)
    assert Receipt.from_bytes(receipt.to_bytes()) == receipt


def test_it_names_the_commands_subject_and_nothing_else() -> None:
    def about(command: Command) -> tuple[UUID | None, UUID | None]:
        receipt = Receipt.of(command, 0, 0, NOW)
        return receipt.appointment_id, receipt.time_off_id

    assert about(book) == (APPOINTMENT, None)
    assert about(block) == (None, TIME_OFF)
    assert about(register) == (None, None)


def test_a_receipt_from_before_versions_can_be_read() -> None:
    unversioned = bytes.fromhex(
        "0500c00000000000500080000000000000010123456789abcdef0123456789abcdef000b00000100"
        "000000000000019cbdde7a7ba0000000000040008000000000000001d00000000000500080000000"
        "00000001b000000000005000800000000000000100000000000000000000000000000000"
    )

    assert Receipt.from_bytes(unversioned) == Receipt.of(book, 11, 2**40, NOW)


VERSION_1 = bytes.fromhex(
    "81c00000000000500080000000000000010123456789abcdef0123456789abcdef000b0000010000000000"
    "0000019cbdde7a7ba0000000000040008000000000000001d0000000000050008000000000000001"
    "010f426f6f6b4170706f696e746d656e74020770617469656e740310b0000000000050008000000000000001"
)


def test_a_receipt_of_the_released_version_can_be_read() -> None:
    assert Receipt.from_bytes(VERSION_1) == Receipt.of(book, 11, 2**40, NOW)
    assert Receipt.of(book, 11, 2**40, NOW).to_bytes() == VERSION_1


def test_parts_that_a_newer_release_appends_are_skipped() -> None:
    newer = VERSION_1 + bytes((200, 16)) + COMMAND_ID.bytes + bytes((201, 0))

    assert Receipt.from_bytes(newer) == Receipt.of(book, 11, 2**40, NOW)


def test_a_type_and_an_actor_that_only_a_newer_release_knows_are_carried() -> None:
    newer = VERSION_1.replace(b"\x0fBookAppointment", b"\x0cJoinWaitlist").replace(
        b"\x07patient", b"\x08delegate"
    )

    receipt = Receipt.from_bytes(newer)

    assert receipt is not None
    assert receipt.command_type == "JoinWaitlist"
    assert receipt.actor == RecordedActor(kind="delegate", id=BY_PATIENT.id)


def test_another_version_is_not_a_valid_receipt() -> None:
    assert Receipt.from_bytes(b"\x82" + VERSION_1[1:]) is None


def test_a_decision_with_the_earlier_fingerprint_is_of_the_same_request() -> None:
    receipt = Receipt.of(book, 0, 0, NOW, earlier_fingerprint="ab" * 16)

    assert receipt.is_same_request(FINGERPRINT)
    assert receipt.is_same_request("ab" * 16)
    assert receipt.is_same_request(None), "the command could not be read"
    assert not receipt.is_same_request("cd" * 16)
    assert not Receipt.of(book, 0, 0, NOW).is_same_request("ab" * 16)
