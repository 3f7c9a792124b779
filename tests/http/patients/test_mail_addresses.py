"""Patients by mail address: which addresses are one, and which can be written to."""

import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.keys import Keys
from storage.mail_address import formerly_comparable
from storage.patients import Patients
from storage.profiles import Profile
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import get, pointers
from tests.http.people import register

EPOCH = 1


def new_name() -> str:
    return f"a{clock.new_id().hex}"


async def register_as_earlier(clinic: Clinic, email: str) -> str:
    """A patient whose address is found by what earlier releases made of it."""
    patient_id: str = (await register(clinic, email))["id"]
    index = Keys.load(clinic.settings).address_index(formerly_comparable(email), EPOCH)
    await clinic.postgres.execute(
        "UPDATE people.patients SET address_index = $2 WHERE id = $1", patient_id, index
    )
    return patient_id


async def found(clinic: Clinic, email: str) -> list[str]:
    page = await get(clinic.http, "/v1/patients", clinic.staff, email=email)
    return [patient["id"] for patient in page["items"]]


async def test_two_domains_are_two_people(shared: Clinic) -> None:
    name = new_name()
    plain = await register(shared, f"{name}@strasse.example")
    sharp = await register(shared, f"{name}@straße.example")

    assert plain["id"] != sharp["id"]
    assert await found(shared, f"{name}@strasse.example") == [plain["id"]]
    assert await found(shared, f"{name}@STRAßE.example") == [sharp["id"]]


async def test_two_spellings_of_a_domain_are_one_person(shared: Clinic) -> None:
    name = new_name()
    patient = await register(shared, f"{name}@bücher.example")

    assert await register(shared, f"{name.upper()}@xn--bcher-kva.example", 200) == patient
    assert await found(shared, f"{name}@XN--BCHER-KVA.example") == [patient["id"]]


class TestAPatientOfAnEarlierRelease:
    async def test_is_found(self, shared: Clinic) -> None:
        email = f"{new_name()}@straße.example"
        patient_id = await register_as_earlier(shared, email)

        assert await found(shared, email) == [patient_id]
        assert (await register(shared, email, 200))["id"] == patient_id

    async def test_is_found_though_nothing_can_be_written_to_them(self, shared: Clinic) -> None:
        patients = Patients(shared.postgres, Keys.load(shared.settings))
        email = f"{new_name()}@exa_mple.org"
        patient_id = await patients.add(Profile(email))

        assert await found(shared, email) == [str(patient_id)]
        assert await patients.register(email) == patient_id

    async def test_is_registered_once(self, shared: Clinic) -> None:
        email = f"{new_name()}@bücher.example"
        patient_id = await register_as_earlier(shared, email)

        assert (await register(shared, email, 200))["id"] == patient_id

    async def test_does_not_stand_in_anybodys_way(self, shared: Clinic) -> None:
        """Earlier, strasse and straße were one: whoever came first had the address of both."""
        name = new_name()
        sharp = await register_as_earlier(shared, f"{name}@straße.example")

        assert await found(shared, f"{name}@strasse.example") == []
        plain = await register(shared, f"{name}@strasse.example")

        assert plain["id"] != sharp
        assert await found(shared, f"{name}@straße.example") == [sharp]

    async def test_who_was_two_is_found_by_spelling(self, shared: Clinic) -> None:
        name = new_name()
        first = await register_as_earlier(shared, f"{name}@bücher.example")
        keys = Keys.load(shared.settings)
        second = (await register(shared, f"{name}@other.example"))["id"]
        patient = shared.headers(Actor(kind=ActorKind.PATIENT, id=second))
        await shared.postgres.execute(
            "UPDATE people.patients SET address_index = $2 WHERE id = $1", second, b"elsewhere"
        )
        await shared.postgres.execute(
            "UPDATE people.patients SET address_index = $2 WHERE id = $1",
            first,
            keys.address_index(f"{name}@xn--bcher-kva.example", EPOCH),
        )
        assert (await get(shared.http, "/v1/me", patient))["id"] == second
        assert await found(shared, f"{name}@bücher.example") == [first]


class TestAnAddressThatCannotBeWrittenTo:
    @pytest.mark.parametrize("local_part", ["jörg", '"a b"', "a..b", ".a", "a,b", "jö\u200brg", "jö rg"])
    @pytest.mark.parametrize("has_smtputf8", [False, True])
    async def test_is_refused_at_the_door(
        self, shared: Clinic, local_part: str, *, has_smtputf8: bool
    ) -> None:
        if local_part == "jörg" and has_smtputf8:
            pytest.skip("this one can be written to then")
        port = free_port()
        update = {"port": port, "url": f"http://127.0.0.1:{port}", "smtp_utf8": has_smtputf8}
        email = f"{local_part}{new_name()}@example.org"
        patient = await shared.patient()
        async with ingress(shared.settings.model_copy(update=update)) as http:
            answer = await http.post("/v1/patients", headers=shared.staff, json={"email": email})
            assert pointers(answer) == ["/email"]
            answer = await http.post("/v1/me/email", headers=patient.headers, json={"email": email})
            assert pointers(answer) == ["/email"]
            assert (await http.patch("/v1/me", headers=patient.headers, json={"name": "Ada"})).is_success

    @pytest.mark.parametrize(
        "domain", ["exa_mple.org", "[192.0.2.1]", "example..org", "-ü.example", "☃.example"]
    )
    async def test_for_its_domain(self, shared: Clinic, domain: str) -> None:
        answer = await shared.http.post("/v1/patients", headers=shared.staff, json={"email": f"a@{domain}"})
        assert pointers(answer) == ["/email"]
