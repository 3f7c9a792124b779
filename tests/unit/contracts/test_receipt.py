"""A receipt says as much after years as on the day it was given."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.commands import COMMANDS, Actor, ActorKind, Command
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
    command_type=some.sampled_from([model.__name__ for model in COMMANDS]),
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
)


@settings(deadline=None)
@given(receipt=receipts)
def test_what_is_written_is_read(receipt: Receipt) -> None:
    assert Receipt.from_bytes(receipt.to_bytes()) == receipt


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=lambda command: type(command).__name__)
def test_every_command_has_a_receipt_of_its_type(command: Command) -> None:
    receipt = Receipt.of(command, 3, 42, NOW)

    assert receipt.command_type == type(command).__name__
    assert (receipt.command_id, receipt.fingerprint) == (COMMAND_ID, FINGERPRINT)
    assert (receipt.partition, receipt.offset, receipt.submitted_at) == (3, 42, NOW)
    assert (receipt.actor, receipt.doctor_id) == (BY_PATIENT, DOCTOR)
    assert Receipt.from_bytes(receipt.to_bytes()) == receipt


def test_it_names_what_the_command_is_about_and_nothing_else() -> None:
    def about(command: Command) -> tuple[UUID | None, UUID | None]:
        receipt = Receipt.of(command, 0, 0, NOW)
        return receipt.appointment_id, receipt.time_off_id

    assert about(book) == (APPOINTMENT, None)
    assert about(block) == (None, TIME_OFF)
    assert about(register) == (None, None)


def test_it_is_116_bytes_whatever_it_is_about() -> None:
    assert {len(Receipt.of(command, 11, 2**40, NOW).to_bytes()) for command in COMMAND_EXAMPLES} == {116}


def test_a_receipt_given_long_ago_can_still_be_read() -> None:
    given_in_version_1 = bytes.fromhex(
        "0500c00000000000500080000000000000010123456789abcdef0123456789abcdef000b00000100"
        "000000000000019cbdde7a7ba0000000000040008000000000000001d00000000000500080000000"
        "00000001b000000000005000800000000000000100000000000000000000000000000000"
    )

    assert Receipt.from_bytes(given_in_version_1) == Receipt.of(book, 11, 2**40, NOW)
