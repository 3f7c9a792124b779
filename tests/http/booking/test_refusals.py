"""Every reason for a refusal, provoked on the real stack and reported over HTTP."""

import json

import pytest

from contracts.refusals import DETAILS, Reason
from tests.clinic import Clinic
from tests.http.asking import RESOURCE, book, booking, get
from tests.http.booking.ways_to_refusal import POLICY, WAYS, Setting


def test_every_reason_has_a_way_to_it() -> None:
    assert set(WAYS) == set(Reason)


@pytest.fixture
async def at(shared: Clinic) -> Setting:
    strict, usual = await shared.doctor(policy=POLICY), await shared.doctor()
    return Setting(shared, strict, usual, await shared.patient(), await shared.slots(usual))


@pytest.mark.parametrize("reason", WAYS)
async def test_is_reported_and_changes_nothing(at: Setting, reason: Reason) -> None:
    resource = await WAYS[reason](at)

    assert (list(resource), resource["state"]) == (RESOURCE, "refused")
    assert resource["decided_at"]
    refusal = {"reason": reason, "detail": DETAILS[reason].format(count=1)}
    assert resource["refusal"] == refusal
    assert await get(at.clinic.http, resource["links"]["self"], at.clinic.staff) == resource
    events = await at.clinic.postgres.fetch(
        "SELECT type, data FROM booking.events WHERE command_id = $1", resource["command_id"]
    )
    assert [event["type"] for event in events] == ["CommandRefused"], "the only event"
    if reason is not Reason.IDEMPOTENCY_KEY_REUSED:
        assert json.loads(events[0]["data"])["reason"] == reason


async def test_a_used_key_is_reported_at_once_if_its_decision_is_known(shared: Clinic, at: Setting) -> None:
    body = booking(at.usual, at.late)
    assert (await book(shared, at.patient, body, "key")).status_code == 200
    other = await book(shared, at.patient, body | {"starts_at": at.moved(hours=-1)}, "key")
    assert (other.status_code, other.json()["code"]) == (422, Reason.IDEMPOTENCY_KEY_REUSED)
