"""`kill -9` of the notifier at every step of a delivery, and then a count of the mails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ops.embedded import Child
from tests.notify.office import Office, bookings
from tests.waiting import until_async

LETTERS = 8
AGAIN_S = 90


@contextlib.asynccontextmanager
async def killed(office: Office) -> AsyncIterator[Child]:
    """A notifier with letters to send. Whatever is done to it, another one takes over after the block."""
    await office.doctor()
    await office.send(*bookings(await office.patients(LETTERS)))
    first, second = office.notifier(1), office.notifier(2)
    await first.start()
    try:
        yield first
        await first.kill()
        office.smtp.lift_all()
        await second.start()
        await office.reaches("sent", LETTERS, AGAIN_S)
    finally:
        await asyncio.gather(first.stop(), second.stop())


def twice(office: Office) -> int:
    """How many arrived twice. None is missing, and who got two got the same."""
    mails = office.smtp.mails
    by_id = {mail.id: [other for other in mails if other.id == mail.id] for mail in mails}
    assert len(by_id) == len({mail.to for mail in mails}) == LETTERS
    for same in by_id.values():
        assert len(same) <= 2
        assert len({(mail.to, mail.digest) for mail in same}) == 1
    return len(mails) - LETTERS


async def test_while_it_claims(office: Office) -> None:
    async with (
        killed(office) as notifier,
        locked(office, "LOCK TABLE people.patients IN ACCESS EXCLUSIVE MODE"),
    ):
        await waits(office)
        await notifier.kill()
    assert twice(office) == 0


@pytest.mark.parametrize("step", ["connect", "mail", "rcpt"])
async def test_while_it_speaks_with_the_server(office: Office, step: str) -> None:
    office.smtp.rule(step, "hold")  # type: ignore[arg-type]
    async with killed(office) as notifier:
        await office.smtp.reaches(step)  # type: ignore[arg-type]
        await notifier.kill()
        assert {row["state"] for row in await office.rows(kind="confirmation")} == {"planned"}
    assert twice(office) == 0
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}


async def test_before_it_has_marked_what_it_is_about_to_send(office: Office) -> None:
    held = office.smtp.rule("rcpt", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("rcpt")
        async with locked(office, "SELECT FROM notify.notifications FOR UPDATE"):
            held.lift()
            await waits(office)
            await killed_with_its_statements(office, notifier)
    assert twice(office) == 0
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}


async def test_between_the_mark_and_the_last_dot(office: Office) -> None:
    office.smtp.rule("data", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("data")
        await notifier.kill()
        marked = len(await office.rows(state="sending"))
        assert marked >= 1
    assert twice(office) == 0
    assert [row["sends"] for row in await office.rows(kind="confirmation")].count(2) == marked


async def test_between_the_last_dot_and_the_answer(office: Office) -> None:
    office.smtp.rule("reply", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("reply")
        await notifier.kill()
        arrived = len(office.smtp.mails)
        assert arrived >= 1
    assert twice(office) == arrived


async def test_before_it_has_marked_what_was_taken(office: Office) -> None:
    reply = office.smtp.rule("reply", "hold")
    async with killed(office) as notifier:
        await office.smtp.reaches("reply")
        async with locked(office, "SELECT FROM notify.notifications FOR UPDATE"):
            reply.lift()
            await waits(office)
            await killed_with_its_statements(office, notifier)
        arrived = len(office.smtp.mails)
    assert 1 <= twice(office) <= arrived


async def test_again_and_again(office: Office) -> None:
    office.smtp.rule("rcpt", "wait 0.3")
    await office.doctor()
    await office.send(*bookings(await office.patients(LETTERS)))
    notifiers = [office.notifier(number) for number in range(1, 6)]
    for notifier in notifiers:
        before = office.smtp.steps("rcpt")
        await notifier.start()
        await office.smtp.reaches("rcpt", before + 1)
        await notifier.kill()
    last = office.notifier(9)
    await last.start()
    await office.reaches("sent", LETTERS, AGAIN_S)
    await last.stop()
    begun_again = sum(row["sends"] - 1 for row in await office.rows(kind="confirmation"))
    assert twice(office) <= begun_again


@contextlib.asynccontextmanager
async def locked(office: Office, statement: str) -> AsyncIterator[None]:
    """In the way of the notifier's statements, while inside."""
    connection = await asyncpg.connect(office.settings.postgres_dsn.get_secret_value())
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def killed_with_its_statements(office: Office, notifier: Child) -> None:
    """Postgres would carry out what is waiting, although nobody is there any more to hear of it."""
    await notifier.kill()
    await office.postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'clinic_notifier' AND datname = current_database()"
    )


async def waits(office: Office) -> None:
    """Wait until the notifier waits for a lock."""

    async def waiting() -> bool:
        count = await office.postgres.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE usename = 'clinic_notifier' AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(count)

    await until_async(waiting, "the notifier waits for a lock", 60)
