"""Reminders fall due whatever happens meanwhile, and are dropped when they are of no use any more."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from infra import clock
from infra.keys import Keys
from ingress.patients import Patients
from notifier.main import running_notifier
from notifier.outbox import CLAIMS, KINDS, NEXT_DUES
from tests.notify.facts import booked
from tests.notify.office import Office, bookings
from tests.waiting import until_async

HOUR = timedelta(hours=1)
MANY = 100_000


async def shifted(office: Office, by: timedelta, **where: object) -> None:
    """Time goes on: what is planned falls due earlier by this. Nobody is told."""
    conditions = "".join(f" AND {name} = ${number}" for number, name in enumerate(where, 2))
    await office.postgres.execute(
        "UPDATE notify.notifications"
        " SET due_at = due_at - $1::interval, dated = dated - $1, deadline_at = deadline_at - $1"
        f" WHERE state = 'planned'{conditions}",
        *(by, *where.values()),
    )


async def visit(office: Office, after: timedelta = timedelta(days=3)) -> None:
    """One patient's visit, confirmed; its reminders are planned."""
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + after))
        await office.reaches("sent", kind="confirmation")
    assert await office.states(kind="reminder") == [("reminder", 24, "planned"), ("reminder", 2, "planned")]


async def test_a_reminder_that_fell_due_while_nobody_was_there_is_sent_by_whoever_comes(
    office: Office,
) -> None:
    await visit(office)
    await shifted(office, 48 * HOUR)
    async with running_notifier(office.settings):
        await office.reaches("sent", 2)
    await shifted(office, 22 * HOUR)
    async with running_notifier(office.settings):
        await office.reaches("sent", 3)
    assert {hours for _, hours, _ in await office.states(kind="reminder", state="sent")} == {24, 2}
    assert len(office.smtp.mails) == 3


async def test_one_that_is_late_is_dropped_with_the_reason_and_the_next_one_is_sent(office: Office) -> None:
    await visit(office)
    await shifted(office, 48 * HOUR + 12 * HOUR)
    async with running_notifier(office.settings):
        await office.reaches("dropped", hours_before=24)
        await shifted(office, 10.5 * HOUR)
        await office.hurry()
        await office.reaches("sent", hours_before=2)
    [row] = await office.rows(hours_before=24)
    assert row["reason"] == "too late"


async def test_a_running_notifier_wakes_up_when_one_falls_due(office: Office) -> None:
    """It sleeps until then; nothing is told or polled in between."""
    await office.doctor()
    async with running_notifier(office.settings):
        soon = clock.now() + timedelta(hours=2, seconds=4)
        await office.send(booked((await office.patients(1))[0], soon))
        await office.reaches("sent", kind="confirmation")
        await office.reaches("sent", kind="reminder", timeout_s=30)
    [row] = await office.rows(kind="reminder")
    assert timedelta(0) <= row["finished_at"] - row["dated"] < timedelta(seconds=10)


async def test_during_an_outage_of_the_server_late_ones_are_dropped_and_confirmations_are_not(
    office: Office,
) -> None:
    await visit(office)
    await office.smtp.process.stop()
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + timedelta(days=3)))
        await office.takes_in()
        await shifted(office, 48 * HOUR, kind="reminder")
        await office.hurry()
        await office.reaches("planned", 2, reason="SMTPConnectError: cannot connect")
        await shifted(office, 12 * HOUR)
        await office.smtp.process.start()
        await office.reaches("dropped", 2, hours_before=24)
        await office.reaches("sent", 2, kind="confirmation")
    assert {row["reason"] for row in await office.rows(state="dropped")} == {
        "too late; last: SMTPConnectError: cannot connect",
        "too late",
    }


async def test_a_confirmation_past_its_deadline_is_undeliverable_not_dropped(office: Office) -> None:
    await office.smtp.process.stop()
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + timedelta(days=30)))
        await office.reaches("planned", reason="SMTPConnectError: cannot connect")
        await shifted(office, 72 * HOUR, kind="confirmation")
        await office.smtp.process.start()
        await office.reaches("undeliverable")
    [row] = await office.rows(kind="confirmation")
    assert row["reason"] == "too late; last: SMTPConnectError: cannot connect"


