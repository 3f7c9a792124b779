"""A login that cannot be kept or recorded is none; what proved it counts again where that is safe."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contracts.security import LoginSucceeded, SecurityEvent, SessionEnded
from infra.errors import LogUnavailableError
from ingress.audit.security_log import SecurityLog
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import get, problem
from tests.http.login import staff
from tests.http.login.logins import answer, ask, code_of, log_in, new_address, security_events, wrong
from tests.http.login.passkeys import devices
from tests.http.patients.contact_changes import ask_for, confirm
from tests.http.people import register
from tests.waiting import until_async

LIVE_SESSIONS = "SELECT count(*) FROM login.sessions WHERE ended_at IS NULL"


@contextmanager
def no_log() -> Iterator[None]:
    """The security log acknowledges nothing while inside."""

    async def record(*_: object) -> None:
        raise LogUnavailableError("no acknowledgement")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecurityLog, "record", record)
        yield


class TestAMailCode:
    @pytest.mark.parametrize("is_known", [True, False])
    async def test_counts_again_however_often_it_was_in_vain(self, shared: Clinic, is_known: bool) -> None:
        email = new_address()
        if is_known:
            await register(shared, email)
        challenge_id = await ask(shared, email)
        code = await code_of(shared, challenge_id)
        before = await shared.postgres.fetchval(LIVE_SESSIONS)
        with no_log():
            for _ in range(7):
                problem(await answer(shared, challenge_id, code), 503, "log_unavailable")
        assert await shared.postgres.fetchval(LIVE_SESSIONS) == before

        assert (await answer(shared, challenge_id, code)).status_code == 200
        problem(await answer(shared, challenge_id, code), 401, "invalid_code")

    async def test_counts_again_when_the_session_could_not_be_kept(self, shared: Clinic) -> None:
        challenge_id = await ask(shared, new_address())
        code = await code_of(shared, challenge_id)
        async with shared.postgres.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE login.sessions IN ACCESS EXCLUSIVE MODE")
            problem(await answer(shared, challenge_id, code), 503, "store_unavailable")

        assert (await answer(shared, challenge_id, code)).status_code == 200

    async def test_makes_one_login_however_often_it_is_sent_at_once(self, shared: Clinic) -> None:
        challenge_id = await ask(shared, new_address())
        code = await code_of(shared, challenge_id)
        before = await shared.postgres.fetchval(LIVE_SESSIONS)

        async def send(times: int) -> Counter[int]:
            sent = await asyncio.gather(*(answer(shared, challenge_id, code) for _ in range(times)))
            return Counter(response.status_code for response in sent)

        with no_log():
            assert set(await send(20)) <= {401, 503}
        assert await shared.postgres.fetchval(LIVE_SESSIONS) == before
        assert await send(20) == {200: 1, 401: 19}
        assert await shared.postgres.fetchval(LIVE_SESSIONS) == before + 1

    async def test_gives_a_guesser_no_more_tries(self, shared: Clinic) -> None:
        challenge_id = await ask(shared, new_address())
        code = await code_of(shared, challenge_id)
        for number in range(1, 4):
            await answer(shared, challenge_id, wrong(code, number))
        with no_log():
            problem(await answer(shared, challenge_id, code), 503, "log_unavailable")

        last = await answer(shared, challenge_id, wrong(code))

        problem(last, 401, "invalid_code")
        assert last.json()["tries_left"] == 0
        problem(await answer(shared, challenge_id, code), 401, "invalid_code")

    async def test_to_a_new_address_counts_again(self, shared: Clinic) -> None:
        patient, address = await shared.patient(), new_address()
        challenge_id = await ask_for(shared, patient, "email", address)
        code = await code_of(shared, challenge_id)
        with no_log():
            problem(await confirm(shared, patient, "email", challenge_id, code), 503, "log_unavailable")

        assert (await confirm(shared, patient, "email", challenge_id, code)).status_code == 200
        assert (await get(shared.http, "/v1/me", patient.headers))["email"] == address


class TestStaff:
    async def test_a_recovery_code_counts_again_and_once(self, shared: Clinic) -> None:
        account = await staff.member(shared, enrolled=True)
        code = account.recovery_codes[0]
        with no_log():
            for _ in range(2):
                problem(await staff.give(shared, account, code), 503, "log_unavailable")

        sent = await asyncio.gather(*(staff.give(shared, account, code) for _ in range(4)))

        assert Counter(response.status_code for response in sent) == {200: 1, 401: 3}

    async def test_an_authenticators_code_stays_used_and_the_next_one_counts(self, shared: Clinic) -> None:
        account = await staff.member(shared)
        code = staff.code_of(account)
        before = await shared.postgres.fetchval(LIVE_SESSIONS)
        with no_log():
            problem(await staff.give(shared, account, code), 503, "log_unavailable")
        assert await shared.postgres.fetchval(LIVE_SESSIONS) == before

        problem(await staff.give(shared, account, code), 401, "invalid_code")
        await staff.log_in_staff(shared, account, staff.code_of(account, 1))


async def test_a_passkey_answers_a_new_challenge(shared: Clinic) -> None:
    device: Authenticator = devices.authenticator(shared)
    await devices.add(shared, await log_in(shared, new_address()), device)
    asked = await devices.challenge(shared)
    given = device.get(asked["public_key"])
    with no_log():
        problem(await devices.answer(shared, asked, given), 503, "log_unavailable")

    devices.refused(await devices.answer(shared, asked, given))
    await devices.log_in_by_passkey(shared, device)


async def test_the_trail_has_its_end_once_the_log_is_back(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge_id = await ask(shared, new_address())
    code = await code_of(shared, challenge_id)
    record, begun = SecurityLog.record, []

    async def written_but_not_acknowledged(log: SecurityLog, event: SecurityEvent) -> None:
        await record(log, event)
        if isinstance(event, LoginSucceeded):
            begun.append(event.family_id)
            raise LogUnavailableError("no acknowledgement")

    monkeypatch.setattr(SecurityLog, "record", written_but_not_acknowledged)
    problem(await answer(shared, challenge_id, code), 503, "log_unavailable")

    async def ended() -> bool:
        ends = [event for event in await security_events(shared) if isinstance(event, SessionEnded)]
        return [event.reason for event in ends if event.family_id in begun] == ["not_recorded"]

    await until_async(ended, "the end of the login that was not recorded")
