"""The first free slots of each doctor."""

from datetime import date, timedelta
from typing import Any

import pytest

from infra import clock
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import booked, get, pointers
from tests.http.availability.offers import available, in_days, starts

LONG = {"code": "long", "name": "Long", "minutes": 60}
MORNING = {"starts": "09:00", "ends": "11:00"}


async def first_free(clinic: Clinic, **query: Any) -> dict[str, list[str]]:
    """The starts of the first free slots, by the doctor's id, in the order of the answer."""
    answer = await get(clinic.http, "/v1/availability", **query)
    return {item["doctor"]["id"]: [slot["starts_at"] for slot in item["slots"]] for item in answer["items"]}


def only_on(day: date) -> list[dict[str, Any]]:
    """Hours on a single date."""
    return [{"weekday": day.isoweekday(), **MORNING, "valid_from": str(day), "valid_until": str(day)}]


async def test_the_doctor_with_the_earliest_slot_comes_first(clinic: Clinic) -> None:
    in_two_days, in_thirty_days = in_days(2), in_days(30)  # read once: it may become midnight meanwhile
    late = await clinic.doctor(only_on(in_thirty_days), name="A")
    never = await clinic.doctor([], name="B")
    soon = await clinic.doctor(only_on(in_two_days), name="C")
    beyond_the_horizon = await clinic.doctor(only_on(in_days(40)), name="D", policy={"horizon_days": 35})
    found = await first_free(clinic)
    assert list(found) == [soon, late, never, beyond_the_horizon]
    for doctor_id, day in ((soon, in_two_days), (late, in_thirty_days)):
        offered = starts(await available(clinic, doctor_id, from_=str(day), to=str(day)))
        assert [instant(text) for text in found[doctor_id]] == offered[:5]
        assert len(offered) > 5
    assert found[never] == found[beyond_the_horizon] == []


async def test_a_booked_slot_is_not_free(clinic: Clinic) -> None:
    doctor_id, patient = await clinic.doctor(only_on(in_days(2))), await clinic.patient()
    first, *others = (await first_free(clinic))[doctor_id]
    await booked(clinic, patient.headers, doctor_id, first)
    assert (await first_free(clinic))[doctor_id][:3] == others[1:4]  # a visit takes two quarters of an hour


async def test_by_specialty_visit_type_doctor_and_time(shared: Clinic) -> None:
    one_type = await shared.doctor(only_on(in_days(2)), specialty="Hals, Nase, Ohren")
    two_types = await shared.doctor(only_on(in_days(3)), specialty="Augen", visit_types=[CHECKUP, LONG])
    assert list(await first_free(shared, specialty="Augen")) == [two_types]
    assert list(await first_free(shared, visit_type="long")) == [two_types]
    assert list(await first_free(shared, visit_type="checkup")) == [one_type, two_types]
    assert list(await first_free(shared, doctor_id=one_type)) == [one_type]
    assert await first_free(shared, doctor_id=str(clock.new_id())) == {}
    slots = (await first_free(shared, doctor_id=one_type))[one_type]
    later = (await first_free(shared, doctor_id=one_type, after=slots[1]))[one_type]
    assert later[:3] == slots[2:]
    past = clock.now() - timedelta(days=3)
    assert (await first_free(shared, doctor_id=one_type, after=past.isoformat()))[one_type] == slots


async def test_an_inactive_doctor_is_not_offered(shared: Clinic) -> None:
    doctor_id = await shared.doctor(only_on(in_days(2)))
    assert doctor_id in await first_free(shared)
    await shared.confirmed("PATCH", f"/v1/doctors/{doctor_id}", shared.staff, {"active": False})
    assert doctor_id not in await first_free(shared)


async def test_pages_lead_to_every_doctor(clinic: Clinic) -> None:
    day = in_days(2)
    names = ["Ada", "Ada", "Ben", "Cem", "Dora"]
    doctors = [await clinic.doctor(only_on(day), name=name) for name in names]
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for goes_on in (True, True, False):
        page = await get(clinic.http, "/v1/availability", **query)
        found += sorted(item["doctor"]["id"] for item in page["items"])
        query["cursor"] = page["next_cursor"]
        assert (page["next_cursor"] is not None) is goes_on
    assert found == [*sorted(doctors[:2]), *sorted(doctors[2:4]), doctors[4]]
    for name, value in (("cursor", "x"), ("limit", 0), ("limit", 201)):
        assert pointers(await clinic.http.get("/v1/availability", params={name: value})) == [f"/{name}"]


@pytest.mark.parametrize("name", ["after", "doctor_id", "visit_type", "specialty"])
async def test_a_malformed_parameter_is_refused(shared: Clinic, name: str) -> None:
    assert pointers(await shared.http.get("/v1/availability", params={name: "\n"})) == [f"/{name}"]
