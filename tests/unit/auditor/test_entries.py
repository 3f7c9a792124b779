"""An event's audit entry: all that its contract names, in canonical form, and nothing personal."""

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from auditor.chain.hash_chain import ChainEnd, entry_hash, first_hash
from auditor.entries.booking import Entry, booking_entry, request_id
from auditor.entries.security import security_entry
from contracts.audit import Chain, Content, canonical
from contracts.cloudevents import Event
from contracts.events import Fact
from contracts.security import LoginSucceeded, SecurityEvent
from tests.unit.contracts.examples import (
    APPOINTMENT,
    CHECKUP,
    COMMAND_ID,
    DOCTOR,
    EVENT_ID,
    FACT_EXAMPLES,
    FINGERPRINT,
    NOW,
    OTHER_DOCTOR,
    PATIENT,
    SEALED,
    context,
)
from tests.unit.contracts.security_examples import NOTE, SECURITY_EXAMPLES

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = (("traceparent", f"00-{TRACE_ID}-b7ad6b7169203331-01".encode()),)
PERSONAL = ("Ada", "Ünlü", "cardiology", CHECKUP.name, SEALED, FINGERPRINT)
by_name = pytest.mark.parametrize("fact", FACT_EXAMPLES, ids=lambda fact: type(fact).__name__)
by_security_name = pytest.mark.parametrize("event", SECURITY_EXAMPLES, ids=lambda event: type(event).__name__)


def record(topic: str) -> Any:
    """The parts of a record that its entry uses."""
    return SimpleNamespace(topic=topic, partition=11, offset=42, headers=HEADERS)


def entry(fact: Fact, **changed: Any) -> Entry:
    event = Event(EVENT_ID, 7, context.model_copy(update=changed), fact)
    return booking_entry(event, record("booking.events.v1"), "booking.commands.v1")


def said(entry: Entry) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(entry.content)
    return content


def example(name: str) -> Fact:
    return next(fact for fact in FACT_EXAMPLES if type(fact).__name__ == name)


def security_example(name: str) -> SecurityEvent:
    return next(event for event in SECURITY_EXAMPLES if type(event).__name__ == name)


@by_name
def test_the_content_follows_the_contract_and_is_canonical(fact: Fact) -> None:
    content = entry(fact).content

    Content.model_validate_json(content)
    assert content == rfc8785.dumps(json.loads(content))


@by_name
def test_it_contains_nothing_personal(fact: Fact) -> None:
    assert [text for text in PERSONAL if text in entry(fact).content.decode()] == []


@by_security_name
def test_so_do_entries_of_security_events(event: SecurityEvent) -> None:
    kept = security_entry(event, record("security.events.v1"))

    content = Content.model_validate_json(kept.content)
    assert kept.content == rfc8785.dumps(json.loads(kept.content))
    assert content.action == kept.action == type(event).__name__
    assert content.event.id == event.event_id
    assert (content.event.sequence, content.source) == (None, None)


def test_a_login_names_its_passkey_if_there_was_one() -> None:
    login = security_example("LoginSucceeded")
    assert isinstance(login, LoginSucceeded)
    by_code = login.model_copy(update={"passkey_id": None})

    effects = [
        said(security_entry(event, record("security.events.v1")))["effect"] for event in (login, by_code)
    ]

    ids = {"challenge_id": str(login.challenge_id), "family_id": str(login.family_id)}
    assert effects == [
        {"after": ids | {"passkey_id": str(login.passkey_id)}, "before": None},
        {"after": ids, "before": None},
    ]


def test_a_note_is_named_with_its_patient() -> None:
    kept = security_entry(security_example("NoteWritten"), record("security.events.v1"))

    assert said(kept)["effect"] == {"after": {"note_id": str(NOTE)}, "before": None}
    assert kept.patient_id == PATIENT


@by_name
def test_the_columns_equal_the_content(fact: Fact) -> None:
    kept = entry(fact)
    content = Content.model_validate_json(kept.content)

    about = (content.about.doctor_id, content.about.appointment_id, content.about.patient_id)
    who = (content.at, content.action, content.actor.kind, content.actor.id)
    assert kept[:-1] == (*who, *about, content.command_id)


