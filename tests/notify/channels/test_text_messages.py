"""Text messages go through the gateway, to patients who chose them and have a phone."""

import asyncio
from datetime import timedelta

import pytest

from infra import clock
from notifier.main import running_notifier
from tests.notify.channels.gateway import PHONE, Gateway, choose_sms
from tests.notify.facts import booked
from tests.notify.office import Office
from tests.waiting import until

MONTH = timedelta(days=30)


async def test_patients_who_chose_text_messages_get_them_and_the_others_get_mail(
    office: Office, gateway: Gateway
) -> None:
    by_sms, by_mail = await office.patients(2)
    await choose_sms(office, by_sms)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*(booked(patient, clock.now() + MONTH) for patient in (by_sms, by_mail)))
        await office.reaches("sent", 2)
    [(headers, request)] = gateway.requests
    [row] = await office.rows(kind="confirmation", patient_id=by_sms)
    assert request["message"]["recipients"] == [PHONE]
    assert request["message"]["body"].startswith("Clinic: ")
    assert (request["ref"], request["ttl"]) == (str(row["id"]), 60)
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["idempotency-key"] == str(row["id"])
    assert len(office.smtp.mails) == 1


async def test_without_a_gateway_all_goes_by_mail(office: Office) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("sent")
    assert len(office.smtp.mails) == 1


async def test_without_a_phone_it_goes_by_mail(office: Office, gateway: Gateway) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient, phone=None)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("sent")
    assert (len(office.smtp.mails), gateway.requests) == (1, [])


@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        (429, "put off: 429", 1),
        (503, "the gateway answered 503", 1),
        (401, "login rejected: 401", 0),
    ],
)
async def test_a_temporary_failure_of_the_gateway_is_retried(
    office: Office, gateway: Gateway, status: int, reason: str, tries: int
) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    gateway.statuses = [status] * 2
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("planned", reason=reason, tries=tries)
        await office.hurry()
        await asyncio.to_thread(until, lambda: len(gateway.requests) >= 2, "tried again")
        gateway.statuses = []
        await office.reaches("planned", kind="confirmation")
        await office.hurry()
        await office.reaches("sent")
    assert len({headers["idempotency-key"] for headers, _ in gateway.requests}) == 1


async def test_a_permanent_failure_of_the_gateway_is_undeliverable(office: Office, gateway: Gateway) -> None:
    [patient] = await office.patients(1)
    await choose_sms(office, patient)
    gateway.statuses = [422]
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked(patient, clock.now() + MONTH))
        await office.reaches("undeliverable")
    [row] = await office.rows(kind="confirmation")
    assert row["reason"] == "refused: 422"


async def test_an_outage_of_the_mail_server_does_not_hold_up_text_messages(
    office: Office, gateway: Gateway
) -> None:
    await office.smtp.process.stop()
    patients = await office.patients(60)
    await choose_sms(office, patients[-1])
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*(booked(patient, clock.now() + MONTH) for patient in patients))
        await office.reaches("sent")
    assert len(gateway.requests) == 1
    await office.smtp.process.start()
