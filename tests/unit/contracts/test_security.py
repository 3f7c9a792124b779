"""Security events: written and read unchanged, keyed by the principal, and told from garbage."""

import random
from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.cloudevents import decode_security_event, security_headers, security_key
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.envelope import Message
from contracts.security import (
    SECURITY_TYPES,
    AccessRefused,
    PatientChanged,
    ProfileField,
    SecurityEvent,
    UnknownSecurityEvent,
)
from ingress.patients.profile import ProfileChange
from storage.profiles import Profile
from tests.faults.faults.poison import BAD, GARBAGE, changed, good_command
from tests.unit.contracts.examples import APPOINTMENT, PATIENT
from tests.unit.contracts.security_examples import REQUEST_ID, SECURITY_EXAMPLES, STAFF, by, refused, searched

KEY = security_key(searched)
VALUE = searched.model_dump_json().encode()


def why_not(
    key: bytes | None = KEY, value: bytes | None = VALUE, without: str = "", **changed: bytes | None
) -> DeadLetterReason:
    """The reason why a valid event's record, changed like this, is invalid."""
    headers = {**dict(security_headers(searched)), **changed}
    headers.pop(without, None)
    with pytest.raises(UndecodableError) as caught:
        decode_security_event(Message(key, value, list(headers.items())))
    return caught.value.reason


def test_there_is_an_example_of_each() -> None:
    assert [type(event) for event in SECURITY_EXAMPLES] == list(SECURITY_TYPES)


@pytest.mark.parametrize("event", SECURITY_EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_written(event: SecurityEvent) -> None:
    headers = security_headers(event)

    message = Message(security_key(event), event.model_dump_json().encode(), headers)
    assert decode_security_event(message) == event
    attributes = dict(headers)
    assert attributes["ce_type"] == f"clinic.security.{type(event).__name__}.v1".encode()
    assert attributes["ce_time"] == b"2026-03-05T12:00:00.123000Z"


def test_the_key_is_the_principal_and_the_subject_is_the_events() -> None:
    assert security_key(searched) == f"staff:{STAFF}".encode()
    assert security_key(refused) == f"patient:{PATIENT}".encode()
    nobody = refused.model_copy(update={**by(None), "appointment_id": None})
    assert security_key(nobody) == b"nobody"
    subjects = [dict(security_headers(event))["ce_subject"].decode() for event in (searched, refused, nobody)]
    assert subjects == [f"staff:{STAFF}", str(APPOINTMENT), "nobody"]


def test_a_newer_event_may_have_more_fields() -> None:
    newer = VALUE[:-1] + b',"new":1}'

    assert decode_security_event(Message(KEY, newer, security_headers(searched))) == searched


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"[]", b"{}", VALUE[:-1], VALUE + VALUE,
        VALUE.replace(b'"staff"', b'"A doctor"'),
        VALUE.replace(REQUEST_ID.encode(), b"ada@example.org"),
        VALUE.replace(b'"email"', b'"Ada Keller"'),
        searched.model_copy(update={"patient_ids": (PATIENT,) * 201}).model_dump_json().encode(),
    ],
)  # fmt: skip
def test_an_invalid_value_is_invalid_data(value: bytes | None) -> None:
    assert why_not(value=value) is DeadLetterReason.INVALID_DATA


@pytest.mark.parametrize("type_", [b"PatientRead.v2", b"PatientRead", b"patient_read.v1", b"", b"\xff\xfe"])
def test_an_unknown_type_or_version_is_reported(type_: bytes) -> None:
    assert why_not(ce_type=b"clinic.security." + type_) is DeadLetterReason.UNKNOWN_TYPE


@pytest.mark.parametrize("type_", [b"clinic.booking.PatientsSearched.v1", b"", b"\xff\xfe", None])
def test_a_foreign_type_has_no_envelope(type_: bytes | None) -> None:
    assert why_not(ce_type=type_) is DeadLetterReason.NO_ENVELOPE


@pytest.mark.parametrize("change", [change for _, change in BAD])
def test_the_garbage_of_the_fault_runs_has_no_envelope(change: dict[str, Any]) -> None:
    # So it is skipped; with a valid envelope it would stop the partition.
    garbage = changed(good_command(random.Random(7)), change, GARBAGE)
    with pytest.raises(UndecodableError) as caught:
        decode_security_event(Message(garbage["key"], garbage["value"], garbage["headers"]))
    assert caught.value.reason is DeadLetterReason.NO_ENVELOPE


def test_an_event_of_a_type_that_only_a_newer_release_knows_is_kept() -> None:
    value = VALUE[:-1] + f',"patient_id":"{PATIENT}","format":"json"}}'.encode()
    headers = {**dict(security_headers(searched)), "ce_type": b"clinic.security.PatientExported.v1"}

    event = decode_security_event(Message(KEY, value, list(headers.items())))

    assert isinstance(event, UnknownSecurityEvent)
    assert (event.type_name, event.event_id) == ("PatientExported", searched.event_id)
    assert (event.actor, event.patient_id) == (searched.actor, PATIENT)


def test_unknown_values_of_a_newer_release_are_carried() -> None:
    actor = VALUE.replace(b'"kind":"staff"', b'"kind":"delegate"')
    delegate = decode_security_event(Message(f"delegate:{STAFF}".encode(), actor, security_headers(searched)))
    assert delegate.actor is not None
    assert delegate.actor.kind == "delegate"
    value = refused.model_dump_json().replace('"foreign"', '"locked_out"').encode()
    locked_out = decode_security_event(Message(security_key(refused), value, security_headers(refused)))
    assert isinstance(locked_out, AccessRefused)
    assert locked_out.reason == "locked_out"


def test_a_change_names_fields_of_a_profile_but_not_their_values() -> None:
    # Nobody changes these: that something was undone, and what a newer release knows.
    notes = ("undone_at", "others")
    assert list(ProfileField) == [field.name for field in fields(Profile) if field.name not in notes]
    assert set(ProfileField) == ProfileChange.model_fields.keys()
    with pytest.raises(ValidationError):
        PatientChanged(**by(None), patient_id=PATIENT, fields=("ada@example.org",))


def test_inconsistent_parts_are_reported() -> None:
    assert why_not(without="ce_specversion") is DeadLetterReason.NO_ENVELOPE
    assert why_not(ce_id=str(PATIENT).encode()) is DeadLetterReason.BAD_HEADER
    assert why_not(without="ce_id") is DeadLetterReason.BAD_HEADER
    for key in (None, b"nobody", KEY.upper(), f"patient:{STAFF}".encode(), b"\xff"):
        assert why_not(key=key) is DeadLetterReason.WRONG_KEY


def test_the_detail_never_contains_the_value() -> None:
    with pytest.raises(UndecodableError, match="/by string_pattern_mismatch") as caught:
        decode_security_event(Message(KEY, VALUE.replace(b'"email"', b'"Ada K"'), security_headers(searched)))
    assert "Ada" not in str(caught.value)
