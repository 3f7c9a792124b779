"""A server that cancels a batch because it takes too long gets smaller ones, until all is done."""

from datetime import datetime, timedelta
from uuid import UUID

from structlog.testing import capture_logs
from structlog.typing import EventDict

from contracts.commands import Command
from contracts.topics import DEAD_LETTERS_TOPIC
from infra import clock
from infra.settings import Settings
from tests.clinic import records
from tests.replay.conftest import copy_of, decided, execute, fetchval, state
from tests.replay.examples import booked, doctors_in_different_partitions, opened, record_of
from tests.replay.sending import send

BOOKINGS = 24
# All of the bookings take 2.4 s, and none takes longer than allowed.
SLOW = (
    """
    CREATE FUNCTION booking.wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$
    """,
    "GRANT EXECUTE ON FUNCTION booking.wait() TO clinic_worker",
    """
    CREATE TRIGGER slow BEFORE INSERT ON booking.appointments
    FOR EACH ROW EXECUTE FUNCTION booking.wait()
    """,
    "ALTER ROLE clinic_worker IN DATABASE {database} SET statement_timeout = '1s'",
)


async def test_a_worker_decides_fewer_at_a_time(own: Settings) -> None:
    first, second = doctors_in_different_partitions()
    commands, now = bookings(first, second)
    await _slow(own)
    await send(own, (record_of(command, now) for command in commands))
    with capture_logs() as lines:
        await decided(own)
    assert _fewer(lines)
    confirmed = "SELECT count(*) FROM booking.decisions WHERE state = 'confirmed'"
    assert await fetchval(own, confirmed) == len(commands)
    assert await records(own, DEAD_LETTERS_TOPIC) == []


async def test_a_worker_folds_fewer_at_a_time(own: Settings) -> None:
    first, second = doctors_in_different_partitions()
    commands, now = bookings(first, second)
    async with copy_of(own) as behind:
        await send(own, (record_of(command, now) for command in commands))
        await decided(own)
        await _slow(behind)
        with capture_logs() as lines:
            await decided(behind)
        assert _fewer(lines)
        assert await state(behind) == await state(own)


def bookings(*doctor_ids: UUID) -> tuple[list[Command], datetime]:
    """Commands that are confirmed, all visits in the future of the instant."""
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    commands = [command for doctor_id in doctor_ids for command in opened(doctor_id)]
    for number in range(BOOKINGS):
        starts_at = now.replace(hour=6) + timedelta(days=2, minutes=30 * number)
        commands += [booked(doctor_id, starts_at, clock.new_id()) for doctor_id in doctor_ids]
    return commands, now


async def _slow(settings: Settings) -> None:
    name = settings.postgres_dsn.get_secret_value().rpartition("/")[2]
    for statement in SLOW:
        await execute(settings, statement.replace("{database}", f'"{name}"'))


def _fewer(lines: list[EventDict]) -> list[int]:
    """How many were too many."""
    return [line["commands"] for line in lines if line["event"] == "took too long, fewer at a time"]
