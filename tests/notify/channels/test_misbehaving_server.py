"""Whatever the server does, a notification arrives once, or the failure is recorded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from contracts.events import AppointmentBooked
from infra import clock
from notifier.main import running_notifier
from ops.tokens import register_patients
from tests.notify.channels.smtp_server import Step
from tests.notify.office import Office, bookings


@contextlib.asynccontextmanager
async def notified(office: Office, patients: int = 1) -> AsyncIterator[list[AppointmentBooked]]:
    """A running notifier with so many confirmations to send."""
    facts = bookings(await office.patients(patients))
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*facts)
        yield facts


async def sent_at_the_second_try(office: Office) -> None:
    """A confirmation that fails once and is retried at once."""
    async with notified(office):
        await office.reaches("planned", tries=1)
        await office.hurry()
        await office.reaches("sent")


async def test_a_confirmation_arrives_once_and_is_marked_as_sent(office: Office) -> None:
    async with notified(office):
        await office.reaches("sent")
    [mail] = office.smtp.mails
    [row] = await office.rows(kind="confirmation")
    assert str(row["id"]) in mail.id
    assert (row["tries"], row["sends"], row["claimed_until"]) == (0, 1, None)


async def test_a_temporary_failure_is_retried(office: Office) -> None:
    office.smtp.rule("rcpt", "450 4.2.1 greylisted", times=2)
    async with notified(office):
        for tries in (1, 2):
            await office.reaches("planned", tries=tries)
            [row] = await office.rows(kind="confirmation")
            assert row["reason"] == "put off for its recipient: 450 4.2.1"
            assert row["due_at"] > row["dated"]
            await office.hurry()
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1


@pytest.mark.parametrize(
    ("step", "reply", "reason"),
    [
        ("mail", "550 5.7.1 not you", "refused: 550 5.7.1"),
        ("rcpt", "550 5.1.1 <somebody@example.org> is unknown", "refused for its recipient: 550 5.1.1"),
        ("data", "554 5.7.1 spam", "refused: 554 5.7.1"),
        ("dot", "552 too long", "refused: 552"),
    ],
)
async def test_a_permanent_failure_is_undeliverable_with_the_reason(
    office: Office, step: Step, reply: str, reason: str
) -> None:
    office.smtp.rule(step, reply)
    async with notified(office, 2):
        await office.reaches("undeliverable", 2)
    assert {row["reason"] for row in await office.rows(kind="confirmation")} == {reason}
    assert office.smtp.mails == []


async def test_a_refused_recipient_does_not_hold_up_the_others(office: Office) -> None:
    office.smtp.rule("rcpt", "550 5.1.1 unknown", times=1)
    async with notified(office, 20):
        await office.reaches("sent", 19)
        await office.reaches("undeliverable", 1)
    assert len(office.smtp.mails) == 19


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
async def test_a_connection_lost_before_the_end_of_the_message_delivers_it_once(
    office: Office, step: Step
) -> None:
    office.smtp.rule(step, "drop", times=1)
    await sent_at_the_second_try(office)
    assert len(office.smtp.mails) == 1


async def test_a_connection_lost_after_the_end_of_the_message_may_deliver_it_twice_unchanged(
    office: Office,
) -> None:
    office.smtp.rule("dot", "drop", times=1)
    await sent_at_the_second_try(office)
    first, second = office.smtp.mails
    assert (first.id, first.content) == (second.id, second.content)
    [row] = await office.rows(kind="confirmation")
    assert row["sends"] == 2


async def test_a_slow_server_is_waited_for(office: Office) -> None:
    for step in ("connect", "mail", "data", "dot"):
        office.smtp.rule(step, "wait 1")
    async with notified(office, 6):
        await office.reaches("sent", 6)
    assert len(office.smtp.mails) == 6
    assert {row["sends"] for row in await office.rows(kind="confirmation")} == {1}


async def test_a_silent_server_times_out_and_is_retried(office: Office) -> None:
    hold = office.smtp.rule("mail", "hold")
    office.settings = office.settings.model_copy(update={"smtp_timeout_s": 0.5})
    async with notified(office):
        await office.reaches("planned", tries=1)
        [row] = await office.rows(kind="confirmation")
        assert row["reason"] == "the server did not answer in the middle"
        hold.lift()
        await office.hurry()
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1


async def test_a_server_that_is_shutting_down_does_not_count_as_a_try(office: Office) -> None:
    office.smtp.rule("mail", "421 4.3.2 going away", times=2)
    async with notified(office, 3):
        await office.reaches("sent", 3)
    assert [row["tries"] for row in await office.rows(kind="confirmation")] == [0, 0, 0]


async def test_a_connection_is_reused_and_replaced_after_some_messages(office: Office) -> None:
    office.settings = office.settings.model_copy(
        update={"smtp_connections": 1, "smtp_messages_per_connection": 5}
    )
    async with notified(office, 20):
        await office.reaches("sent", 20)
    assert office.smtp.steps("connect") == 4


async def test_a_connection_that_the_server_has_closed_meanwhile_is_replaced(office: Office) -> None:
    async with notified(office):
        await office.reaches("sent")
        await office.smtp.process.kill()
        await office.smtp.process.start()
        await office.send(*bookings(await office.patients(1)))
        await office.reaches("sent", 2)
    assert [row["tries"] for row in await office.rows(kind="confirmation")] == [0, 0]


async def test_a_kept_connection_at_its_servers_limit_is_replaced(office: Office) -> None:
    async with notified(office):
        await office.reaches("sent")
        office.smtp.rule("mail", "451 4.7.0 too many messages on this connection", times=1)
        await office.send(*bookings(await office.patients(1)))
        await office.reaches("sent", 2)
    assert [row["tries"] for row in await office.rows(kind="confirmation")] == [0, 0]
    assert office.smtp.steps("connect") == 2


async def test_a_new_connection_that_accepts_nothing_is_not_kept(office: Office) -> None:
    office.smtp.rule("mail", "451 4.7.0 not now", times=1)
    await sent_at_the_second_try(office)
    assert office.smtp.steps("connect") == 2


@pytest.mark.parametrize("code", [530, 535, 538])
async def test_a_missing_login_does_not_count_as_a_try(office: Office, code: int) -> None:
    rule = office.smtp.rule("mail", f"{code} 5.7.0 Authentication required")
    async with notified(office, 3):
        await office.reaches("planned", reason=f"login rejected: {code} 5.7.0")
        rule.lift()
        await office.reaches("sent", 3)
    assert {(row["tries"], row["sends"]) for row in await office.rows(kind="confirmation")} == {(0, 1)}


@pytest.mark.parametrize("step", ["data", "dot"])
async def test_a_certain_failure_does_not_count_as_sent_before(office: Office, step: Step) -> None:
    office.smtp.rule(step, "451 4.3.0 not now", times=1)
    repeats = REGISTRY.get_sample_value("clinic_notifier_repeats_total")
    async with notified(office):
        await office.reaches("planned", tries=1, sends=0)
        await office.hurry()
        await office.reaches("sent", sends=1)
    assert REGISTRY.get_sample_value("clinic_notifier_repeats_total") == repeats


async def test_a_clinic_with_an_international_domain_sends(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"mail_sender": "praxis@m\u00fcller.example"})
    async with notified(office):
        await office.reaches("sent")
    [mail] = office.smtp.mails
    assert "praxis@xn--mller-kva.example" in mail.content


async def test_a_non_ascii_address_is_used_where_the_server_supports_it(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"smtp_utf8": True})
    name = f"jörg.{clock.new_id().hex}"
    patients = await register_patients(office.settings, [f"{name}@bücher.example"])
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(patients))
        await office.reaches("sent")
    [mail] = office.smtp.mails
    assert mail.to == f"{name}@xn--bcher-kva.example"


async def test_a_rate_slower_than_the_claims_duration_is_kept_and_all_are_sent(office: Office) -> None:
    """A notification that waits too long for its turn is claimed again and keeps its turn."""
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 0.4})
    async with notified(office, 3):
        await office.reaches("sent", 3, 20)
    first, *_, last = office.smtp.mails
    assert last.at - first.at >= 2 / 0.4 - 0.5


async def test_a_message_that_kills_every_connection_does_not_hold_up_the_others(office: Office) -> None:
    patients = await office.patients(12)
    facts = bookings(patients)
    [address] = await addresses(office, patients[:1])
    office.smtp.rule("data", "drop", to=address)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*facts)
        await office.reaches("sent", 11)
    [row] = await office.rows(patient_id=patients[0], kind="confirmation")
    assert (row["state"], row["reason"]) == (
        "planned",
        "the server hung up before its answer to the whole message",
    )


async def addresses(office: Office, patients: list) -> list[str]:  # type: ignore[type-arg]
    """Their mail addresses."""
    from infra.keys import Keys
    from storage.patients import Patients

    directory = Patients(office.postgres, Keys.load(office.settings))
    found = await asyncio.gather(*(directory.find(patient_id) for patient_id in patients))
    return [known.profile.email for known in found if known is not None]
