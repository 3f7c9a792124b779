"""Deliveries that are under way when the notifier stops, or when Postgres fails, arrive once."""

import asyncpg

from notifier.main import running_notifier
from tests.notify.office import Office, bookings
from tests.waiting import until_async


async def test_a_stop_waits_for_the_reply_to_a_message_in_flight(office: Office) -> None:
    office.settings = office.settings.model_copy(
        update={"smtp_accept_timeout_s": 10.0, "smtp_rate_per_s": 4.0, "notify_lease_s": 600.0}
    )
    office.smtp.rule("reply", "wait 5")
    await office.doctor()
    await office.send(*bookings(await office.patients(12)))
    async with running_notifier(office.settings):
        await office.smtp.reaches("reply", 4)
        await office.reaches("sending", 4)
    rows = await office.rows(kind="confirmation")
    assert sorted(row["state"] for row in rows) == ["planned"] * 8 + ["sent"] * 4
    assert {row["claimed_until"] for row in rows} == {None}
    assert len(office.smtp.mails) == 4


async def test_a_notifier_that_knows_it_was_accepted_does_not_send_it_again(office: Office) -> None:
    """Postgres is down for longer than the claim lasts: the notification is due again before it is marked as
    sent.
    """
    admin = await asyncpg.connect(office.settings.postgres_dsn.get_secret_value())
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    reply = office.smtp.rule("reply", "hold")
    await office.doctor()
    try:
        async with running_notifier(office.settings):
            await office.send(*bookings(await office.patients(4)))
            await office.smtp.reaches("reply", 4)
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'clinic_notifier' AND datname = current_database()"
            )
            reply.lift()

            async def lapsed() -> bool:
                rows = await office.rows(kind="confirmation", state="sending")
                now = await admin.fetchval("SELECT now()")
                return len(rows) == 4 and all(row["claimed_until"] < now for row in rows)

            await until_async(lapsed, "the claims have ended", 30)
            await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT -1")
            await office.reaches("sent", 4)
            await office.send(*bookings(await office.patients(1)))
            await office.reaches("sent", 5)
    finally:
        await admin.execute(f"ALTER DATABASE {database} CONNECTION LIMIT -1")
        await admin.close()
    assert len(office.smtp.mails) == 5
    assert {(row["sends"], row["claim"]) for row in await office.rows(kind="confirmation")} == {(1, 1)}
