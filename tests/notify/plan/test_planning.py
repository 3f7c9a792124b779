"""Each event is planned for once, and only the latest version of an appointment counts."""

import json
from datetime import timedelta

from contracts.commands import VisitOutcome
from contracts.events import CancelledBy, Fact, OutcomeRecorded
from infra import clock
from notifier.main import running_notifier
from ops.notify import retry_notifications
from tests.notify.facts import DOCTOR, OTHER_DOCTOR, booked, cancelled, moved
from tests.notify.office import Office, bookings

MONTH = timedelta(days=30)
HOUR = timedelta(hours=1)


async def test_a_planned_notification_is_superseded_by_the_next_version(office: Office) -> None:
    office.smtp.rule("connect", "hold")
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + HOUR)
    third = cancelled(second, CancelledBy.CLINIC)
    await office.doctor()
    async with running_notifier(office.settings):
        seen = []
        for fact in (first, second, third):
            await office.send(fact)
            await office.takes_in()
            seen.append(await office.states(version=fact.version))
    planned = [[(kind, hours, state) for kind, hours, state in states] for states in seen]
    assert planned == [
        [("confirmation", None, "planned"), ("reminder", 24, "planned"), ("reminder", 2, "planned")],
        [("reminder", 24, "planned"), ("reminder", 2, "planned"), ("reschedule", None, "planned")],
        [("cancellation", None, "planned")],
    ]
    for version in (1, 2):
        assert {state for _, _, state in await office.states(version=version)} == {"superseded"}


async def test_after_an_outage_only_the_latest_version_is_mailed(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + HOUR)
    await office.doctor()
    await office.send(first, second)
    async with running_notifier(office.settings):
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1
    assert await office.states(state="sent") == [("reschedule", None, "sent")]


async def test_each_step_of_an_appointment_is_mailed_once(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + HOUR)
    facts: list[Fact] = [first, second, cancelled(second)]
    await office.doctor()
    async with running_notifier(office.settings):
        for number, fact in enumerate(facts, 1):
            await office.send(fact)
            await office.reaches("sent", number)
    assert await office.states(state="sent") == [
        ("cancellation", None, "sent"),
        ("confirmation", None, "sent"),
        ("reschedule", None, "sent"),
    ]
    assert len({mail.id for mail in office.smtp.mails}) == len(office.smtp.mails) == 3


async def test_a_lower_version_that_is_read_late_plans_nothing(office: Office) -> None:
    """It moved to a doctor of another partition, whose events are read first."""
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + HOUR, doctor_id=OTHER_DOCTOR)
    await office.doctor(DOCTOR, partition=0)
    await office.doctor(OTHER_DOCTOR, partition=7, name="Dr. Other")
    async with running_notifier(office.settings):
        await office.send(second, partition=7)
        await office.reaches("sent")
        await office.send(first, partition=0)
        await office.takes_in()
        assert await office.rows(version=1) == []
    [mail] = office.smtp.mails
    assert "Dr. Other" in mail.content


async def test_an_unknown_doctor_is_waited_for(office: Office) -> None:
    """A cancellation may be read in the old doctor's partition before the new doctor's registration is."""
    first = booked((await office.patients(1))[0], clock.now() + MONTH, doctor_id=OTHER_DOCTOR)
    async with running_notifier(office.settings):
        await office.send(first, partition=0)
        await office.reaches("planned", kind="confirmation", reason="the doctor is not known yet")
        await office.doctor(OTHER_DOCTOR, partition=7)
        await office.takes_in()
        await office.hurry()
        await office.reaches("sent")


async def test_events_read_again_from_the_beginning_mail_nothing_twice(office: Office) -> None:
    facts = [booked(patient, clock.now() + MONTH) for patient in await office.patients(5)]
    await office.doctor()
    await office.send(*facts)
    async with running_notifier(office.settings):
        await office.reaches("sent", 5)
    await office.postgres.execute("UPDATE notify.progress SET next_offset = 0, last_sequence = 0")
    async with running_notifier(office.settings):
        await office.takes_in()
        await office.send(booked((await office.patients(1))[0], clock.now() + MONTH))
        await office.reaches("sent", 6)
    assert len(office.smtp.mails) == 6


