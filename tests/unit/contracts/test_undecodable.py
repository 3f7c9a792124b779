"""Undecodable messages are told apart by reason; a command id that can be read is kept."""

from uuid import UUID

import pytest

from contracts.cloudevents import command_headers, command_key, decode_command, decode_event, event_headers
from contracts.dead_letters import DeadLetterReason, Origin, UndecodableError, dead_letter_headers, origin_of
from contracts.envelope import Message
from contracts.events import encode_data
from tests.unit.contracts.examples import (
    APPOINTMENT,
    COMMAND_ID,
    EVENT_ID,
    NOW,
    OTHER_DOCTOR,
    book,
    booked,
    context,
    register,
)

Attributes = dict[str, bytes | None]

KEY = command_key(book)
VALUE = book.model_dump_json().encode()
DATA = encode_data(context.model_dump_json(), booked).encode()
SOMEONE = UUID("12345678-1234-4234-8234-123456789abc")


def why_not(
    key: bytes | None = KEY, value: bytes | None = VALUE, without: str = "", **changed: bytes | None
) -> UndecodableError:
    """The reason why a valid command's record, changed like this, is invalid."""
    headers: Attributes = {**dict(command_headers(book, NOW)), **changed}
    headers.pop(without, None)
    with pytest.raises(UndecodableError) as caught:
        decode_command(Message(key, value, list(headers.items())))
    return caught.value


def why_not_event(value: bytes | None = DATA, without: str = "", **changed: bytes | None) -> UndecodableError:
    good = event_headers(EVENT_ID, "AppointmentBooked", NOW, str(APPOINTMENT), 3, 1, None)
    headers: Attributes = {**dict(good), **changed}
    headers.pop(without, None)
    with pytest.raises(UndecodableError) as caught:
        decode_event(Message(None, value, list(headers.items())))
    return caught.value


BAD_VALUES = {
    "null (a tombstone)": None,
    "empty": b"",
    "not JSON": b"<xml/>",
    "cut off": VALUE[:-1],
    "more than one": VALUE + VALUE,
    "not UTF-8": VALUE.replace(b"checkup", b"check\xff\xfe"),
    "UTF-16": VALUE.decode().encode("utf-16"),
    "a lone surrogate": VALUE.replace(b"checkup", rb"check\ud800"),
    "another kind of JSON": b"[]",
    "no fields": b"{}",
    "nested too deeply": b"[" * 100_000,
    "a field missing": VALUE.replace(b'"patient_id"', b'"patient"'),
    "a field of a wrong type": VALUE.replace(b'"checkup"', b"7"),
    "an unknown kind of actor": VALUE.replace(b'"kind":"patient"', b'"kind":"doctor"'),
}


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_an_invalid_command_is_invalid_data(value: bytes | None) -> None:
    error = why_not(value=value)

    assert (error.reason, error.command_id) == (DeadLetterReason.INVALID_DATA, COMMAND_ID)


@pytest.mark.parametrize("zone", [b"localtime", b"posixrules", b"Factory", b"", b"right/UTC", b"Europe"])
def test_a_zone_that_depends_on_the_machine_or_does_not_exist_is_invalid_data(zone: bytes) -> None:
    value = register.model_dump_json().encode()
    headers = command_headers(register, NOW)
    assert decode_command(Message(KEY, value, headers)) == register

    with pytest.raises(UndecodableError) as caught:
        decode_command(Message(KEY, value.replace(b"Europe/Berlin", zone), headers))

    assert caught.value.reason is DeadLetterReason.INVALID_DATA


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_an_invalid_event_is_invalid_data(value: bytes | None) -> None:
    assert why_not_event(value=value).reason is DeadLetterReason.INVALID_DATA


@pytest.mark.parametrize("version", [b"0.3", b"1.1", b"", b"\xff", None])
def test_anything_but_cloudevents_1_0_has_no_envelope(version: bytes | None) -> None:
    error = why_not(ce_specversion=version)

    assert (error.reason, error.command_id) == (DeadLetterReason.NO_ENVELOPE, COMMAND_ID)


def test_a_record_without_headers_has_no_envelope_and_no_known_command() -> None:
    with pytest.raises(UndecodableError) as caught:
        decode_command(Message(KEY, VALUE, []))

    assert (caught.value.reason, caught.value.command_id) == (DeadLetterReason.NO_ENVELOPE, None)


