"""A new address or phone number counts once its code has come back, and the former one is told."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from contracts.challenges import Secret
from contracts.cloudevents import decode_challenge
from contracts.security import PatientChanged, ProfileField
from contracts.topics import LOGIN_CHALLENGES_TOPIC
from infra import clock
from infra.keys import Keys
from ingress.patients import undo
from tests.clinic import Clinic, Patient, records
from tests.http.asking import get, problem
from tests.http.login.logins import answer, code_of, log_in, may_read, secret_of, security_events, wrong
from tests.http.people import PHONE, change, new_address
from tests.waiting import until_async


async def ask_for(clinic: Clinic, patient: Patient, field: str, value: str) -> str:
    """Ask for a new address or number, which has to be accepted: the challenge's id."""
    response = await clinic.http.post(f"/v1/me/{field}", headers=patient.headers, json={field: value})
    assert response.status_code == 202, response.text
    assert response.json().keys() == {"challenge_id", "expires_at"}
    return str(response.json()["challenge_id"])


async def confirm(
    clinic: Clinic, patient: Patient, field: str, challenge_id: str, code: str
) -> httpx.Response:
    body = {"challenge_id": challenge_id, "code": code}
    return await clinic.http.post(f"/v1/me/{field}/confirm", headers=patient.headers, json=body)


async def changed(clinic: Clinic, patient: Patient, field: str, value: str) -> Any:
    challenge_id = await ask_for(clinic, patient, field, value)
    response = await confirm(clinic, patient, field, challenge_id, await code_of(clinic, challenge_id))
    assert response.status_code == 200, response.text
    return response.json()


async def notice(clinic: Clinic) -> Secret:
    """The last notice that was sent."""
    found = [decode_challenge(record) for record in await records(clinic.settings, LOGIN_CHALLENGES_TOPIC)]
    secrets = [(each, await secret_of(clinic, str(each.challenge_id))) for each in found]
    notices = [(each.expires_at, secret) for each, secret in secrets if secret and secret.undo]
    return max(notices, key=lambda sent: sent[0])[1]


class TestANewAddress:
    async def test_is_pending_until_its_code_came_back(self, shared: Clinic) -> None:
        patient, address = await shared.patient(), new_address()
        before = await get(shared.http, "/v1/me", patient.headers)

        challenge_id = await ask_for(shared, patient, "email", address)
        assert await get(shared.http, "/v1/me", patient.headers) == before
        response = await confirm(shared, patient, "email", challenge_id, await code_of(shared, challenge_id))

        assert response.json() == before | {"email": address}
        assert await get(shared.http, "/v1/me", patient.headers) == before | {"email": address}
        logged_in = await log_in(shared, address)
        assert (await get(shared.http, "/v1/me", logged_in.headers))["id"] == str(patient.id)

    async def test_gets_a_mail_with_nothing_of_the_patients_in_it(self, shared: Clinic) -> None:
        patient, address = await shared.patient(), new_address()
        await change(shared, patient, name="Visit evil.example", language="de")

        secret = await secret_of(shared, await ask_for(shared, patient, "email", address))

        assert secret is not None
        assert (secret.email, secret.name, secret.language) == (address, None, "de")
        assert secret.person_id == patient.id

    async def test_that_is_another_patients_gets_the_same_answer_and_is_refused_with_the_code(
        self, shared: Clinic
    ) -> None:
        patient, other = await shared.patient(), await shared.patient()
        taken = (await get(shared.http, "/v1/me", other.headers))["email"]

        challenge_id = await ask_for(shared, patient, "email", taken.upper())
        response = await confirm(shared, patient, "email", challenge_id, await code_of(shared, challenge_id))

        problem(response, 409, "address_taken")
        assert (await get(shared.http, "/v1/me", patient.headers))["email"] != taken

    async def test_gets_no_more_mails_than_any_recipient(self, shared: Clinic) -> None:
        patient, address = await shared.patient(), new_address()
        for _ in range(3):
            await ask_for(shared, patient, "email", address)

        response = await shared.http.post("/v1/me/email", headers=patient.headers, json={"email": address})
        problem(response, 429, "rate_limited")


