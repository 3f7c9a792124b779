"""Staff find patients by name, phone number and date of birth, which only a patient's own key can read."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from contracts.commands import Actor, ActorKind
from contracts.security import PatientsSearched
from infra import clock
from infra.keys import Keys
from ingress.patients.profile import SEARCH_LIMIT
from storage.patient_finder import PatientFinder
from storage.patients import Patients
from storage.profiles import Profile
from tests.clinic import Clinic, Patient
from tests.http.asking import pointers, problem
from tests.http.audit.test_security_events import by
from tests.http.people import change, forget, new_address, register

STALE = """
SELECT count(*) FROM people.patients
WHERE profile IS NOT NULL
    AND terms_of IS DISTINCT FROM substring(data_key FOR 17) || substring(profile FOR 17)
"""


def a_name() -> str:
    """A word that no other patient's name begins with."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in clock.new_id().hex[16:])


async def search(clinic: Clinic, **asked: Any) -> Any:
    response = await clinic.http.post("/v1/patients/search", headers=clinic.staff, json=asked)
    assert response.status_code == 200, response.text
    return response.json()


async def ids(clinic: Clinic, **asked: Any) -> list[str]:
    return [patient["id"] for patient in (await search(clinic, **asked))["items"]]


class TestASearch:
    async def test_finds_whoever_has_all_that_is_given(self, shared: Clinic) -> None:
        family, born = a_name(), "1956-07-04"
        ada = await register(shared, new_address(), name=f"Ada {family}-Weiß", birth_date=born)
        bob = await register(shared, new_address(), name=f"Bob {family}", phone="+493012345678")
        assert (ada["birth_date"], bob["birth_date"]) == (born, None)

        both = sorted([ada["id"], bob["id"]])
        assert await ids(shared, name=family[:5].upper()) == both
        assert await ids(shared, name=f"weiss, {family}") == [ada["id"]]
        assert await ids(shared, name=family, birth_date=born) == [ada["id"]]
        assert await ids(shared, name=family, phone="+49 (30) 1234-5678") == [bob["id"]]
        assert await ids(shared, name=family, email=bob["email"].upper()) == [bob["id"]]
        assert await ids(shared, name="Ada", email=bob["email"]) == []
        assert await ids(shared, name=family, birth_date="1956-07-05") == []
        assert ada["id"] in await ids(shared, birth_date=born)
        assert bob["id"] in await ids(shared, phone="+493012345678")

    async def test_follows_changes_and_forgets_with_the_patient(self, shared: Clinic) -> None:
        before, after = a_name(), a_name()
        known = await register(shared, new_address(), name=before)
        patient = await _as_patient(shared, known)

        changed = await change(shared, patient, name=after, birth_date="2001-02-03")
        assert changed["birth_date"] == "2001-02-03"
        assert await ids(shared, name=before) == []
        assert await ids(shared, name=after, birth_date="2001-02-03") == [known["id"]]
        assert (await change(shared, patient, birth_date=None))["birth_date"] is None
        assert await ids(shared, name=after, birth_date="2001-02-03") == []

        await forget(shared, patient)
        assert await ids(shared, name=after) == []
        left = "SELECT search_terms IS NULL AND terms_of IS NULL FROM people.patients WHERE id = $1"
        assert await shared.postgres.fetchval(left, patient.id)

    async def test_has_pages(self, shared: Clinic) -> None:
        family = a_name()
        patients = Patients(shared.postgres, Keys.load(shared.settings))
        registered = [
            await patients.add(Profile(new_address(), f"{number} {family}"))
            for number in range(SEARCH_LIMIT + 3)
        ]

        first = await search(shared, name=family)
        assert len(first["items"]) == SEARCH_LIMIT
        second = await search(shared, name=family, cursor=first["next_cursor"])
        found = [patient["id"] for page in (first, second) for patient in page["items"]]
        assert found == sorted(map(str, registered))
        assert second["next_cursor"] is None

    async def test_is_recorded_without_what_was_asked_for(self, shared: Clinic, staff: Actor) -> None:
        name = a_name()
        known = await register(shared, new_address(), name=name, birth_date="1956-07-04")
        who = shared.headers(staff)
        asked = {"name": name, "birth_date": "1956-07-04"}
        await shared.http.post("/v1/patients/search", headers=who, json=asked)

        [event] = await by(shared, staff)
        assert isinstance(event, PatientsSearched)
        assert (event.by, event.patient_ids) == ("birth_date_name", (UUID(known["id"]),))

    async def test_asks_for_something_that_can_be_found(self, shared: Clinic) -> None:
        tomorrow = {"birth_date": "2199-01-01"}
        for asked, pointer in (
            ({}, ""),
            ({"cursor": "x"}, ""),
            ({"name": ""}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"name": 7}, "/name"),
            ({"phone": "canary"}, "/phone"),
            ({"phone": "030 1234567"}, "/phone"),
            ({"birth_date": "canary"}, "/birth_date"),
            ({"birth_date": "1956-02-30"}, "/birth_date"),
            (tomorrow, "/birth_date"),
            ({"name": "ada", "cursor": "canary"}, "/cursor"),
            ({"name": "ada", "cursor": "WyJjYW5hcnkiXQ"}, "/cursor"),
        ):
            answer = await shared.http.post("/v1/patients/search", headers=shared.staff, json=asked)
            assert pointers(answer) == [pointer], asked
            assert "canary" not in answer.text
        body = {"email": new_address(), **tomorrow}
        answer = await shared.http.post("/v1/patients", headers=shared.staff, json=body)
        assert pointers(answer) == ["/birth_date"]
        assert await ids(shared, name="…!") == []
        patient = await shared.patient()
        refused = await shared.http.post("/v1/patients/search", headers=patient.headers, json={"name": "ada"})
        problem(refused, 403, "forbidden")


