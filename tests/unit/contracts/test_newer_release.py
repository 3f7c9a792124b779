"""Messages of a newer release are read by this one: fields at every depth, codes, types of events."""

import json
from typing import Any

import pytest

from auditor.entries.booking import booking_entry
from booking_worker.recovery.event_log import EventsInOrder
from contracts.challenges import LoginChallenge, Secret
from contracts.cloudevents import (
    UnknownEvent,
    command_headers,
    command_key,
    decode_command,
    decode_event,
    decode_known_event,
    decode_security_event,
    event_headers,
    security_headers,
    security_key,
)
from contracts.commands import Command
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.decision import Decision
from contracts.envelope import Message, sequence_of
from contracts.events import Fact, encode_data
from contracts.receipt import Receipt
from contracts.refusals import Refusal
from contracts.security import SecurityEvent
from infra.errors import MisconfiguredError
from ingress.commands.state import command_resource
from tests.unit.contracts.examples import (
    APPOINTMENT,
    COMMAND_EXAMPLES,
    COMMAND_ID,
    DOCTOR,
    EVENT_ID,
    FACT_EXAMPLES,
    FINGERPRINT,
    NOW,
    PATIENT,
    book,
    context,
)
from tests.unit.contracts.security_examples import SECURITY_EXAMPLES

PARTITION = 11


class Record(Message):
    """A message with its position on the topic."""

    topic, partition, offset = "booking.events.v1", PARTITION, 42


def extended(value: Any) -> Any:
    """The JSON with an unknown field in every object."""
    match value:
        case dict():
            return {**{name: extended(item) for name, item in value.items()}, "newer": {"deep": [1]}}
        case list():
            return [extended(item) for item in value]
        case _:
            return value


def event_data(fact: Fact) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(encode_data(context.model_dump_json(), fact))
    return data


def event_record(type_name: str, data: dict[str, Any], sequence: int = 1) -> Record:
    headers = event_headers(EVENT_ID, type_name, NOW, str(APPOINTMENT), PARTITION, sequence, None)
    return Record(str(DOCTOR).encode(), json.dumps(data).encode(), headers)


@pytest.mark.parametrize("command", COMMAND_EXAMPLES, ids=lambda command: type(command).__name__)
def test_unknown_fields_of_a_command_are_ignored_at_every_depth(command: Command) -> None:
    value = json.dumps(extended(command.model_dump(mode="json"))).encode()

    assert decode_command(Message(command_key(command), value, command_headers(command, NOW))) == command


@pytest.mark.parametrize("fact", FACT_EXAMPLES, ids=lambda fact: type(fact).__name__)
def test_unknown_fields_of_an_event_are_ignored_at_every_depth(fact: Fact) -> None:
    event = decode_event(event_record(type(fact).__name__, extended(event_data(fact))))

    assert (event.context, event.fact) == (context, fact)


@pytest.mark.parametrize("event", SECURITY_EXAMPLES, ids=lambda event: type(event).__name__)
def test_unknown_fields_of_a_security_event_are_ignored_at_every_depth(event: SecurityEvent) -> None:
    value = json.dumps(extended(event.model_dump(mode="json"))).encode()

    assert decode_security_event(Message(security_key(event), value, security_headers(event))) == event


def test_unknown_fields_of_a_login_challenge_are_ignored() -> None:
    challenge = {"challenge_id": str(EVENT_ID), "patient_id": None, "expires_at": "2026-03-05T12:00:00Z"}

    assert LoginChallenge.model_validate(extended(challenge)) == LoginChallenge.model_validate(challenge)
    assert Secret.model_validate(extended({"code": "12345678", "language": "fr"})).language == "en"


CODES = {
    "AppointmentCancelled": "cancelled_by",
    "OutcomeRecorded": "outcome",
    "CommandRefused": "reason",
    "CommandFailed": "reason",
}


@pytest.mark.parametrize(("type_name", "field"), CODES.items())
def test_an_unknown_code_is_carried_into_the_trail(type_name: str, field: str) -> None:
    (fact,) = [fact for fact in FACT_EXAMPLES if type(fact).__name__ == type_name]
    data = event_data(fact) | {field: "waitlisted"}
    data["actor"]["kind"] = "delegate"
    record = event_record(type_name, data)

    event = decode_event(record)
    entry = booking_entry(event, record, "booking.commands.v1")

    assert event.fact.model_dump(mode="json")[field] == "waitlisted"
    assert entry.actor_kind == "delegate"
    assert b"waitlisted" in entry.content


