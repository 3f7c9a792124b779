"""A mail about a reschedule names the time that the patient was last told."""

import email
import email.policy
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from notifier.content import times
from notifier.main import running_notifier
from tests.notify.facts import booked, moved
from tests.notify.office import Office

MONTH = timedelta(days=30)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_reschedule_names_the_time_that_the_patient_knows(office: Office, at_once: bool) -> None:
    """Not the time of a move that was never mailed; but that time if it was."""
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + 24 * HOUR)
    third = moved(second, first.starts_at + 48 * HOUR)
    fourth = moved(third, first.starts_at + 72 * HOUR)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(first)
        await office.reaches("sent")
    away = office.smtp.rule("connect", "hold")
    if at_once:
        await office.send(second, third)
    async with running_notifier(office.settings):
        for fact in () if at_once else (second, third):
            await office.send(fact)
            await office.takes_in()
        away.lift()
        await office.reaches("sent", 2)
        await office.send(fourth)
        await office.reaches("sent", 3)
    for mail, believed in zip(office.smtp.mails[1:], (first, third), strict=True):
        body = email.message_from_string(mail.content, policy=email.policy.default).get_body(("plain",))
        assert body is not None
        day = times.day(believed.starts_at.astimezone(ZoneInfo("Europe/Berlin")), "en")
        assert f"\nPreviously: {day}, " in body.get_content()


async def test_a_move_before_the_confirmation_was_sent_is_a_confirmation(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    unavailable = office.smtp.rule("connect", "hold")
    await office.doctor()
    async with running_notifier(office.settings):
        for fact in (first, moved(first, first.starts_at + 24 * HOUR)):
            await office.send(fact)
            await office.takes_in()
        unavailable.lift()
        await office.reaches("sent")
    [mail] = office.smtp.mails
    message = email.message_from_string(mail.content, policy=email.policy.default)
    assert message["Subject"].startswith("Appointment confirmed: ")


async def test_an_appointment_back_at_the_known_time_is_not_mailed(office: Office) -> None:
    first = booked((await office.patients(1))[0], clock.now() + MONTH)
    second = moved(first, first.starts_at + 24 * HOUR)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(first)
        await office.reaches("sent")
    unavailable = office.smtp.rule("connect", "hold")
    async with running_notifier(office.settings):
        for fact in (second, moved(second, first.starts_at)):
            await office.send(fact)
            await office.takes_in()
        unavailable.lift()
        await office.reaches("dropped", reason="nothing has changed since the last notification")
    assert len(office.smtp.mails) == 1
