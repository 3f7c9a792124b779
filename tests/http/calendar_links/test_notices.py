"""Whoever makes a calendar link gets a mail about it."""

from contracts.challenges import Secret
from infra.tokens import Role
from ingress.login.limits import CALENDAR_LINKS_PER_PERSON_HOUR
from tests.clinic import Clinic
from tests.http.asking import get, problem
from tests.http.calendar_links.test_calendar_links import MINE, made, shows
from tests.http.login.logins import log_in, notices
from tests.http.login.staff import log_in_staff, member
from tests.http.people import new_address


async def told(clinic: Clinic, email: str) -> list[Secret]:
    return [notice for notice in await notices(clinic) if notice.email == email]


async def test_a_patient_is_told_in_their_language_of_each(shared: Clinic) -> None:
    email = new_address()
    patient = await log_in(shared, email)
    await shared.http.patch("/v1/me", headers=patient.headers, json={"language": "de"})
    for count in (1, 2):
        await made(shared, patient.headers)
        notice = Secret(email=email, language="de", calendar_link_made=True)
        assert await told(shared, email) == [notice] * count

    await shared.http.delete(MINE, headers=patient.headers)
    assert len(await told(shared, email)) == 2, "it takes access away, and is not told"


async def test_staff_are_told_of_a_doctors_that_they_made(shared: Clinic) -> None:
    employee = await member(shared, Role.STAFF)
    tokens, doctor_id = await log_in_staff(shared, employee), await shared.doctor()
    await made(shared, tokens.headers, f"/v1/doctors/{doctor_id}/calendar-link")
    assert await told(shared, employee.email) == [Secret(email=employee.email, calendar_link_made=True)]


async def test_without_the_mail_the_former_link_stays(shared: Clinic) -> None:
    patient = await log_in(shared, new_address())
    former = await made(shared, patient.headers)
    before = await get(shared.http, MINE, patient.headers)
    async with shared.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE notify.notifications IN EXCLUSIVE MODE")
        problem(await shared.http.post(MINE, headers=patient.headers), 503, "store_unavailable")
    await shows(shared, former)
    assert await get(shared.http, MINE, patient.headers) == before


async def test_a_mailbox_gets_so_many_an_hour(shared: Clinic) -> None:
    email = new_address()
    patient = await log_in(shared, email)
    for _ in range(CALENDAR_LINKS_PER_PERSON_HOUR.amount):
        last = await made(shared, patient.headers)
    problem(await shared.http.post(MINE, headers=patient.headers), 429, "rate_limited")
    await shows(shared, last)
    assert len(await told(shared, email)) == CALENDAR_LINKS_PER_PERSON_HOUR.amount
