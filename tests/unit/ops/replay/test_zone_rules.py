"""Promised local times in recorded decisions, checked against what the deciding worker had met."""

from contracts.commands import RecordedActor
from contracts.events import Context, Source
from infra.zones import zone_data_version
from ops.replay.zone_rules import promise_problem
from tests.unit.scheduling import asked
from tests.unit.scheduling.clinic import APPOINTMENT, NOW, a_doctor, booked, cancelled, monday, moved
from tests.unit.scheduling.given import given

TEN, ELEVEN = monday("10:00"), monday("11:00")
AT_TEN, AT_ELEVEN = "2026-03-09T10:00:00+01:00[Europe/Berlin]", "2026-03-09T11:00:00+01:00[Europe/Berlin]"
VISIT = booked(TEN).model_copy(update={"promised_start": AT_TEN})
MOVED = moved(VISIT, booked(ELEVEN).model_copy(update={"promised_start": AT_ELEVEN}))
CANCEL = asked.cancel()


def context() -> Context:
    return Context(
        command_id=APPOINTMENT,
        command_type="CancelAppointment",
        fingerprint=None,
        actor=RecordedActor(kind="staff", id=APPOINTMENT),
        decided_at=NOW,
        source=Source(partition=0, offset=0),
        zone_data=zone_data_version(),
    )


def test_a_promise_that_was_kept_is_right() -> None:
    book = given(*a_doctor(), VISIT).book
    assert promise_problem(book, CANCEL, context(), [cancelled(VISIT)]) is None


def test_another_promise_than_that_of_the_version_met_is_wrong() -> None:
    book = given(*a_doctor(), VISIT).book
    fact = cancelled(VISIT).model_copy(update={"promised_start": AT_ELEVEN})
    assert promise_problem(book, CANCEL, context(), [fact]) == f"the promise before was {AT_TEN}"


def test_a_version_that_another_partition_made_since_tells_nothing() -> None:
    """The visit is cancelled as it was after the move, which the book does not know yet."""
    book = given(*a_doctor(), VISIT).book
    assert promise_problem(book, CANCEL, context(), [cancelled(MOVED)]) is None
