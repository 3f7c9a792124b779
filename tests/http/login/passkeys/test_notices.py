"""Whoever gets or loses a passkey gets a mail about it."""

from contracts.challenges import Secret
from infra.tokens import Role
from ingress.login.limits import PASSKEYS_PER_PERSON_HOUR
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import problem
from tests.http.login.logins import LoggedIn, log_in, new_address, notices
from tests.http.login.passkeys.devices import WRONG, add, authenticator, give, listed, refused, registration
from tests.http.login.staff import log_in_staff, member


async def notices_to(clinic: Clinic, email: str) -> list[Secret]:
    """The notices of passkeys."""
    return [secret for secret in await notices(clinic) if secret.email == email and secret.passkey_added]


async def test_a_patient_is_told_in_their_language(shared: Clinic, new_device: Authenticator) -> None:
    email = new_address()
    patient = await log_in(shared, email)
    await shared.http.patch("/v1/me", headers=patient.headers, json={"name": "Ada", "language": "de"})
    await add(shared, patient, new_device, "a name of the thief's choice")

    notice = Secret(email=email, language="de", passkey_added=True)
    assert await notices_to(shared, email) == [notice]


async def test_so_is_staff(shared: Clinic, new_device: Authenticator) -> None:
    employee = await member(shared, Role.STAFF)
    await add(shared, await log_in_staff(shared, employee), new_device)
    assert len(await notices_to(shared, employee.email)) == 1


async def test_nobody_is_told_of_what_was_not_added(shared: Clinic, new_device: Authenticator) -> None:
    email = new_address()
    patient = await log_in(shared, email)
    asked = await registration(shared, patient)
    wrong = new_device.doing(**WRONG["another origin"])
    refused(await give(shared, patient, asked, wrong.create(asked["public_key"])))
    assert await notices_to(shared, email) == []


async def test_without_the_mail_there_is_no_passkey(
    shared: Clinic, patient: LoggedIn, new_device: Authenticator
) -> None:
    asked = await registration(shared, patient)
    async with shared.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE notify.notifications IN EXCLUSIVE MODE")
        given = await give(shared, patient, asked, new_device.create(asked["public_key"]))
    problem(given, 503, "store_unavailable")
    assert await listed(shared, patient) == []


async def test_a_mailbox_gets_so_many_an_hour(shared: Clinic, patient: LoggedIn) -> None:
    for _ in range(PASSKEYS_PER_PERSON_HOUR.amount):
        added = await add(shared, patient, authenticator(shared))
        await shared.http.delete(f"/v1/me/passkeys/{added['id']}", headers=patient.headers)
    asked = await registration(shared, patient)
    device = authenticator(shared)
    problem(await give(shared, patient, asked, device.create(asked["public_key"])), 429, "rate_limited")
    assert await listed(shared, patient) == []


async def test_whoever_loses_one_is_told(shared: Clinic) -> None:
    email = new_address()
    patient = await log_in(shared, email)
    added = await add(shared, patient, authenticator(shared))
    path = f"/v1/me/passkeys/{added['id']}"
    for status in (204, 404):
        assert (await shared.http.delete(path, headers=patient.headers)).status_code == status
    employee = await member(shared, Role.STAFF)
    tokens = await log_in_staff(shared, employee)
    added = await add(shared, tokens, authenticator(shared))
    await shared.http.delete(f"/v1/me/passkeys/{added['id']}", headers=tokens.headers)

    told = [notice for notice in await notices(shared) if notice.passkey_removed]
    assert told[-2:] == [Secret(email=whose, passkey_removed=True) for whose in (email, employee.email)]


async def test_without_the_mail_none_is_removed(shared: Clinic, patient: LoggedIn) -> None:
    added = await add(shared, patient, authenticator(shared))
    async with shared.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE notify.notifications IN EXCLUSIVE MODE")
        removed = await shared.http.delete(f"/v1/me/passkeys/{added['id']}", headers=patient.headers)
    problem(removed, 503, "store_unavailable")
    assert [passkey["id"] for passkey in await listed(shared, patient)] == [added["id"]]