@pytest.mark.parametrize("choice", ["forgotten", "reminders_off"])
async def test_whoever_wants_none_gets_none(office: Office, choice: str) -> None:
    await visit(office)
    [row] = await office.rows(kind="confirmation")
    if choice == "forgotten":
        await directory(office).forget(row["patient_id"])
    else:
        await without_reminders(office, row["patient_id"])
    await shifted(office, 48 * HOUR)
    async with running_notifier(office.settings):
        await office.reaches("dropped")
    assert [(row["hours_before"], row["reason"]) for row in await office.rows(state="dropped")] == [
        (24, choice)
    ]
    assert len(office.smtp.mails) == 1


@pytest.mark.parametrize("choice", ["forgotten", "reminders_off"])
async def test_whoever_says_so_while_it_is_on_its_way_gets_none(office: Office, choice: str) -> None:
    """The reminder is claimed, and its connection is open already."""
    await visit(office)
    [row] = await office.rows(kind="confirmation")
    await shifted(office, 48 * HOUR)
    with office.smtp.held("mail") as held:
        async with running_notifier(office.settings):
            await office.smtp.reaches("mail", 2)
            if choice == "forgotten":
                await directory(office).forget(row["patient_id"])
            else:
                await without_reminders(office, row["patient_id"])
            held.lift()
            await office.reaches("dropped", reason=choice)
    assert len(office.smtp.mails) == 1


def directory(office: Office) -> Patients:
    """The patients, as the ingress keeps them."""
    return Patients(office.postgres, Keys.load(office.settings.master_key_file))


async def without_reminders(office: Office, patient_id: UUID) -> None:
    """What the link in a reminder does."""
    await directory(office).change(patient_id, lambda profile: replace(profile, reminders=False))


async def test_a_hundred_thousand_planned_reminders_cost_a_claim_nothing(office: Office) -> None:
    """What is due is found by an index on the due time: no plan looks at what is not due, or is done."""
    await plan_many(office.postgres, MANY)
    for lane in KINDS:
        queries: list[tuple[str, tuple[object, ...]]] = [
            (CLAIMS[lane], (["sms"], 50, timedelta(seconds=1), [])),
            (NEXT_DUES[lane], (["sms"],)),
        ]
        for query, arguments in queries:
            plan = await explained(office.postgres, query, *arguments)
            assert "Seq Scan on notifications" not in plan, plan
            assert "Sort" not in plan, plan
    changed, read = await statistics(office)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(await office.patients(20)))
        await office.smtp.receives(20)

        async def told() -> bool:
            return (await statistics(office))[0] - changed >= 3 * 20

        await until_async(told, "Postgres counts what was claimed, begun and sent")
    assert (await statistics(office))[1] - read < MANY, "nobody has read the table through"


async def statistics(office: Office) -> tuple[int, int]:
    """How many notifications were changed, and how many were read without an index, says Postgres."""
    row = await office.postgres.fetchrow(
        "SELECT n_tup_upd, seq_tup_read FROM pg_stat_user_tables"
        " WHERE relid = 'notify.notifications'::regclass"
    )
    assert row is not None
    return row["n_tup_upd"], row["seq_tup_read"]


async def plan_many(database: asyncpg.Pool, count: int) -> None:
    """Reminders of many visits to come, and as many that were sent."""
    await database.execute(
        """
        INSERT INTO notify.appointments (id, version, patient_id, doctor_id, visit_type, starts_at, ends_at)
        SELECT md5(n::text)::uuid, 1, md5('p' || n % 20000)::uuid, md5('d' || n % 50)::uuid, 'checkup',
            now() + interval '2 days' + n * interval '1 minute',
            now() + interval '2 days 1 hour' + n * interval '1 minute'
        FROM generate_series(1, $1::int) n
        """,
        count,
    )
    for state, due in (
        ("planned", "starts_at - interval '24 hours'"),
        ("sent", "starts_at - interval '9000 hours'"),
    ):
        await database.execute(
            f"""
            INSERT INTO notify.notifications
                (id, kind, appointment_id, version, hours_before, patient_id, state, dated, due_at,
                deadline_at, finished_at)
            SELECT md5($1 || id)::uuid, 'reminder', id, version, 24, patient_id, $1, {due}, {due},
                {due} + interval '12 hours', CASE WHEN $1 = 'sent' THEN now() END
            FROM notify.appointments
            """,
            state,
        )


async def explained(database: asyncpg.Pool, query: str, *arguments: object) -> str:
    """The query's plan, as a running notifier gets it: nothing was analyzed by hand."""
    async with database.acquire() as connection:
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", *arguments))