def test_an_event_of_an_unknown_type_has_its_entry_in_the_trail() -> None:
    ids = {"doctor_id": str(DOCTOR), "patient_id": str(PATIENT), "appointment_id": None, "position": 3}
    data = {**context.model_dump(mode="json"), **ids}
    record = event_record("WaitlistJoined", data)

    event = decode_event(record)
    assert isinstance(event, UnknownEvent)
    entry = booking_entry(event, record, "booking.commands.v1")

    assert (entry.action, entry.occurred_at) == ("WaitlistJoined", NOW)
    assert (entry.doctor_id, entry.patient_id, entry.appointment_id) == (DOCTOR, PATIENT, None)
    assert json.loads(entry.content)["effect"] is None


def test_folding_stops_at_an_event_of_an_unknown_type_and_says_why() -> None:
    record = event_record("WaitlistJoined", context.model_dump(mode="json"))

    with pytest.raises(UndecodableError, match="only a newer release knows WaitlistJoined"):
        decode_known_event(record)
    with pytest.raises(MisconfiguredError, match="only a newer release knows WaitlistJoined"):
        EventsInOrder("partition 11", 0).take(record)


@pytest.mark.parametrize("type_name", ["AppointmentBooked.v2", "BookAppointment", "appointment_booked", ""])
def test_another_version_of_an_event_is_not_guessed(type_name: str) -> None:
    headers = dict(event_record("AppointmentBooked", {}).headers)
    headers["ce_type"] = f"clinic.booking.{type_name}".removesuffix(".v1").encode() + (
        b"" if type_name.endswith(".v2") else b".v1"
    )

    with pytest.raises(UndecodableError) as caught:
        decode_event(Message(None, b"{}", list(headers.items())))

    assert caught.value.reason is DeadLetterReason.UNKNOWN_TYPE


@pytest.mark.parametrize("type_name", ["BookAppointment.v2", "JoinWaitlist.v1"])
def test_a_command_of_an_unknown_type_or_version_is_a_dead_letter(type_name: str) -> None:
    headers = {**dict(command_headers(book, NOW)), "ce_type": f"clinic.booking.{type_name}".encode()}

    with pytest.raises(UndecodableError) as caught:
        decode_command(Message(command_key(book), book.model_dump_json().encode(), list(headers.items())))

    assert (caught.value.reason, caught.value.command_id) == (DeadLetterReason.UNKNOWN_TYPE, COMMAND_ID)


def test_a_command_of_an_unknown_kind_of_actor_is_a_dead_letter() -> None:
    # Its permissions are unknown.
    value = book.model_dump_json().replace('"kind":"patient"', '"kind":"delegate"').encode()

    with pytest.raises(UndecodableError, match="/actor/kind enum"):
        decode_command(Message(command_key(book), value, command_headers(book, NOW)))


@pytest.mark.parametrize("digits", [b"7", b"07", b"00000000000000000007"])
def test_a_sequence_is_read_with_and_without_leading_zeros(digits: bytes) -> None:
    assert sequence_of(Message(None, None, [("ce_sequence", digits)])) == 7


@pytest.mark.parametrize("digits", [b"", b"0", b"-1", b"7a", b" 7", b"9" * 20, b"0" * 21 + b"7", None])
def test_anything_else_is_not_a_sequence(digits: bytes | None) -> None:
    assert sequence_of(Message(None, None, [("ce_sequence", digits)])) is None


def test_sequences_sort_as_text() -> None:
    texts = [dict(event_record("AppointmentBooked", {}, number).headers)["ce_sequence"] for number in (9, 10)]

    assert texts == sorted(text or b"" for text in texts)


def test_a_status_carries_an_unknown_state_and_reason() -> None:
    receipt = Receipt.of(book, PARTITION, 42, NOW)
    decision = Decision(COMMAND_ID, FINGERPRINT, "waitlisted", Refusal("full_today"), PARTITION, 42, NOW)

    resource = json.loads(command_resource("token", receipt, decision, None).model_dump_json())

    assert (resource["state"], resource["receipt"]) == ("waitlisted", "token")
    assert resource["refusal"] == {"reason": "full_today", "detail": "The request was refused (full_today)."}
