"""Notices of a changed address: planned with the change, sent once, however long others were away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.redis import connect
from infra.settings import Settings
from notifier.main import running_notifier
from ops.notify import show_notification
from storage.login.sessions import Sessions
from tests.clinic import Clinic, Patient
from tests.clinic import clinic as running_clinic
from tests.http.asking import get, problem
from tests.http.login.logins import code_of, new_address, notices
from tests.http.patients.contact_changes import ask_for, changed, confirm
from tests.http.people import forget
from tests.notify.office import Office

# Without the codes, which nobody knows whose they are.
ROWS = """
SELECT id, state, reason, secret, deadline_at - dated AS tried_for FROM notify.notifications
WHERE patient_id IS NOT NULL
"""


@pytest.fixture
async def told(settings: Settings, template: str, office: Office) -> AsyncIterator[Clinic]:
    """A clinic whose mails go to the office's server, with its notifier left to the test."""
    async with running_clinic(office.smtp.settings(settings), template, worker=False) as clinic:
        office.postgres = clinic.postgres
        yield clinic


@pytest.fixture
async def patient(told: Clinic) -> Patient:
    return await told.patient()


async def test_reaches_the_former_address_when_topic_and_redis_have_forgotten(
    told: Clinic, patient: Patient, office: Office
) -> None:
    former = (await get(told.http, "/v1/me", patient.headers))["email"]
    await changed(told, patient, "email", new_address())
    [notice] = await notices(told)
    redis = connect(told.settings)
    await redis.flushdb()
    await redis.aclose()
    [planned] = await told.postgres.fetch(ROWS)
    assert planned["tried_for"].days == 7, "as long as its link is good"
    assert former.encode() not in planned["secret"]

    # Two of them, one after the other: it is sent once.
    for _ in range(2):
        async with running_notifier(told.settings):
            await office.reaches("sent", patient_id=patient.id)

    [mail] = office.smtp.mails
    assert mail.to == former
    assert notice.undo is not None
    assert notice.undo in mail.content.replace("=\r\n", "").replace("=\n", "")
    [sent] = await told.postgres.fetch(ROWS)
    assert sent["secret"] is None


async def test_is_planned_once_and_with_the_change_or_not_at_all(told: Clinic, patient: Patient) -> None:
    challenge_id = await ask_for(told, patient, "email", address := new_address())
    code = await code_of(told, challenge_id)
    before = await get(told.http, "/v1/me", patient.headers)
    async with told.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE notify.notifications IN EXCLUSIVE MODE")
        problem(await confirm(told, patient, "email", challenge_id, code), 503, "store_unavailable")
    assert await get(told.http, "/v1/me", patient.headers) == before
    assert await told.postgres.fetch(ROWS) == []

    sent = await asyncio.gather(*(confirm(told, patient, "email", challenge_id, code) for _ in range(4)))
    assert sorted(response.status_code for response in sent) == [200, 401, 401, 401]
    await changed(told, patient, "email", address)

    assert len(await told.postgres.fetch(ROWS)) == 1


async def test_goes_with_the_patient_who_is_forgotten(told: Clinic, patient: Patient, office: Office) -> None:
    await changed(told, patient, "email", new_address())
    await forget(told, patient)
    [row] = await told.postgres.fetch(ROWS)
    assert row["secret"] is None

    async with running_notifier(told.settings):
        await office.reaches("dropped", patient_id=patient.id)

    assert office.smtp.mails == []


async def test_that_never_arrived_is_for_staff_to_see_and_its_address_is_deleted(
    told: Clinic, patient: Patient, office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    await changed(told, patient, "email", new_address())
    await told.postgres.execute("UPDATE notify.notifications SET deadline_at = now()")

    async with running_notifier(told.settings):
        await office.reaches("undeliverable", patient_id=patient.id)

    [row] = await told.postgres.fetch(ROWS)
    assert (row["reason"], office.smtp.mails) == ("too late", [])
    await show_notification(told.settings, row["id"])
    assert "secret" not in capsys.readouterr().out
    await Sessions(told.postgres).delete_old()
    [row] = await told.postgres.fetch(ROWS)
    assert row["secret"] is None
