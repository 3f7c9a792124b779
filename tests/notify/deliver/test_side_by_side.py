"""Two notifiers share the work, and recovery from an outage of the server starts slowly."""

import asyncio

from notifier.main import running_notifier
from tests.notify.office import Office, bookings

WAITING = 200


async def test_two_processes_send_each_notification_once(office: Office) -> None:
    first, second = office.notifier(1, smtp_rate_per_s=40), office.notifier(2, smtp_rate_per_s=40)
    await asyncio.gather(first.start(), second.start())
    try:
        await office.doctor()
        patients = await office.patients(WAITING)
        facts = bookings(patients)
        await office.send(*facts[:50])
        await office.send(*facts[50:])
        await office.reaches("sent", WAITING, 120)
    finally:
        await asyncio.gather(first.stop(), second.stop())
    mails = office.smtp.mails
    assert len(mails) == len({mail.to for mail in mails}) == WAITING
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}
    claimed = await office.postgres.fetchval(
        "SELECT count(*) FROM notify.notifications WHERE claimed_until IS NOT NULL"
    )
    assert claimed == 0


async def test_after_an_outage_all_arrive_once_and_slowly_at_first(office: Office) -> None:
    await office.smtp.process.stop()
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(await office.patients(WAITING)))
        await office.reaches("planned", WAITING, kind="confirmation")
        await office.reaches("planned", 1, reason="SMTPConnectError: cannot connect")
        await office.smtp.process.start()
        await office.reaches("sent", WAITING, 180)
    mails = office.smtp.mails
    assert len(mails) == len({mail.to for mail in mails}) == WAITING
    assert {(row["sends"], row["tries"]) for row in await office.rows(kind="confirmation")} == {(1, 0)}
    # The limit is 500 a second. As many as the slow start allows, plus what several connections have under
    # way.
    began = mails[0].at
    assert sum(mail.at < began + 2 for mail in mails) <= 12
    assert sum(mail.at < began + 8 for mail in mails) <= 60


async def test_never_faster_than_the_limit(office: Office) -> None:
    await office.doctor()
    await office.send(*bookings(await office.patients(60)))
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 20.0})
    async with running_notifier(office.settings):
        await office.reaches("sent", 60)
    times = [mail.at for mail in office.smtp.mails]
    # Any second: twenty, and a few whose turn came just before but that took longer.
    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 20 + 2 * 4
    assert times[-1] - times[0] >= (60 - 8) / 20


async def test_a_notifier_that_is_stopped_releases_its_claims(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 5.0, "notify_lease_s": 600.0})
    await office.doctor()
    await office.send(*bookings(await office.patients(30)))
    async with running_notifier(office.settings):
        await office.smtp.receives(3)
    rows = await office.rows(kind="confirmation")
    assert {row["claimed_until"] for row in rows} == {None}
    assert {row["state"] for row in rows} == {"sent", "planned"}
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 500.0})
    async with running_notifier(office.settings):
        await office.reaches("sent", 30)
    assert len(office.smtp.mails) == 30


async def test_nothing_is_lost_or_repeated_when_postgres_is_killed(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 30.0})
    await office.doctor()
    await office.send(*bookings(await office.patients(90)))
    async with running_notifier(office.settings):
        await office.smtp.receives(20)
        await office.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'clinic_notifier' AND datname = current_database()"
        )
        await office.reaches("sent", 90, 120)
    assert len(office.smtp.mails) == len({mail.id for mail in office.smtp.mails}) == 90
