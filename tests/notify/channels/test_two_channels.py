"""Mail and text messages side by side: a failure of one channel or message does not affect the others."""

from pydantic import SecretStr

from notifier.main import running_notifier
from tests.clinic import free_port
from tests.notify.channels.gateway import Gateway, choose_sms
from tests.notify.channels.test_misbehaving_server import addresses
from tests.notify.office import Office, bookings


async def test_a_notification_that_breaks_every_mail_connection_does_not_hold_up_the_others(
    office: Office,
) -> None:
    """With a second channel it used to be claimed first, again and again, and to close the first one."""
    office.settings = office.settings.model_copy(
        update={"sms_url": SecretStr(f"http://127.0.0.1:{free_port()}/")}
    )
    patients = await office.patients(30)
    [address] = await addresses(office, patients[:1])
    office.smtp.rule("rcpt", "421 4.7.0 not this one", to=address)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(patients))
        await office.reaches("sent", 29, 20)
        await office.reaches("planned", tries=1)
    [row] = await office.rows(kind="confirmation", patient_id=patients[0])
    assert row["reason"] == "put off for its recipient: 421 4.7.0"
    assert row["claim"] <= 4


async def test_a_forbidden_number_does_not_hold_up_the_others(office: Office, gateway: Gateway) -> None:
    patients = await office.patients(20)
    for number, patient in enumerate(patients):
        await choose_sms(office, patient, phone=f"+49301234{number:02}")
    gateway.forbidden = "+4930123400"
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(patients))
        await office.reaches("sent", 19, 20)
        await office.reaches("planned", reason="put off: 403", tries=1)
    [row] = await office.rows(kind="confirmation", patient_id=patients[0])
    assert (row["sends"], row["channel"]) == (0, "sms")


async def test_notifications_for_a_closed_channel_are_not_claimed(office: Office, gateway: Gateway) -> None:
    await office.smtp.process.stop()
    patients = await office.patients(60)
    await choose_sms(office, patients[-1])
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(patients))
        await office.reaches("sent")
        await office.smtp.process.start()
        await office.reaches("sent", 60, 120)
    # Once to learn its channel, once to send it, and a few times to see whether the server is back.
    claims = [row["claim"] for row in await office.rows(kind="confirmation")]
    assert sum(claims) <= 2 * 60 + 40, claims
    assert len(gateway.requests) == 1


async def test_a_patient_who_changes_the_channel_meanwhile_gets_it_by_the_new_one(
    office: Office, gateway: Gateway
) -> None:
    office.smtp.rule("rcpt", "450 4.2.1 later")
    [patient] = await office.patients(1)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings([patient]))
        await office.reaches("planned", channel="mail", tries=1)
        await choose_sms(office, patient)
        await office.hurry()
        await office.reaches("sent", channel="sms")
    assert len(gateway.requests) == 1


async def test_a_slow_channel_is_not_given_more_than_it_can_send(office: Office, gateway: Gateway) -> None:
    """The rate of text messages used to apply to mail too: mails outlived their claims and were put back."""
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 3.0, "sms_rate_per_s": 500.0})
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(await office.patients(20)))
        await office.reaches("sent", 20, 20)
    claims = [row["claim"] for row in await office.rows(kind="confirmation")]
    assert max(claims) <= 3, claims
