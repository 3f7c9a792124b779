"""Histories that a replay could not reproduce must not arise, neither in a batch nor across partitions."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from booking_worker.main import running_worker
from contracts.commands import BlockTime
from infra import clock
from infra.settings import Settings
from ops.replay.verify import verify_all
from tests.replay.conftest import decided, fetchval, settled
from tests.replay.examples import (
    PATIENT,
    booked,
    cancelled,
    doctors_in_different_partitions,
    moved,
    named,
    opened,
    record_of,
)
from tests.replay.sending import send
from tests.waiting import until_async

OTHER_PATIENT = UUID("99999999-2222-4333-8444-555555555555")


async def test_a_visit_booked_in_a_batch_cannot_move_to_a_taken_time_in_it(own: Settings) -> None:
    """Not even until it is cancelled in the same batch, when no constraint would notice any more."""
    doctor_id, _ = doctors_in_different_partitions()
    at = clock.now().replace(minute=0, second=0, microsecond=0)
    time, later = at + timedelta(days=2), at + timedelta(days=2, hours=1)
    taken = booked(doctor_id, time)
    await send(own, (record_of(command, at) for command in (*opened(doctor_id), taken)))
    await decided(own)
    booking = booked(doctor_id, later, OTHER_PATIENT)
    wish = moved(booking, doctor_id, time)
    await send(own, (record_of(command, at) for command in (booking, wish, cancelled(booking))))
    await decided(own)

    query = "SELECT reason FROM booking.decisions WHERE command_id = $1"
    assert await fetchval(own, query, wish.command_id) == "slot_taken"
    reports, _ = await verify_all(own)
    assert [finding for report in reports for finding in report.findings] == []


async def test_time_off_does_not_cancel_a_visit_that_has_just_moved_away(own: Settings) -> None:
    first, second = doctors_in_different_partitions()
    at = clock.now().replace(minute=0, second=0, microsecond=0)
    booking = booked(first, at + timedelta(days=2), PATIENT)
    away = BlockTime(
        **named(first),
        time_off_id=booking.command_id,
        starts_at=at + timedelta(days=1),
        ends_at=at + timedelta(days=3),
        cancel_conflicting=True,
    )
    mover = await asyncpg.connect(own.postgres_dsn.get_secret_value())
    async with running_worker(own):
        await send(own, (record_of(command, at) for command in (*opened(first), *opened(second), booking)))
        await settled(own)
        # The other partition's owner, just before it commits.
        transaction = mover.transaction()
        await transaction.start()
        moved_away = "UPDATE booking.appointments SET doctor_id = $1, version = 2 WHERE id = $2"
        await mover.execute(moved_away, second, booking.appointment_id)
        await send(own, iter([record_of(away, at)]))

        async def waits() -> Any:
            return await fetchval(own, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")

        await until_async(waits, "the time off waits for the move")
        await transaction.commit()
        await settled(own)
    await mover.close()

    query = "SELECT array[doctor_id::text, status, version::text] FROM booking.appointments"
    assert await fetchval(own, query) == [str(second), "booked", "2"]
    assert await fetchval(own, "SELECT count(*) FROM booking.time_off") == 1
