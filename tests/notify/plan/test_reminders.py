"""Reminders are sent when they fall due, and dropped when they are of no use any more."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from infra import clock
from infra.keys import Keys
from notifier.deliver.outbox import KINDS, SQL
from notifier.main import running_notifier
from storage.patients import Patients
from tests.notify.facts import booked
from tests.notify.office import Office, bookings
from tests.waiting import until_async

HOUR = timedelta(hours=1)
MANY = 100_000


async def shifted(office: Office, by: timedelta, **where: object) -> None:
    """Let time pass: planned notifications fall due earlier by this much. No notifier is woken."""
    conditions = "".join(f" AND {name} = ${number}" for number, name in enumerate(where, 2))
    await office.postgres.execute(
        "UPDATE notify.notifications"
        " SET due_at = due_at - $1::interval, dated = dated - $1, deadline_at = deadline_at - $1"
        f" WHERE state = 'planned'{conditions}",
        by,
        *where.values(),
    )


async def visit(office: Office, after: timedelta = timedelta(days=3)) -> None:
    """A patient's visit with its confirmation sent and its reminders planned."""
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + after))
        await office.reaches("sent", kind="confirmation")
    assert await office.states(kind="reminder") == [("reminder", 24, "planned"), ("reminder", 2, "planned")]


async def test_a_reminder_that_fell_due_while_no_notifier_ran_is_sent_by_the_next(
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


async def test_a_late_reminder_is_dropped_with_the_reason_and_the_next_one_is_sent(office: Office) -> None:
    await visit(office)
    await shifted(office, 48 * HOUR + 12 * HOUR)
    async with running_notifier(office.settings):
        await office.reaches("dropped", hours_before=24)
        await shifted(office, 10.5 * HOUR)
        await office.hurry()
        await office.reaches("sent", hours_before=2)
    [row] = await office.rows(hours_before=24)
    assert row["reason"] == "too late"


async def test_a_running_notifier_wakes_up_when_a_reminder_falls_due(office: Office) -> None:
    """It sleeps until then, without being notified and without polling."""
    await office.doctor()
    async with running_notifier(office.settings):
        soon = clock.now() + timedelta(hours=2, seconds=4)
        await office.send(booked((await office.patients(1))[0], soon))
        await office.reaches("sent", kind="confirmation")
        await office.reaches("sent", kind="reminder", timeout_s=30)
    [row] = await office.rows(kind="reminder")
    assert timedelta(0) <= row["finished_at"] - row["dated"] < timedelta(seconds=10)


async def test_during_an_outage_late_reminders_are_dropped_and_confirmations_are_not(
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
    reasons = {row["reason"] for row in await office.rows(state="dropped")}
    # A closed channel tries one notification at a time: the other may have been tried or not.
    assert "too late; last: SMTPConnectError: cannot connect" in reasons
    assert reasons <= {"too late; last: SMTPConnectError: cannot connect", "too late"}


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
async def test_patients_who_turned_reminders_off_get_none(office: Office, choice: str) -> None:
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
async def test_turning_reminders_off_stops_a_reminder_under_way(office: Office, choice: str) -> None:
    """The reminder is claimed, and its connection is already open."""
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
    """The patients' directory of the ingress."""
    return Patients(office.postgres, Keys.load(office.settings))


async def without_reminders(office: Office, patient_id: UUID) -> None:
    """Turn reminders off, as the link in a reminder does."""
    await directory(office).change(patient_id, lambda profile: replace(profile, reminders=False))


async def test_a_hundred_thousand_planned_reminders_cost_a_claim_nothing(office: Office) -> None:
    """Due notifications are found by an index: no plan reads those that are not due, or done."""
    await plan_many(office.postgres, MANY)
    for lane in KINDS:
        queries: list[tuple[str, tuple[object, ...]]] = [
            (SQL[lane]["claim"], (["sms"], 50, timedelta(seconds=1), [])),
            (SQL[lane]["next_due"], (["sms"],)),
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

        async def counted() -> bool:
            return (await statistics(office))[0] - changed >= 3 * 20

        await until_async(counted, "Postgres counts what was claimed, begun and sent")
    assert (await statistics(office))[1] - read < MANY, "the table was not scanned"


async def statistics(office: Office) -> tuple[int, int]:
    """Postgres' statistics: how many notifications were updated, and how many were read without an index."""
    row = await office.postgres.fetchrow(
        "SELECT n_tup_upd, seq_tup_read FROM pg_stat_user_tables"
        " WHERE relid = 'notify.notifications'::regclass"
    )
    assert row is not None
    return row["n_tup_upd"], row["seq_tup_read"]


async def plan_many(database: asyncpg.Pool, count: int) -> None:
    """Reminders of many future visits, and as many that were sent."""
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
    """The query's plan as a running notifier gets it, without a manual ANALYZE."""
    async with database.acquire() as connection:
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", *arguments))
