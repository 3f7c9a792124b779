"""A promised start belongs to one start of a visit, also where a worker of an earlier release moves it."""

from datetime import timedelta

from infra import clock
from infra.settings import Settings
from tests.replay.conftest import decided, execute, fetchval
from tests.replay.examples import booked, doctors_in_different_partitions, opened, record_of
from tests.replay.sending import send

TODAY = "SELECT promised_start FROM booking.appointments"
# What an earlier release sets: it does not know the column.
MOVED = """
    UPDATE booking.appointments
    SET starts_at = starts_at + $1::interval, ends_at = ends_at + $1::interval,
        occupied = tstzrange(lower(occupied) + $1::interval, upper(occupied) + $1::interval)
"""


async def test_a_move_by_an_earlier_release_leaves_no_promise(own: Settings) -> None:
    doctor_id, _ = doctors_in_different_partitions()
    at = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    commands = (*opened(doctor_id), booked(doctor_id, at))
    await send(own, iter([record_of(command, at - timedelta(days=2)) for command in commands]))
    await decided(own)
    promise = f"{at.isoformat()}[UTC]"
    assert await fetchval(own, TODAY) == promise

    await execute(own, MOVED, timedelta(0))
    assert await fetchval(own, TODAY) == promise, "a cancellation, as an earlier release writes it"
    await execute(own, MOVED, timedelta(hours=1))
    assert await fetchval(own, TODAY) is None
