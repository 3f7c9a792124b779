"""Login codes are sent before everything else, once, while they are valid."""

from datetime import timedelta

import pytest

from contracts.topics import LOGIN_CHALLENGES_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.redis import connect
from notifier.main import running_notifier
from tests.notify.office import Office, bookings
from tests.notify.plan.test_reminders import shifted


async def test_a_code_is_mailed_to_the_patient(office: Office) -> None:
    async with running_notifier(office.settings):
        await office.challenge((await office.patients(1))[0], "31415926")
        await office.reaches("sent")
    [mail] = office.smtp.mails
    assert "31415926" in mail.content


async def test_staff_get_a_code_at_the_address_in_the_challenge(office: Office) -> None:
    async with running_notifier(office.settings):
        await office.challenge(None, "27182818", email="staff@example.org", name="Kim")
        await office.reaches("sent")
    [mail] = office.smtp.mails
    assert mail.to == "staff@example.org"
    assert "27182818" in mail.content


async def test_codes_overtake_other_notifications(office: Office) -> None:
    office.settings = office.settings.model_copy(update={"smtp_rate_per_s": 10.0})
    patients = await office.patients(104)
    await office.doctor()
    await office.send(*bookings(patients[:100]))
    async with running_notifier(office.settings):
        await office.smtp.receives(3)
        for number, patient in enumerate(patients[100:]):
            await office.challenge(patient, f"9999000{number}")
        await office.reaches("sent", 4, kind="login_code")
        assert len(await office.rows(state="sent")) < 90, "sent without waiting for the others"


async def test_codes_do_not_wait_for_the_answers_to_other_notifications(office: Office) -> None:
    office.settings = office.settings.model_copy(
        update={"smtp_accept_timeout_s": 60.0, "smtp_connections": 4}
    )
    patients = await office.patients(5)
    await office.doctor()
    async with running_notifier(office.settings):
        with office.smtp.held("reply", times=4):
            await office.send(*bookings(patients[:4]))
            await office.smtp.reaches("reply", 4)
            await office.challenge(patients[4])
            await office.reaches("sent", kind="login_code", timeout_s=10)
            assert await office.rows(kind="confirmation", state="sent") == []


async def test_an_expired_code_is_not_sent(office: Office) -> None:
    [patient] = await office.patients(1)
    office.smtp.rule("mail", "421 4.3.2 not now")
    async with running_notifier(office.settings):
        await office.challenge(patient, valid=timedelta(seconds=-1))
        await office.challenge(patient, valid=timedelta(minutes=10))
        await office.reaches("planned", reason="the server is shutting down: 421 4.3.2")
        await shifted(office, timedelta(minutes=10))
        office.smtp.lift_all()
        await office.reaches("dropped", kind="login_code")
    assert [row["state"] for row in await office.rows()] == ["dropped"]
    assert office.smtp.mails == []


async def test_a_code_is_due_at_once_whatever_the_clock_of_the_host(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=5))
    async with running_notifier(office.settings):
        await office.challenge((await office.patients(1))[0])
        await office.reaches("sent", timeout_s=30)


async def test_a_code_that_redis_has_lost_is_dropped(office: Office) -> None:
    [patient] = await office.patients(1)
    await office.challenge(patient)
    redis = connect(office.settings)
    await redis.delete(*[key async for key in redis.scan_iter(f"{office.settings.namespace}challenge:*")])
    await redis.aclose()
    async with running_notifier(office.settings):
        await office.reaches("dropped")
    [row] = await office.rows()
    assert row["reason"] == "the code has expired"


async def test_a_repeated_challenge_is_mailed_once(office: Office) -> None:
    [patient] = await office.patients(1)
    await office.challenge(patient)
    async with running_notifier(office.settings):
        await office.reaches("sent")
    await office.postgres.execute("UPDATE notify.progress SET next_offset = 0, last_sequence = 0")
    async with running_notifier(office.settings):
        await office.challenge(patient)
        await office.reaches("sent", 2)
    assert len(office.smtp.mails) == 2


async def test_challenges_that_the_topic_no_longer_has_are_skipped(office: Office) -> None:
    """The notifier was stopped for longer than the topic keeps its messages."""
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    from infra.kafka.connection import connection

    [patient] = await office.patients(1)
    async with running_notifier(office.settings):
        for _ in range(12):
            await office.challenge(patient)
        await office.reaches("sent", 12)
    for _ in range(12):
        await office.challenge(patient)
    topic = topic_name(office.settings, LOGIN_CHALLENGES_TOPIC)
    admin = AIOKafkaAdminClient(**connection(office.settings))
    await admin.start()
    partitions = [TopicPartition(topic, number) for number in range(LOGIN_CHALLENGES_TOPIC.partitions)]
    await admin.delete_records({partition: RecordsToDelete(-1) for partition in partitions})
    await admin.close()
    async with running_notifier(office.settings):
        for _ in range(12):
            await office.challenge(patient)
        await office.reaches("sent", 24)


async def test_a_forgotten_patient_gets_no_code(office: Office) -> None:
    [patient] = await office.patients(1)
    await office.postgres.execute(
        "UPDATE people.patients"
        " SET address_index = NULL, data_key = NULL, key_epoch = NULL, profile = NULL, forgotten_at = now()"
    )
    async with running_notifier(office.settings):
        await office.challenge(patient)
        await office.reaches("dropped")
    [row] = await office.rows()
    assert row["reason"] == "forgotten"
