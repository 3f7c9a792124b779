"""The link that the former address gets: it undoes a change of contact details."""

from datetime import timedelta

import pytest

from contracts.security import PatientChanged, ProfileField
from infra.keys import Keys
from ingress.patients import undo
from tests.clinic import Clinic, Patient
from tests.http.asking import get, problem
from tests.http.login.logins import log_in, may_read, security_events
from tests.http.patients.contact_changes import changed, notice
from tests.http.people import new_address
from tests.waiting import until_async


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