async def test_a_new_notifier_on_an_old_log_plans_reminders_and_mails_nothing_of_the_past(
    office: Office,
) -> None:
    patients = await office.patients(40)
    yesterday = clock.now() - timedelta(days=1)
    facts = [booked(patient, clock.now() + MONTH) for patient in patients[:20]]
    over = [booked(patient, yesterday) for patient in patients[20:]]
    await office.doctor()
    await office.send(*facts, *over, decided_at=yesterday - HOUR)
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + MONTH))
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1
    assert [kind for kind, _, state in await office.states(state="planned")] == ["reminder"] * 42
    assert await office.rows(state="sending") == []


async def test_a_notification_planned_too_late_is_listed_and_can_be_sent(office: Office) -> None:
    """The notifier was stopped for longer than notices are retried."""
    await office.postgres.execute("UPDATE notify.origin SET at = at - interval '30 days'")
    first, second = bookings(await office.patients(2))
    await office.doctor()
    await office.send(first, second, decided_at=clock.now() - timedelta(hours=100))
    await office.send(cancelled(second), decided_at=clock.now() - timedelta(hours=73))
    async with running_notifier(office.settings):
        await office.reaches("undeliverable", 2, reason="too late")
        assert office.smtp.mails == []
        await retry_notifications(office.settings, None, as_json=False)
        await office.reaches("sent", 2)
    assert await office.states(state="sent") == [
        ("cancellation", None, "sent"),
        ("confirmation", None, "sent"),
    ]


async def test_no_reminder_of_a_past_visit(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    outcome = OutcomeRecorded(
        appointment_id=first.appointment_id,
        doctor_id=DOCTOR,
        patient_id=first.patient_id,
        outcome=VisitOutcome.COMPLETED,
        version=2,
    )
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(first)
        await office.reaches("sent")
        await office.send(outcome)
        await office.takes_in()
    assert await office.states(kind="reminder") == [
        ("reminder", 24, "superseded"),
        ("reminder", 2, "superseded"),
    ]


async def test_a_newer_notification_does_not_overtake_one_that_is_being_sent(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    reply = office.smtp.rule("reply", "hold")
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(first)
        await office.smtp.reaches("reply")
        await office.send(cancelled(first))
        await office.takes_in()
        assert await office.states(version=2) == [("cancellation", None, "planned")]
        assert await office.states(kind="confirmation") == [("confirmation", None, "superseded")]
        reply.lift()
        await office.reaches("sent", 2)
    assert await office.states(kind="confirmation") == [("confirmation", None, "sent")]
    assert len(office.smtp.mails) == 2


async def test_nothing_in_the_tables_or_the_log_names_a_patient(office: Office) -> None:
    patients = await office.patients(2)
    office.smtp.rule("rcpt", "550 5.1.1 <somebody@example.org> unknown", times=1)
    await office.doctor()
    notifier = office.notifier()
    await notifier.start()
    await office.send(*(booked(patient, clock.now() + MONTH) for patient in patients))
    await office.reaches("undeliverable")
    await office.reaches("sent")
    await notifier.stop()
    addresses = [mail.to for mail in office.smtp.mails]
    tables = await office.postgres.fetchval(
        "SELECT (SELECT json_agg(n) FROM notify.notifications n)::text"
        " || (SELECT json_agg(a) FROM notify.appointments a)::text"
    )
    log = notifier.log_path.read_text()
    assert [json.loads(line)["level"] for line in log.splitlines() if "undeliverable" in line] == ["error"]
    for text in (tables, log):
        assert "@example.org" not in text
        assert addresses[0].partition("@")[0] not in text
