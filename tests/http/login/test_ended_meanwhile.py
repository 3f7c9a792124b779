"""A session that an ingress does not know yet to have ended: nothing that it makes outlasts it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra import clock
from infra.keys import Keys
from infra.tokens import Role
from ops.staff.accounts import disable
from storage.login.calendar_links import CalendarLinks, Owner, OwnerKind
from tests.clinic import Clinic, Patient
from tests.http.asking import get, problem
from tests.http.login import staff
from tests.http.login.logins import LoggedIn, code_of, log_in, new_address, session_of
from tests.http.login.passkeys import devices
from tests.http.patients.contact_changes import ask_for, confirm
from tests.waiting import until_async

MINE = "/v1/me/calendar-link"
END = "UPDATE login.sessions SET ended_at = now(), end_reason = 'ended_elsewhere' WHERE id = $1"
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)

Made = Callable[[], Coroutine[Any, Any, httpx.Response]]


async def passkey(clinic: Clinic, who: LoggedIn) -> Made:
    asked = await devices.registration(clinic, who)
    passkey = devices.authenticator(clinic).create(asked["public_key"])
    return lambda: devices.give(clinic, who, asked, passkey)


async def own_calendar_link(clinic: Clinic, who: LoggedIn) -> Made:
    return lambda: clinic.http.post(MINE, headers=who.headers)


async def new_email(clinic: Clinic, who: LoggedIn) -> Made:
    return await _confirmation(clinic, who, "email", new_address())


async def new_phone(clinic: Clinic, who: LoggedIn) -> Made:
    return await _confirmation(clinic, who, "phone", f"+49{clock.new_digits(10)}")


async def _confirmation(clinic: Clinic, who: LoggedIn, field: str, value: str) -> Made:
    patient = Patient(clock.new_id(), who.headers)
    challenge_id = await ask_for(clinic, patient, field, value)
    code = await code_of(clinic, challenge_id)
    return lambda: confirm(clinic, patient, field, challenge_id, code)


async def made_by(clinic: Clinic, who: LoggedIn) -> list[Any]:
    """The person's passkeys, calendar link and profile."""
    return [
        await devices.listed(clinic, who),
        await get(clinic.http, MINE, who.headers),
        await get(clinic.http, "/v1/me", who.headers),
    ]


PATIENTS = [passkey, own_calendar_link, new_email, new_phone]


@pytest.mark.parametrize("prepared", PATIENTS)
class TestAPatient:
    async def test_makes_nothing_with_a_session_that_has_ended(
        self, shared: Clinic, prepared: Callable[[Clinic, LoggedIn], Awaitable[Made]]
    ) -> None:
        email = new_address()
        stolen, own = await log_in(shared, email), await log_in(shared, email)
        make = await prepared(shared, stolen)
        before = await made_by(shared, own)
        await shared.postgres.execute(END, session_of(stolen))

        problem(await make(), 401, "unauthenticated")

        assert await made_by(shared, own) == before

    async def test_makes_nothing_with_one_that_ends_at_this_moment(
        self, shared: Clinic, prepared: Callable[[Clinic, LoggedIn], Awaitable[Made]]
    ) -> None:
        email = new_address()
        stolen, own = await log_in(shared, email), await log_in(shared, email)
        make = await prepared(shared, stolen)
        before = await made_by(shared, own)
        async with shared.postgres.acquire() as connection, connection.transaction():
            await connection.execute(END, session_of(stolen))
            making = asyncio.create_task(make())
            await until_async(lambda: _waits(shared), "it waits for the session")

        problem(await making, 401, "unauthenticated")
        assert await made_by(shared, own) == before

    async def test_makes_it_with_the_token_of_an_operator(
        self, shared: Clinic, prepared: Callable[[Clinic, LoggedIn], Awaitable[Made]]
    ) -> None:
        patient = await shared.patient()
        make = await prepared(shared, LoggedIn(patient.headers["Authorization"].split()[1], ""))

        assert (await make()).status_code in (200, 201)


async def _waits(clinic: Clinic, count: int = 1) -> bool:
    return bool(await clinic.postgres.fetchval(WAITS) == count)


class TestStaff:
    @pytest.fixture
    async def stolen(self, shared: Clinic) -> LoggedIn:
        return await staff.log_in_staff(shared, await staff.member(shared, Role.STAFF))

    async def test_make_no_link_to_a_doctors_calendar(self, shared: Clinic, stolen: LoggedIn) -> None:
        path = f"/v1/doctors/{await shared.doctor()}/calendar-link"
        await shared.postgres.execute(END, session_of(stolen))

        problem(await shared.http.post(path, headers=stolen.headers), 401, "unauthenticated")

        assert await get(shared.http, path, shared.staff) == {"made_at": None}

    async def test_make_no_passkey(self, shared: Clinic, stolen: LoggedIn) -> None:
        make = await passkey(shared, stolen)
        await shared.postgres.execute(END, session_of(stolen))

        problem(await make(), 401, "unauthenticated")

        assert await shared.postgres.fetchval("SELECT count(*) FROM login.passkeys WHERE kind = 'staff'") == 0

    async def test_have_no_link_that_was_made_while_their_account_was_disabled(self, shared: Clinic) -> None:
        account = await staff.member(shared)
        session_id = session_of(await staff.log_in_staff(shared, account))
        links = CalendarLinks(shared.postgres, Keys.load(shared.settings))
        owner = Owner(OwnerKind.DOCTOR, clock.new_id())
        async with shared.postgres.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE login.calendar_links IN SHARE MODE")
            query = "SELECT person_id FROM login.sessions WHERE id = $1"
            person_id = await connection.fetchval(query, session_id)
            making = asyncio.create_task(
                links.make(owner, person_id, session_id=UUID(session_id), notice=None)
            )
            await until_async(lambda: _waits(shared), "the link waits for the table")
            disabling = asyncio.create_task(disable(shared.settings, account.email))
            await until_async(lambda: _waits(shared, 2), "the disabling waits, too")

        assert await making is not None
        await disabling
        assert await links.made_at(owner) is None
