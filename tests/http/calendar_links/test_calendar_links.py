"""Calendar links: made, replaced and withdrawn, and what ends them."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.commands import Actor, ActorKind
from contracts.security import CalendarLinkChanged
from infra import clock
from infra.crypto.sealing import from_base64url, to_base64url
from infra.settings import Settings
from infra.tokens import Role
from ops.staff.accounts import add, disable
from tests.clinic import Clinic, Patient, clinic, ingress_process, instant
from tests.http.asking import get, problem
from tests.http.audit.test_security_events import by
from tests.http.login.logins import log_in
from tests.http.login.staff import log_in_staff, member
from tests.http.patients.contact_changes import changed, notice
from tests.http.people import forget, new_address

MINE = "/v1/me/calendar-link"


async def made(clinic: Clinic, who: dict[str, str], path: str = MINE) -> str:
    """A new link, which has to be made: its address."""
    response = await clinic.http.post(path, headers=who)
    assert response.status_code == 201, response.text
    answer = response.json()
    assert answer["url"].startswith(f"{clinic.settings.url}/v1/feeds/")
    assert (await get(clinic.http, path, who)) == {"made_at": answer["made_at"]}
    return str(answer["url"])


async def shows(clinic: Clinic, url: str) -> httpx.Response:
    """The calendar at a link's address, which has to be there."""
    response = await clinic.http.get(url)
    assert response.status_code == 200, response.text
    return response


async def ended(clinic: Clinic, url: str) -> None:
    problem(await clinic.http.get(url), 404, "not_found")


def secret_in(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".ics")


