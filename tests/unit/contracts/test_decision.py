"""A decision reaches those who wait for it unchanged."""

from datetime import UTC, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.command_resource import State
from contracts.decision import Decision, pack_wake_up, unpack_wake_up
from contracts.refusals import DETAILS, Reason, Refusal
from tests.unit.contracts.examples import COMMAND_ID, FINGERPRINT, NOW

decisions = some.builds(
    Decision,
    command_id=some.uuids(),
    fingerprint=some.none() | some.binary(min_size=16, max_size=16).map(bytes.hex),
    state=some.sampled_from(State),
    refusal=some.none()
    | some.builds(Refusal, some.sampled_from(Reason), some.none() | some.integers(0, 2**31)),
    partition=some.integers(0, 11),
    offset=some.integers(0, 2**63 - 1),
    decided_at=some.datetimes(timezones=some.just(UTC)),
)


@settings(deadline=None)
@given(some.lists(decisions, max_size=5))
def test_a_wake_up_carries_the_decisions_of_one_transaction(sent: list[Decision]) -> None:
    assert unpack_wake_up(pack_wake_up(sent)) == sent


def test_no_decisions_are_a_wake_up_too() -> None:
    assert unpack_wake_up(pack_wake_up([])) == []


def test_the_instant_is_the_same_whatever_zone_it_is_told_in() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=10, minutes=30)))
    sent = Decision(COMMAND_ID, FINGERPRINT, State.CONFIRMED, None, 0, 0, local)

    (received,) = unpack_wake_up(pack_wake_up([sent]))

    assert received.decided_at == NOW


def test_a_wake_up_of_the_released_version_can_be_read() -> None:
    message = (
        b'[["c0000000000050008000000000000001", "0123456789abcdef0123456789abcdef", "refused", '
        b'["conflicts_with_bookings", 3], 11, 42, "2026-03-05T12:00:00.123000+00:00"]]'
    )

    refusal = Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 3)
    assert unpack_wake_up(message) == [Decision(COMMAND_ID, FINGERPRINT, State.REFUSED, refusal, 11, 42, NOW)]


def test_every_reason_has_a_sentence() -> None:
    assert DETAILS.keys() == set(Reason)
    assert len(set(DETAILS.values())) == len(Reason)


def test_the_sentence_counts_the_bookings_in_the_way() -> None:
    assert Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 3).detail == "Appointments in that time: 3."
    assert Refusal(Reason.SLOT_TAKEN).detail == "The time is taken."
