"""A receipt is trusted by its signature alone: it cannot be forged, changed or spelled differently."""

import string
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.commands import Actor, ActorKind
from contracts.receipt import Receipt
from infra.keys import Keys

KEYS = Keys(bytes(32))
RECEIPT = Receipt(
    command_type="BookAppointment",
    command_id=UUID("c0000000-0000-5000-8000-000000000001"),
    fingerprint="0123456789abcdef" * 2,
    partition=11,
    offset=2**40,
    submitted_at=datetime(2026, 3, 5, 12, 0, 0, 123_000, tzinfo=UTC),
    actor=Actor(kind=ActorKind.PATIENT, id=UUID("a0000000-0000-4000-8000-000000000001")),
    doctor_id=UUID("d0000000-0000-5000-8000-000000000001"),
    appointment_id=UUID("b0000000-0000-5000-8000-000000000001"),
    time_off_id=None,
)
SIGNED = KEYS.sign_receipt(RECEIPT)
BASE64URL = string.ascii_letters + string.digits + "-_"


def test_the_clinic_reads_its_own() -> None:
    assert KEYS.open_receipt(SIGNED) == RECEIPT


def test_it_can_be_part_of_a_path() -> None:
    assert set(SIGNED) <= set(BASE64URL)
    assert len(SIGNED) == 191


def test_signing_twice_gives_the_same_receipt() -> None:
    assert KEYS.sign_receipt(RECEIPT) == SIGNED
    assert Keys(bytes(32)).open_receipt(SIGNED) == RECEIPT


def test_no_bit_can_be_changed() -> None:
    # Each character stands for six bits: its 63 alternatives cover flips of one bit and of several.
    forged = [
        SIGNED[:index] + letter + SIGNED[index + 1 :]
        for index in range(len(SIGNED))
        for letter in BASE64URL
        if letter != SIGNED[index]
    ]

    assert len(forged) == 63 * len(SIGNED)
    assert [text for text in forged if KEYS.open_receipt(text) is not None] == []


OTHER_SPELLINGS = {
    "padded": SIGNED + "=",
    "padded twice": SIGNED + "==",
    "a blank before": " " + SIGNED,
    "a line feed after": SIGNED + "\n",
    "a blank within": f"{SIGNED[:88]} {SIGNED[88:]}",
    "a stray character": f"{SIGNED[:88]}!{SIGNED[88:]}",
    "the other alphabet": SIGNED.replace("-", "+").replace("_", "/"),
    "cut short": SIGNED[:-1],
    "longer": SIGNED + "A",
    "longer by three bytes": SIGNED + "AAAA",
    "lower case": SIGNED.lower(),
    "twice": SIGNED * 2,
    "the content alone": SIGNED[:-22],
    "percent-encoded": SIGNED.replace("A", "%41"),
    "full-width": SIGNED.replace("A", "Ａ"),
    "nothing": "",
    "a lone surrogate": "\ud800" + SIGNED[1:],
}


@pytest.mark.parametrize("text", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_no_other_spelling_is_accepted(text: str) -> None:
    assert text != SIGNED
    assert KEYS.open_receipt(text) is None


def test_another_clinics_receipt_is_rejected() -> None:
    assert Keys(b"\x01" * 32).open_receipt(SIGNED) is None


@settings(deadline=None)
@given(some.text() | some.text(BASE64URL) | some.text(BASE64URL, min_size=176, max_size=176))
def test_anything_else_is_rejected(text: str) -> None:
    assert KEYS.open_receipt(text) is None