@pytest.mark.parametrize(
    "type_",
    [
        b"clinic.booking.BookTable.v1",
        b"clinic.booking.BookAppointment.v2",
        b"clinic.booking.BookAppointment",
        b"clinic.booking.AppointmentBooked.v1",
        b"BookAppointment",
        b"",
        b"\xff\xfe",
        None,
    ],
)
def test_an_unknown_type_or_version_is_told(type_: bytes | None) -> None:
    error = why_not(ce_type=type_)

    assert (error.reason, error.command_id) == (DeadLetterReason.UNKNOWN_TYPE, COMMAND_ID)


def test_a_command_is_not_an_event() -> None:
    type_ = b"clinic.booking.BookAppointment.v1"

    assert why_not_event(ce_type=type_).reason is DeadLetterReason.UNKNOWN_TYPE


@pytest.mark.parametrize("key", [None, b"", str(OTHER_DOCTOR).encode(), KEY.upper(), KEY + b" ", b"\xff"])
def test_a_key_that_is_not_the_doctor_is_wrong(key: bytes | None) -> None:
    error = why_not(key=key)

    assert (error.reason, error.command_id) == (DeadLetterReason.WRONG_KEY, COMMAND_ID)


def test_an_id_that_is_not_the_commands_is_a_bad_header() -> None:
    error = why_not(ce_id=str(SOMEONE).encode())

    assert error.reason is DeadLetterReason.BAD_HEADER


@pytest.mark.parametrize("id_", [b"", b"17", b"\xff\xfe", None])
def test_an_id_that_cannot_be_read_is_a_bad_header(id_: bytes | None) -> None:
    assert why_not(ce_id=id_).reason is DeadLetterReason.BAD_HEADER


NEEDED = {
    "ce_specversion": DeadLetterReason.NO_ENVELOPE,
    "ce_type": DeadLetterReason.UNKNOWN_TYPE,
    "ce_id": DeadLetterReason.BAD_HEADER,
}


@pytest.mark.parametrize(("header", "reason"), NEEDED.items())
def test_a_missing_header_is_reported(header: str, reason: DeadLetterReason) -> None:
    assert why_not(without=header).reason is reason
    assert why_not_event(without=header).reason is reason


def test_an_event_without_its_sequence_is_invalid() -> None:
    assert why_not_event(without="ce_sequence").reason is DeadLetterReason.BAD_HEADER


@pytest.mark.parametrize("sequence", [b"", b"-1", b"1.0", b"+1", b" 1", b"x", "١".encode(), None])
def test_an_events_sequence_is_a_whole_number(sequence: bytes | None) -> None:
    assert why_not_event(ce_sequence=sequence).reason is DeadLetterReason.BAD_HEADER


def test_an_events_sequence_has_a_limited_length() -> None:
    assert why_not_event(ce_sequence=b"9" * 5000).reason is DeadLetterReason.BAD_HEADER


def test_the_detail_has_the_location_and_the_kind_but_never_the_value() -> None:
    error = why_not(value=VALUE.replace(b'"checkup"', b'"Jane Doe"'))

    assert "/visit_type string_pattern_mismatch" in error.detail
    assert "Jane" not in str(error)


def test_a_dead_letter_has_its_reason_and_its_origin() -> None:
    error = UndecodableError(DeadLetterReason.WRONG_KEY, "the key is not the command's doctor", COMMAND_ID)

    headers = dead_letter_headers(error, "booking.commands.v1", COMMAND_ID, 11, 42)

    assert headers == [
        ("dlq_reason", b"wrong_key"),
        ("dlq_detail", b"the key is not the command's doctor"),
        ("dlq_topic", b"booking.commands.v1"),
        ("dlq_topic_id", str(COMMAND_ID).encode()),
        ("dlq_partition", b"11"),
        ("dlq_offset", b"42"),
    ]
    origin = Origin(
        "wrong_key", "the key is not the command's doctor", "booking.commands.v1", COMMAND_ID, 11, 42
    )
    assert origin_of([("dlq_offset", b"7"), *headers]) == origin, "the record's own headers do not count"
    assert origin_of([("dlq_offset", b"\xff"), ("ce_id", None)]) is None


def test_every_reason_that_a_record_alone_can_have_is_tested() -> None:
    given = {
        why_not(ce_specversion=None).reason,
        why_not(ce_type=None).reason,
        why_not(ce_id=None).reason,
        why_not(value=None).reason,
        why_not(key=None).reason,
    }

    of_its_place = {
        DeadLetterReason.HANDLER_ERROR,
        DeadLetterReason.WRONG_PARTITION,
        DeadLetterReason.SKIPPED,
    }
    assert given == set(DeadLetterReason) - of_its_place
