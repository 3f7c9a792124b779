"""Doctors are found by their specialty."""

from tests.clinic import Clinic
from tests.http.asking import get


async def test_however_an_accent_is_typed(shared: Clinic) -> None:
    spellings = ["Kinder\u00e4rztin", "Kindera\u0308rztin"]
    ids = {await shared.doctor(specialty=specialty) for specialty in spellings}

    for asked in spellings:
        found = (await get(shared.http, "/v1/doctors", specialty=asked))["items"]
        assert {doctor["id"] for doctor in found} == ids
        assert {doctor["specialty"] for doctor in found} == set(spellings), "shown as they were typed"