def test_an_entry_names_its_source() -> None:
    content = said(entry(example("AppointmentBooked")))

    assert content["event"] == {
        "id": str(EVENT_ID),
        "offset": 42,
        "partition": 11,
        "sequence": 7,
        "topic": "booking.events.v1",
    }
    assert content["source"] == {"offset": 2**40, "partition": 11, "topic": "booking.commands.v1"}
    assert (content["command_id"], content["command_type"]) == (str(COMMAND_ID), "BookAppointment")
    assert content["request_id"] == TRACE_ID
    assert content["at"] == "2026-03-05T12:00:00.123000Z"
    assert content["about"] == {
        "appointment_id": str(APPOINTMENT),
        "doctor_id": str(DOCTOR),
        "patient_id": str(PATIENT),
    }


def test_before_and_after() -> None:
    moved = said(entry(example("AppointmentRescheduled")))["effect"]
    cancelled = said(entry(example("AppointmentCancelled")))["effect"]

    assert (moved["before"]["doctor_id"], moved["after"]["doctor_id"]) == (str(OTHER_DOCTOR), str(DOCTOR))
    assert (moved["before"]["status"], moved["after"]["status"]) == ("booked", "booked")
    assert (cancelled["before"]["status"], cancelled["after"]["status"]) == ("booked", "cancelled")
    assert cancelled["after"]["cancelled_by"] == "clinic"


def test_a_free_text_code_is_left_out() -> None:
    cancelled = example("AppointmentCancelled").model_copy(update={"cancel_reason": "jane-roe-has-hiv"})
    exported = security_example("AuditExported").model_copy(update={"action": "JaneRoeHasHiv"})

    assert "jane" not in entry(cancelled).content.decode()
    assert "Jane" not in security_entry(exported, record("security.events.v1")).content.decode()


def test_a_change_of_a_profile_names_the_fields() -> None:
    content = said(security_entry(security_example("PatientChanged"), record("security.events.v1")))

    assert content["effect"]["after"] == {
        "fields": ["email", "name", "phone", "language", "channel", "reminders"]
    }
    assert content["about"]["patient_id"] == str(PATIENT)


def test_a_refusal_has_its_reason_and_changes_nothing() -> None:
    content = said(entry(example("CommandRefused")))

    assert (content["reason"], content["count"], content["effect"]) == ("conflicts_with_bookings", 3, None)


def test_a_reason_for_a_visit_is_not_a_reason_of_a_refusal() -> None:
    assert said(entry(example("AppointmentBooked")))["reason"] is None


def test_an_invalid_command_type_is_left_out() -> None:
    assert said(entry(example("CommandFailed"), command_type="Ada Lovelace, Berlin"))["command_type"] is None


@pytest.mark.parametrize("value", [None, b"", b"Ada Lovelace", b"00-xyz-b7ad6b7169203331-01", b"\xff" * 55])
def test_only_a_trace_id_is_a_request_id(value: bytes | None) -> None:
    assert request_id([("traceparent", value)]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_019", max_size=5), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcXYZ_019", max_size=5), json_values))
def test_the_canonical_form_is_rfc_8785(value: dict[str, Any]) -> None:
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:  # lone surrogates
        with pytest.raises(UnicodeEncodeError):
            canonical(value)
    else:
        assert canonical(value) == expected


def test_a_chain_is_bound_to_its_name_its_partition_and_its_order() -> None:
    firsts = {first_hash(chain, partition) for chain in Chain for partition in range(12)}
    assert len(firsts) == 24
    end = ChainEnd.empty(Chain.BOOKING, 3)
    first, second = end.append(b"one"), end.append(b"two")

    assert first == entry_hash(first_hash(Chain.BOOKING, 3), b"one")
    assert (second, end.last_hash, end.size) == (entry_hash(first, b"two"), second, 2)


def test_nobody_is_an_actor_without_an_id() -> None:
    nobody = next(event for event in SECURITY_EXAMPLES if event.actor is not None).model_copy(
        update={"actor": None, "occurred_at": NOW, "event_id": UUID(int=1)}
    )

    kept = security_entry(nobody, record("security.events.v1"))

    assert (kept.actor_kind, kept.actor_id) == ("nobody", None)
