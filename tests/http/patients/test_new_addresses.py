"""A new address or phone number counts once its code has come back, and the former one is told."""

import asyncio

from infra import clock
from tests.clinic import Clinic
from tests.http.asking import get, problem
from tests.http.login.logins import answer, code_of, log_in, secret_of, wrong
from tests.http.patients.contact_changes import ask_for, changed, confirm, notice
from tests.http.people import PHONE, change, new_address


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
