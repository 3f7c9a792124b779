"""`kill -9` of the notifier at every step of a delivery; then the mails are counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ops.embedded import Child
from tests.notify.office import Office, bookings
from tests.waiting import until_async

NOTIFICATIONS = 8
AGAIN_S = 90


@contextlib.asynccontextmanager
async def killed(office: Office) -> AsyncIterator[Child]:
    """A notifier with work to do, killed inside the block; another one takes over afterwards."""
    await office.doctor()
    await office.send(*bookings(await office.patients(NOTIFICATIONS)))
    first, second = office.notifier(1), office.notifier(2)
    await first.start()
    try:
        yield first
        await first.kill()
        office.smtp.lift_all()
        await second.start()
        await office.reaches("sent", NOTIFICATIONS, AGAIN_S)
    finally:
        await asyncio.gather(first.stop(), second.stop())


def twice(office: Office) -> int:
    """How many mails arrived twice. Asserts that none is missing and that repeats are identical."""
    mails = office.smtp.mails
    by_id = {mail.id: [other for other in mails if other.id == mail.id] for mail in mails}
    assert len(by_id) == len({mail.to for mail in mails}) == NOTIFICATIONS
    for same in by_id.values():
        assert len(same) <= 2
        assert len({(mail.to, mail.content) for mail in same}) == 1
    return len(mails) - NOTIFICATIONS


async def test_while_it_claims(office: Office) -> None:
    async with (
        killed(office) as notifier,
        locked(office, "LOCK TABLE people.patients IN ACCESS EXCLUSIVE MODE"),
    ):
        await waits(office)
        await notifier.kill()
    assert twice(office) == 0


@pytest.mark.parametrize("step", ["connect", "mail", "rcpt"])
async def test_during_the_smtp_dialogue(office: Office, step: str) -> None:
    office.smtp.rule(step, "hold")  # type: ignore[arg-type]
    async with killed(office) as notifier:
        await office.smtp.reaches(step)  # type: ignore[arg-type]
        await notifier.kill()
        assert {row["state"] for row in await office.rows(kind="confirmation")} == {"planned"}
    assert twice(office) == 0
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}


async def test_before_it_marks_a_notification_as_being_sent(office: Office) -> None:
    held = office.smtp.rule("rcpt", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("rcpt")
        async with locked(office, "SELECT FROM notify.notifications FOR UPDATE"):
            held.lift()
            await waits(office)
            await killed_with_its_statements(office, notifier)
    assert twice(office) == 0
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}


async def test_between_the_mark_and_the_end_of_the_message(office: Office) -> None:
    office.smtp.rule("data", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("data")
        await notifier.kill()
        marked = len(await office.rows(state="sending"))
        assert marked >= 1
    assert twice(office) == 0
    assert [row["sends"] for row in await office.rows(kind="confirmation")].count(2) == marked


async def test_between_the_end_of_the_message_and_the_reply(office: Office) -> None:
    office.smtp.rule("reply", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("reply")
        await notifier.kill()
        arrived = len(office.smtp.mails)
        assert arrived >= 1
    assert twice(office) == arrived


async def test_before_it_marks_a_notification_as_sent(office: Office) -> None:
    reply = office.smtp.rule("reply", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("reply")
        async with locked(office, "SELECT FROM notify.notifications FOR UPDATE"):
            reply.lift()
            await waits(office)
            await killed_with_its_statements(office, notifier)
        arrived = len(office.smtp.mails)
    assert 1 <= twice(office) <= arrived


async def test_repeatedly(office: Office) -> None:
    office.smtp.rule("rcpt", "wait 0.3")
    await office.doctor()
    await office.send(*bookings(await office.patients(NOTIFICATIONS)))
    notifiers = [office.notifier(number) for number in range(1, 6)]
    for notifier in notifiers:
        before = office.smtp.steps("rcpt")
        await notifier.start()
        await office.smtp.reaches("rcpt", before + 1)
        await notifier.kill()
    last = office.notifier(9)
    await last.start()
    await office.reaches("sent", NOTIFICATIONS, AGAIN_S)
    await last.stop()
    begun_again = sum(row["sends"] - 1 for row in await office.rows(kind="confirmation"))
    assert twice(office) <= begun_again


@contextlib.asynccontextmanager
async def locked(office: Office, statement: str) -> AsyncIterator[None]:
    """Locks that block the notifier's statements inside the block."""
    connection = await asyncpg.connect(office.settings.postgres_dsn.get_secret_value())
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def killed_with_its_statements(office: Office, notifier: Child) -> None:
    """Kill it and end its sessions: Postgres would execute waiting statements of a dead client."""
    await notifier.kill()
    await office.postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'clinic_notifier' AND datname = current_database()"
    )


async def waits(office: Office) -> None:
    """Waits until the notifier waits for a lock."""

    async def waiting() -> bool:
        count = await office.postgres.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE usename = 'clinic_notifier' AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(count)

    await until_async(waiting, "the notifier waits for a lock", 60)
