"""Every type of message is read from the log as it was written."""

import json

import pytest

from contracts.cloudevents import (
    Event,
    command_headers,
    command_key,
    decode_command,
    decode_event,
    event_headers,
)
from contracts.commands import COMMAND_TYPES, Command
from contracts.envelope import Headers, Message
from contracts.events import FACT_TYPES, Context, Fact, encode_data
from tests.unit.contracts.examples import (
    APPOINTMENT,
    COMMAND_EXAMPLES,
    COMMAND_ID,
    DOCTOR,
    EVENT_ID,
    FACT_EXAMPLES,
    NOW,
    book,
    booked,
    context,
)

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def name_of(message: object) -> str:
    return type(message).__name__


def fact_headers(fact: Fact, sequence: int = 7, traceparent: str | None = None) -> Headers:
    return event_headers(EVENT_ID, name_of(fact), NOW, str(APPOINTMENT), 3, sequence, traceparent)


def data_of(fact: Fact, of: Context = context) -> bytes:
    return encode_data(of.model_dump_json(), fact).encode()


def test_there_is_an_example_of_every_type() -> None:
    assert [type(command) for command in COMMAND_EXAMPLES] == list(COMMAND_TYPES)
    assert [type(fact) for fact in FACT_EXAMPLES] == list(FACT_TYPES)


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=name_of)
def test_a_command_is_read_as_it_was_sent(command: Command) -> None:
    value = command.model_dump_json().encode()

    assert decode_command(Message(command_key(command), value, command_headers(command, NOW))) == command


@pytest.mark.parametrize("fact", FACT_EXAMPLES, ids=name_of)
def test_an_event_is_read_as_it_was_published(fact: Fact) -> None:
    assert decode_event(Message(None, data_of(fact), fact_headers(fact))) == Event(EVENT_ID, 7, context, fact)


@pytest.mark.parametrize("fact", FACT_EXAMPLES, ids=name_of)
def test_an_event_is_one_flat_object_of_context_and_fact(fact: Fact) -> None:
    data = json.loads(data_of(fact))

    assert data == context.model_dump(mode="json") | fact.model_dump(mode="json")
    assert list(data)[:6] == ["command_id", "command_type", "fingerprint", "actor", "decided_at", "source"]


def test_the_event_of_an_unreadable_command_has_no_fingerprint() -> None:
    unread = context.model_copy(update={"fingerprint": None})
    failed = FACT_EXAMPLES[-1]

    event = decode_event(Message(None, data_of(failed, unread), fact_headers(failed)))

    assert event.context.fingerprint is None


def test_a_commands_headers_are_cloudevents_in_binary_mode() -> None:
    assert command_headers(book, NOW, TRACEPARENT) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(COMMAND_ID).encode()),
        ("ce_type", b"clinic.booking.BookAppointment.v1"),
        ("ce_source", b"/clinic/ingress"),
        ("ce_time", b"2026-03-05T12:00:00.123000Z"),
        ("ce_subject", str(DOCTOR).encode()),
        ("content-type", b"application/json"),
        ("traceparent", TRACEPARENT.encode()),
    ]


def test_an_events_headers_add_its_sequence() -> None:
    assert fact_headers(booked, sequence=2**40, traceparent=TRACEPARENT) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(EVENT_ID).encode()),
        ("ce_type", b"clinic.booking.AppointmentBooked.v1"),
        ("ce_source", b"/clinic/booking-worker/partitions/3"),
        ("ce_time", b"2026-03-05T12:00:00.123000Z"),
        ("ce_subject", str(APPOINTMENT).encode()),
        ("content-type", b"application/json"),
        ("traceparent", TRACEPARENT.encode()),
        ("ce_sequence", b"00000001099511627776"),
    ]


def test_without_a_trace_there_is_no_traceparent() -> None:
    assert "traceparent" not in dict(command_headers(book, NOW))


def test_the_key_is_the_doctor() -> None:
    assert command_key(book) == str(DOCTOR).encode()


def test_fields_and_headers_of_a_newer_ingress_are_ignored() -> None:
    newer = json.dumps({**book.model_dump(mode="json"), "channel": "phone"}).encode()
    headers = [*command_headers(book, NOW), ("ce_dataschema", b"urn:x"), ("unheard-of", None)]

    assert decode_command(Message(command_key(book), newer, headers)) == book


def test_fields_of_a_newer_worker_are_ignored() -> None:
    newer = json.dumps({**json.loads(data_of(booked)), "room": "12"}).encode()

    assert decode_event(Message(None, newer, fact_headers(booked))).fact == booked
