"""Patients by mail address: which addresses are one, and which can be written to."""

import pytest

from infra.keys import Keys
from storage.patients import Patients
from storage.profiles import Profile
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import pointers
from tests.http.patients.mail_addresses.directory import found, new_name
from tests.http.people import register


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


async def test_a_patient_to_whom_nothing_can_be_written_is_found(shared: Clinic) -> None:
    patients = Patients(shared.postgres, Keys.load(shared.settings))
    email = f"{new_name()}@exa_mple.org"
    patient_id = await patients.add(Profile(email))

    assert await found(shared, email) == [str(patient_id)]
    assert await patients.register(email) == patient_id


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