class TestPatientsOfAnEarlierRelease:
    async def test_are_found_before_and_after_their_terms_are_made(self, clinic: Clinic) -> None:
        name, renamed = a_name(), a_name()
        await register(clinic, new_address(), name=a_name())
        first, second = [await register(clinic, new_address(), name=name) for _ in range(2)]
        # As the release before leaves them: registered without terms; changed, with the terms of before.
        await clinic.postgres.execute(
            "UPDATE people.patients SET search_terms = NULL, terms_of = NULL WHERE id = $1", first["id"]
        )
        [before] = await clinic.postgres.fetch(
            "SELECT search_terms, terms_of FROM people.patients WHERE id = $1", second["id"]
        )
        await change(clinic, await _as_patient(clinic, second), name=renamed)
        await clinic.postgres.execute(
            "UPDATE people.patients SET search_terms = $2, terms_of = $3 WHERE id = $1", second["id"], *before
        )

        assert await clinic.postgres.fetchval(STALE) == 2
        assert await ids(clinic, name=name) == [first["id"]]
        assert await ids(clinic, name=renamed) == [second["id"]]
        finder = PatientFinder(clinic.postgres, Keys.load(clinic.settings))
        made = await asyncio.gather(finder.index(1), finder.index(1))
        assert (sum(made), await clinic.postgres.fetchval(STALE)) == (2, 0)
        assert await ids(clinic, name=name) == [first["id"]]
        assert await ids(clinic, name=renamed) == [second["id"]]

    async def test_that_cannot_be_opened_hide_nobody(self, clinic: Clinic) -> None:
        name = a_name()
        broken, found = [await register(clinic, new_address(), name=name) for _ in range(2)]
        await clinic.postgres.execute(
            "UPDATE people.patients SET profile = profile || '\\x00', terms_of = NULL WHERE id = $1",
            broken["id"],
        )
        await clinic.postgres.execute("UPDATE people.patients SET terms_of = NULL WHERE id = $1", found["id"])
        finder = PatientFinder(clinic.postgres, Keys.load(clinic.settings))

        assert await ids(clinic, name=name) == [found["id"]]
        assert [await finder.index(1) for _ in range(3)] == [1, 1, 0]
        assert await clinic.postgres.fetchval(STALE) == 1
        assert await ids(clinic, name=name) == [found["id"]]

    @pytest.mark.parametrize("column", ["search_terms", "address_bucket"])
    async def test_left_with_indexes_when_forgotten_lose_them(self, clinic: Clinic, column: str) -> None:
        patient = await clinic.patient()
        query = f"SELECT {column} FROM people.patients WHERE id = $1"
        before = await clinic.postgres.fetchval(query, patient.id)
        await forget(clinic, patient)
        assert await clinic.postgres.fetchval(query, patient.id) is None
        await clinic.postgres.execute(
            f"UPDATE people.patients SET {column} = $2 WHERE id = $1", patient.id, before
        )

        await PatientFinder(clinic.postgres, Keys.load(clinic.settings)).drop_indexes_of_forgotten()

        assert before is not None
        assert await clinic.postgres.fetchval(query, patient.id) is None


async def _as_patient(clinic: Clinic, known: Any) -> Patient:
    id_ = UUID(known["id"])
    return Patient(id_, clinic.headers(Actor(kind=ActorKind.PATIENT, id=id_)))