class TestTheCode:
    async def test_has_five_tries(self, shared: Clinic) -> None:
        patient = await shared.patient()
        challenge_id = await ask_for(shared, patient, "email", new_address())
        code = await code_of(shared, challenge_id)
        for number, left in ((1, 4), (2, 3), (3, 2), (4, 1), (5, 0)):
            response = await confirm(shared, patient, "email", challenge_id, wrong(code, number))
            problem(response, 401, "invalid_code")
            assert response.json()["tries_left"] == left

        problem(await confirm(shared, patient, "email", challenge_id, code), 401, "invalid_code")

    async def test_counts_once_however_often_it_is_sent_at_once(self, shared: Clinic) -> None:
        patient = await shared.patient()
        challenge_id = await ask_for(shared, patient, "email", new_address())
        code = await code_of(shared, challenge_id)

        responses = await asyncio.gather(
            *(confirm(shared, patient, "email", challenge_id, code) for _ in range(5))
        )

        assert sorted(response.status_code for response in responses) == [200, 401, 401, 401, 401]

    async def test_is_good_for_nobody_and_nothing_else(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await shared.patient()
        challenge_id = await ask_for(shared, patient, "email", new_address())
        code = await code_of(shared, challenge_id)

        problem(await confirm(shared, other, "email", challenge_id, code), 401, "invalid_code")
        problem(await answer(shared, challenge_id, code), 401, "invalid_code")
        login = await shared.http.post("/v1/auth/challenges", json={"email": new_address()})
        login_id = login.json()["challenge_id"]
        response = await confirm(shared, patient, "email", login_id, await code_of(shared, login_id))
        problem(response, 401, "invalid_code")
        problem(await confirm(shared, patient, "phone", challenge_id, code), 401, "invalid_code")


class TestTheFormerAddress:
    async def test_is_told_and_its_link_undoes_the_change_and_ends_all_logins(self, shared: Clinic) -> None:
        former = new_address()
        tokens = await log_in(shared, former)
        id_ = (await get(shared.http, "/v1/me", tokens.headers))["id"]
        patient = Patient(id_, tokens.headers)
        await changed(shared, patient, "email", address := new_address())

        sent = await notice(shared)
        assert (sent.email, sent.code, sent.name) == (former, None, None)
        assert sent.undo is not None
        assert address.encode() not in sent.undo.encode()
        path = f"/v1/undo/{sent.undo}"
        page = await shared.http.get(path)
        assert "<form" in page.text
        assert (await get(shared.http, "/v1/me", tokens.headers))["email"] == address, (
            "a look changes nothing"
        )

        done = await shared.http.post(path, data={"undo": "yes"})

        assert done.status_code == 200, done.text
        assert "<form" not in done.text
        assert not await may_read(shared, tokens)
        again = await log_in(shared, former)
        assert (await get(shared.http, "/v1/me", again.headers))["id"] == id_
        assert (await shared.http.post(path)).status_code == 200, "idempotent"
        assert await may_read(shared, again)

        async def recorded() -> bool:
            events = [event for event in await security_events(shared) if isinstance(event, PatientChanged)]
            actors = [event.actor is None for event in events if str(event.patient_id) == id_]
            return sorted(actors) == [False, True]

        await until_async(recorded, "the change and its undoing on the security log")

    async def test_undoes_what_followed_and_what_followed_undoes_nothing(self, shared: Clinic) -> None:
        former, thiefs = new_address(), new_address()
        tokens = await log_in(shared, former)
        patient = Patient((await get(shared.http, "/v1/me", tokens.headers))["id"], tokens.headers)
        links = []
        for address in (thiefs, new_address()):
            await changed(shared, patient, "email", address)
            links.append(f"/v1/undo/{(await notice(shared)).undo}")

        done = await shared.http.post(links[0], data={"undo": "yes"})

        assert done.status_code == 200, done.text
        assert not await may_read(shared, tokens)
        again = await log_in(shared, former)
        assert (await get(shared.http, "/v1/me", again.headers))["id"] == str(patient.id)
        for method in ("GET", "POST"):
            problem(await shared.http.request(method, links[1]), 404, "not_found")
        assert (await shared.http.post(links[0])).status_code == 200, "idempotent"
        assert await may_read(shared, again)
        # A later change of the patient's own is not undone by a link of before.
        await changed(shared, Patient(patient.id, again.headers), "email", new_address())
        problem(await shared.http.post(links[0]), 404, "not_found")

    async def test_undoes_the_rest_when_it_was_cut_off(self, shared: Clinic) -> None:
        former = new_address()
        tokens = await log_in(shared, former)
        patient = Patient((await get(shared.http, "/v1/me", tokens.headers))["id"], tokens.headers)
        await changed(shared, patient, "email", address := new_address())
        link = f"/v1/undo/{(await notice(shared)).undo}"
        async with shared.postgres.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE login.passkeys IN ACCESS EXCLUSIVE MODE")
            problem(await shared.http.post(link), 503, "store_unavailable")
        late = await log_in(shared, address)

        assert (await shared.http.post(link)).status_code == 200
        assert not await may_read(shared, late)
        assert (await get(shared.http, "/v1/me", (await log_in(shared, former)).headers))["id"] == str(
            patient.id
        )

    async def test_a_forged_and_an_old_link_are_not_found(
        self, shared: Clinic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patient = await shared.patient()
        address = (await get(shared.http, "/v1/me", patient.headers))["email"]
        keys = Keys.load(shared.settings)
        whole = undo.sign_undo(keys, patient.id, ProfileField.EMAIL, new_address())
        monkeypatch.setattr(undo, "VALID_FOR", timedelta(seconds=-1))
        old = undo.sign_undo(keys, patient.id, ProfileField.EMAIL, new_address())
        for token in ("AAAA", whole[:-4], old, f"{'A' * 22}{whole[22:]}"):
            for method in ("GET", "POST"):
                problem(await shared.http.request(method, f"/v1/undo/{token}"), 404, "not_found")
        assert (await get(shared.http, "/v1/me", patient.headers))["email"] == address

    async def test_that_somebody_else_has_by_now_stays_theirs(self, shared: Clinic) -> None:
        patient = await shared.patient()
        former = (await get(shared.http, "/v1/me", patient.headers))["email"]
        await changed(shared, patient, "email", new_address())
        sent = await notice(shared)
        newcomer = await log_in(shared, former)

        problem(await shared.http.post(f"/v1/undo/{sent.undo}"), 409, "address_taken")
        assert (await get(shared.http, "/v1/me", newcomer.headers))["email"] == former


class TestANewPhoneNumber:
    async def test_counts_once_its_code_came_back(self, shared: Clinic) -> None:
        patient, number = await shared.patient(), f"+49{clock.new_digits(10)}"
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]

        challenge_id = await ask_for(shared, patient, "phone", number)
        secret = await secret_of(shared, challenge_id)
        assert secret is not None
        assert (secret.phone, secret.email) == (number, email)
        assert (await get(shared.http, "/v1/me", patient.headers))["phone"] is None
        await confirm(shared, patient, "phone", challenge_id, secret.code or "")

        assert (await get(shared.http, "/v1/me", patient.headers))["phone"] == number

    async def test_the_former_one_is_told_and_comes_back_by_the_link(self, shared: Clinic) -> None:
        patient = await shared.patient()
        await change(shared, patient, phone=PHONE, channel="sms")
        await changed(shared, patient, "phone", f"+49{clock.new_digits(10)}")

        sent = await notice(shared)
        assert sent.phone == PHONE
        await shared.http.post(f"/v1/undo/{sent.undo}")

        known = await get(shared.http, f"/v1/patients/{patient.id}", shared.staff)
        assert (known["phone"], known["channel"]) == (PHONE, "sms")