class TestALink:
    async def test_is_there_once_it_was_made_until_it_is_withdrawn(self, shared: Clinic) -> None:
        patient = await shared.patient()
        assert await get(shared.http, MINE, patient.headers) == {"made_at": None}
        before = clock.now().replace(microsecond=0)

        url = await made(shared, patient.headers)

        await shows(shared, url)
        since = (await get(shared.http, MINE, patient.headers))["made_at"]
        assert before <= instant(since) <= clock.now()
        for _ in range(2):
            answer = await shared.http.delete(MINE, headers=patient.headers)
            assert (answer.status_code, answer.content) == (204, b""), "idempotent"
        await ended(shared, url)
        assert await get(shared.http, MINE, patient.headers) == {"made_at": None}

    async def test_is_replaced_by_a_new_one(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await shared.patient()
        former, others = await made(shared, patient.headers), await made(shared, other.headers)

        url = await made(shared, patient.headers)

        await ended(shared, former)
        for each in (url, others):
            await shows(shared, each)
        assert len({former, others, url}) == 3

    async def test_is_kept_as_a_hash_alone(self, shared: Clinic) -> None:
        patient = await shared.patient()
        secret = secret_in(await made(shared, patient.headers))

        rows = await shared.postgres.fetch(
            "SELECT * FROM login.calendar_links WHERE owner_id = $1", patient.id
        )

        content = from_base64url(secret)
        assert content is not None
        assert len(content) == 32
        [row] = rows
        assert row["hash"] == hashlib.sha256(content).digest()
        assert not any(kept in (secret, content) for kept in row.values())

    @pytest.mark.parametrize("change", ["", "A", "=", "%00", "%C3%A4"])
    async def test_that_was_forged_is_not_found(self, shared: Clinic, change: str) -> None:
        url = await made(shared, (await shared.patient()).headers)
        forged = [
            to_base64url(clock.new_secret(32)),
            to_base64url(clock.new_secret(31)),
            secret_in(url)[:-2] + change,
            secret_in(url) + (change or "A"),
        ]
        for secret in forged:
            await ended(shared, f"/v1/feeds/{secret}.ics")
        await ended(shared, url.removesuffix(".ics"))

    async def test_of_a_doctor_is_for_staff(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = f"/v1/doctors/{doctor_id}/calendar-link"
        for method in ("GET", "POST", "DELETE"):
            problem(await shared.http.request(method, path, headers=patient.headers), 403, "forbidden")
            problem(await shared.http.request(method, MINE, headers=shared.staff), 403, "forbidden")
            nobodys = f"/v1/doctors/{clock.new_id()}/calendar-link"
            problem(await shared.http.request(method, nobodys, headers=shared.staff), 404, "not_found")
        assert await get(shared.http, path, shared.staff) == {"made_at": None}

        former = await made(shared, shared.staff, path)
        url = await made(shared, shared.staff, path)

        await ended(shared, former)
        await shows(shared, url)
        assert (await shared.http.delete(path, headers=shared.staff)).status_code == 204
        await ended(shared, url)


class TestItEnds:
    async def test_when_its_patient_is_forgotten(self, shared: Clinic) -> None:
        patient = await shared.patient()
        url = await made(shared, patient.headers)

        await forget(shared, patient)

        await ended(shared, url)
        problem(await shared.http.post(MINE, headers=patient.headers), 404, "not_found")
        count = "SELECT count(*) FROM login.calendar_links WHERE owner_id = $1"
        assert await shared.postgres.fetchval(count, patient.id) == 0

    async def test_when_its_patient_logs_out_everywhere(self, shared: Clinic) -> None:
        tokens, other = await log_in(shared, new_address()), await shared.patient()
        me = await get(shared.http, "/v1/me", tokens.headers)
        url, others = await made(shared, tokens.headers), await made(shared, other.headers)

        async with shared.postgres.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE login.calendar_links IN EXCLUSIVE MODE")
            response = await shared.http.delete("/v1/me/sessions", headers=tokens.headers)
            problem(response, 503, "store_unavailable")
        assert await get(shared.http, "/v1/me", tokens.headers) == me, "both end, or none"
        response = await shared.http.delete("/v1/me/sessions", headers=tokens.headers)

        assert response.status_code == 204
        await ended(shared, url)
        await shows(shared, others)
        recorded = await by(shared, Actor(kind=ActorKind.PATIENT, id=me["id"]))
        changes = [event for event in recorded if isinstance(event, CalendarLinkChanged)]
        assert [(str(event.patient_id), event.change) for event in changes] == [
            (me["id"], "made"),
            (me["id"], "withdrawn"),
        ]

    async def test_a_doctors_goes_on_when_staff_log_out_everywhere(self, shared: Clinic) -> None:
        tokens = await log_in_staff(shared, await member(shared, Role.STAFF))
        path = f"/v1/doctors/{await shared.doctor()}/calendar-link"
        url = await made(shared, tokens.headers, path)

        assert (await shared.http.delete("/v1/me/sessions", headers=tokens.headers)).status_code == 204

        await shows(shared, url)

    async def test_when_a_change_of_address_is_undone(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())
        patient = Patient((await get(shared.http, "/v1/me", tokens.headers))["id"], tokens.headers)
        await changed(shared, patient, "email", new_address())
        url = await made(shared, patient.headers)

        undo = (await notice(shared)).undo
        assert (await shared.http.post(f"/v1/undo/{undo}", data={"undo": "yes"})).status_code == 200

        await ended(shared, url)

    async def test_when_the_account_of_whoever_made_it_is_disabled(self, shared: Clinic) -> None:
        email = f"{clock.new_id().hex}@example.com"
        await add(shared.settings, email, Role.STAFF)
        id_ = await shared.postgres.fetchval("SELECT id FROM login.staff ORDER BY created_at DESC LIMIT 1")
        staff = shared.headers(Actor(kind="staff", id=id_))
        links = [f"/v1/doctors/{await shared.doctor()}/calendar-link" for _ in range(2)]
        theirs, others = await made(shared, staff, links[0]), await made(shared, shared.staff, links[1])

        await disable(shared.settings, email)

        await ended(shared, theirs)
        await shows(shared, others)


async def test_each_change_is_on_the_security_log(shared: Clinic, staff: Actor) -> None:
    doctor_id, patient, who = await shared.doctor(), await shared.patient(), shared.headers(staff)
    path = f"/v1/doctors/{doctor_id}/calendar-link"
    url = await made(shared, who, path)
    for _ in range(2):
        await shared.http.delete(path, headers=who)
    own = await made(shared, patient.headers)

    changes: list[Any] = [await by(shared, Actor(kind=kind, id=id_)) for kind, id_ in _of(staff, patient)]

    assert all(isinstance(event, CalendarLinkChanged) for events in changes for event in events)
    assert [event.change for event in changes[0]] == ["made", "withdrawn"], "nothing where there was no link"
    assert {str(event.doctor_id) for event in changes[0]} == {doctor_id}
    [of_patient] = changes[1]
    assert (of_patient.change, of_patient.patient_id) == ("made", patient.id)
    for secret in (secret_in(url), secret_in(own)):
        assert secret not in str(changes)


def _of(staff: Actor, patient: Patient) -> list[tuple[Any, Any]]:
    return [("staff", staff.id), ("patient", patient.id)]


async def test_no_secret_is_in_logs_or_metrics(settings: Settings, template: str, tmp_path: Path) -> None:
    async with clinic(settings, template, worker=False, serve=False) as own:
        talkative = own.settings.model_copy(update={"log_level": "DEBUG"})
        ingress = ingress_process(talkative, tmp_path)
        await ingress.start()
        try:
            patient = await own.patient()
            url = await made(own, patient.headers)
            await shows(own, url)
            await own.http.delete(MINE, headers=patient.headers)
            await ended(own, url)
            metrics = (await own.http.get("/metrics")).text
        finally:
            await ingress.stop()
        logs = [path.read_text() for path in (tmp_path / "logs").iterdir()]

    assert "/v1/feeds/{secret}.ics" in metrics
    assert any(logs)
    for told in (metrics, *logs):
        assert secret_in(url) not in told
