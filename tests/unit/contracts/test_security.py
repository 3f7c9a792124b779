"""Security events: whole on the way there and back, keyed by the principal, and garbage told from them."""

import random
from dataclasses import fields
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.security import (
    SECURITY_MODELS,
    PatientChanged,
    ProfileField,
    SecurityEvent,
    decode_security_event,
    security_headers,
    security_key,
)
from infra.profiles import Profile
from ingress.profiles import ProfileChange
from tests.faults.poison import BAD, GARBAGE, changed, good_command
from tests.unit.contracts.examples import APPOINTMENT, PATIENT
from tests.unit.contracts.security_examples import REQUEST_ID, SECURITY_EXAMPLES, STAFF, by, refused, searched

TRACEPARENT = f"00-{REQUEST_ID}-b7ad6b7169203331-01"
KEY = security_key(searched)
VALUE = searched.model_dump_json().encode()


def why_not(
    key: bytes | None = KEY, value: bytes | None = VALUE, without: str = "", **changed: bytes | None
) -> DeadLetterReason:
    """Why a good event's record, changed like this, is not one."""
    headers = {**dict(security_headers(searched)), **changed}
    headers.pop(without, None)
    with pytest.raises(UndecodableError) as caught:
        decode_security_event(key, value, list(headers.items()))
    return caught.value.reason


def test_there_is_an_example_of_each() -> None:
    assert [type(event) for event in SECURITY_EXAMPLES] == list(SECURITY_MODELS)


@pytest.mark.parametrize("event", SECURITY_EXAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_went(event: SecurityEvent) -> None:
    headers = security_headers(event, TRACEPARENT)

    assert decode_security_event(security_key(event), event.model_dump_json().encode(), headers) == event
    attributes = dict(headers)
    assert attributes["ce_type"] == f"clinic.security.{type(event).__name__}.v1".encode()
    assert attributes["ce_time"] == b"2026-03-05T12:00:00.123000Z"
    assert attributes["traceparent"] == TRACEPARENT.encode()


def test_the_key_is_the_principal_and_the_subject_what_it_is_about() -> None:
    assert security_key(searched) == f"staff:{STAFF}".encode()
    assert security_key(refused) == f"patient:{PATIENT}".encode()
    nobody = refused.model_copy(update={**by(None), "appointment_id": None})
    assert security_key(nobody) == b"nobody"
    subjects = [dict(security_headers(event))["ce_subject"].decode() for event in (searched, refused, nobody)]
    assert subjects == [f"staff:{STAFF}", str(APPOINTMENT), "nobody"]


def test_a_newer_event_may_have_more_fields() -> None:
    more = VALUE[:-1] + b',"new":1}'

    assert decode_security_event(KEY, more, security_headers(searched)) == searched


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"[]", b"{}", VALUE[:-1], VALUE + VALUE),
        VALUE.replace(b'"staff"', b'"doctor"'),
        VALUE.replace(REQUEST_ID.encode(), b"ada@example.org"),
        VALUE.replace(b'"email"', b'"Ada Keller"'),
        searched.model_copy(update={"patient_ids": (PATIENT,) * 201}).model_dump_json().encode(),
    ],
)
def test_a_value_that_is_no_such_event_is_invalid_data(value: bytes | None) -> None:
    assert why_not(value=value) is DeadLetterReason.INVALID_DATA


@pytest.mark.parametrize("type_", [b"PatientRead.v2", b"PatientExported.v1", b"", b"\xff\xfe"])
def test_an_unknown_type_or_version_is_told(type_: bytes) -> None:
    assert why_not(ce_type=b"clinic.security." + type_) is DeadLetterReason.UNKNOWN_TYPE


@pytest.mark.parametrize("type_", [b"clinic.booking.PatientsSearched.v1", b"", b"\xff\xfe", None])
def test_a_type_of_something_else_is_no_envelope(type_: bytes | None) -> None:
    assert why_not(ce_type=type_) is DeadLetterReason.NO_ENVELOPE


@pytest.mark.parametrize("change", [change for _, change in BAD])
def test_the_garbage_of_the_fault_runs_is_no_envelope(change: dict[str, Any]) -> None:
    # So it is passed over; with an envelope of ours it would stop the partition.
    garbage = changed(good_command(random.Random(7)), change, GARBAGE)
    with pytest.raises(UndecodableError) as caught:
        decode_security_event(garbage["key"], garbage["value"], garbage["headers"])
    assert caught.value.reason is DeadLetterReason.NO_ENVELOPE


def test_a_change_names_every_field_of_a_profile_and_nothing_else() -> None:
    named = list(get_args(ProfileField))
    assert named == [field.name for field in fields(Profile)] == list(ProfileChange.model_fields)
    with pytest.raises(ValidationError):
        PatientChanged(**by(None), patient_id=PATIENT, fields=("ada@example.org",))


def test_what_does_not_fit_together_is_told() -> None:
    assert why_not(without="ce_specversion") is DeadLetterReason.NO_ENVELOPE
    assert why_not(ce_id=str(PATIENT).encode()) is DeadLetterReason.BAD_HEADER
    assert why_not(without="ce_id") is DeadLetterReason.BAD_HEADER
    for key in (None, b"nobody", KEY.upper(), f"patient:{STAFF}".encode(), b"\xff"):
        assert why_not(key=key) is DeadLetterReason.WRONG_KEY


def test_the_detail_never_tells_the_value() -> None:
    with pytest.raises(UndecodableError, match="/by string_pattern_mismatch") as caught:
        decode_security_event(KEY, VALUE.replace(b'"email"', b'"Ada K"'), security_headers(searched))
    assert "Ada" not in str(caught.value)
