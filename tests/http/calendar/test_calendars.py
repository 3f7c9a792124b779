"""Calendars of several doctors at one moment."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from ingress.calendar import routes
from ingress.event_stream.feed import StreamPosition
from tests.clinic import Clinic, instant
from tests.http.asking import booked, cancel, get, into_the_past, pointers, problem

PATH = "/v1/calendar"
BERLIN, DAY = ZoneInfo("Europe/Berlin"), timedelta(days=1)
ROUND_THE_CLOCK = [{"weekday": day, "starts": "00:00", "ends": "24:00"} for day in range(1, 8)]


def today() -> date:
    return clock.now().astimezone(BERLIN).date()


def at(day: date, hour: int, minute: int = 0) -> str:
    return datetime.combine(day, time(hour, minute), BERLIN).isoformat()


async def calendars(clinic: Clinic, doctor_ids: Iterable[str] = (), **query: Any) -> Any:
    asked = {name: value for name, value in {"doctor_id": list(doctor_ids), **query}.items() if value}
    return await get(clinic.http, PATH, clinic.staff, **asked)


async def pages(clinic: Clinic, **query: Any) -> list[Any]:
    found = [await calendars(clinic, **query)]
    while found[-1]["next_cursor"]:
        found.append(await calendars(clinic, **query, cursor=found[-1]["next_cursor"]))
    return found


async def listed(clinic: Clinic, **query: Any) -> dict[str, Any]:
    """The calendars of all pages, by the doctor's id."""
    return {item["doctor_id"]: item for page in await pages(clinic, **query) for item in page["items"]}


async def make_inactive(clinic: Clinic, doctor_id: str) -> None:
    await clinic.confirmed("PATCH", f"/v1/doctors/{doctor_id}", clinic.staff, {"active": False})


class TestTheDoctors:
    async def test_have_the_calendars_that_each_has_alone(self, shared: Clinic) -> None:
        patients = [await shared.patient() for _ in range(2)]
        first, last = today() + 2 * DAY, today() + 4 * DAY
        zones = {"Dr. A": "Europe/Berlin", "Dr. B": "America/New_York", "Dr. C": "Pacific/Auckland"}
        doctors = {
            name: await shared.doctor(ROUND_THE_CLOCK, name=name, time_zone=zone)
            for name, zone in zones.items()
        }
        # The dates of New York and Auckland begin and end at other times.
        for patient, name in zip(patients, ("Dr. A", "Dr. B"), strict=True):
            paths = [
                await booked(shared, patient.headers, doctors[name], starts_at)
                for starts_at in (at(first, 1), at(first, 12), at(last + DAY, 1))
            ]
            await cancel(shared, paths[1], shared.staff)
        body = {"starts_at": at(first, 8), "ends_at": at(last, 9), "note": "At sea"}
        away = f"/v1/doctors/{doctors['Dr. C']}/time-off"
        await shared.confirmed("POST", away, shared.staff, body)

        shown = await calendars(shared, reversed(doctors.values()), from_=first, to=last)

        assert list(shown) == ["from", "to", "event_id", "next_cursor", "items"]
        assert (shown["from"], shown["to"], shown["next_cursor"]) == (str(first), str(last), None)
        assert StreamPosition.parse(shown["event_id"])
        assert shown["items"] == [
            await get(shared.http, f"/v1/doctors/{id_}/calendar", shared.staff, from_=first, to=last)
            | {"name": name}
            for name, id_ in doctors.items()
        ]
        starts = [[visit["starts_at"] for visit in item["appointments"]] for item in shown["items"]]
        assert [list(map(instant, of_doctor)) for of_doctor in starts] == [
            [instant(at(first, 1)), instant(at(first, 12))],
            [instant(at(first, 12)), instant(at(last + DAY, 1))],
            [],
        ]

    async def test_are_all_active_ones_and_who_still_has_visits_then(self, shared: Clinic) -> None:
        patient, day = await shared.patient(), today() + 2 * DAY
        active, idle, leaving, freed = [await shared.doctor() for _ in range(4)]
        visit = await booked(shared, patient.headers, leaving, at(day, 17))
        await cancel(shared, await booked(shared, patient.headers, freed, at(day, 9)), shared.staff)
        for doctor_id in (idle, leaving, freed):
            await make_inactive(shared, doctor_id)
        ours = {active, idle, leaving, freed}

        assert ours & (await listed(shared, from_=day)).keys() == {active, leaving}
        for other_day in (day - DAY, day + DAY):
            assert ours & (await listed(shared, from_=other_day)).keys() == {active}
        assert ours & (await listed(shared, from_=day - DAY, to=day + DAY)).keys() == {active, leaving}
        named = await calendars(shared, [idle, leaving], from_=day + DAY)
        assert {item["doctor_id"] for item in named["items"]} == {idle, leaving}
        # What was seen through stays to be seen.
        await into_the_past(shared, visit)
        await shared.confirmed("POST", f"{visit}/outcome", shared.staff, {"outcome": "completed"})
        assert ours & (await listed(shared, from_=day - 10 * DAY)).keys() == {active, leaving}

    async def test_come_in_pages_by_name(self, shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
        doctors = {await shared.doctor(name="Dr. Same") for _ in range(3)}
        whole = await listed(shared)
        monkeypatch.setattr(routes, "DOCTORS_MAX", 2)

        found = await pages(shared)

        items = [item for page in found for item in page["items"]]
        assert len(found) > 1
        assert all(len(page["items"]) <= 2 and StreamPosition.parse(page["event_id"]) for page in found)
        assert [item["doctor_id"] for item in items] == list(whole)
        assert doctors <= whole.keys()
        assert [item["name"] for item in items] == sorted(item["name"] for item in items)

    async def test_are_named_once_even_if_asked_for_twice(self, shared: Clinic) -> None:
        first, second = await shared.doctor(), await shared.doctor()

        shown = await calendars(shared, [first, second, first, first.upper()])

        assert sorted(item["doctor_id"] for item in shown["items"]) == sorted([first, second])


class TestThePeriod:
    async def test_is_today_by_default(self, shared: Clinic) -> None:
        doctor_id, later = await shared.doctor(), today() + 9 * DAY
        shown = await calendars(shared, [doctor_id])
        assert (shown["from"], shown["to"]) == (str(today()), str(today()))
        assert {free["starts_at"][:10] for free in shown["items"][0]["free"]} == {str(today())}
        shown = await calendars(shared, [doctor_id], from_=later)
        assert (shown["from"], shown["to"]) == (str(later), str(later))

    async def test_has_31_days_or_62_of_one_doctor(self, shared: Clinic) -> None:
        first, second, begin = await shared.doctor(), await shared.doctor(), today()
        for doctor_ids, days in (([first, second], 31), ([], 31), ([first], 62), ([first, first], 62)):
            shown = await calendars(shared, doctor_ids, from_=begin, to=begin + (days - 1) * DAY)
            assert len(shown["items"][0]["free"]) == days or not doctor_ids
            params = {"doctor_id": doctor_ids, "from": str(begin), "to": str(begin + days * DAY)}
            answer = await shared.http.get(PATH, headers=shared.staff, params=params)
            assert pointers(answer) == ["/to"]

    async def test_may_be_at_the_ends_of_time(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(time_zone="Pacific/Kiritimati")
        for day in ("1900-01-01", "2199-12-31"):
            for doctor_ids in ([doctor_id], []):
                shown = await calendars(shared, doctor_ids, from_=day)
                assert (shown["from"], shown["to"]) == (day, day)


async def test_bad_input(shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    cursor = "WyJEciIsICIwIl0"
    for query, expected in (
        ({"doctor_id": "x"}, ["/doctor_id/0"]),
        ({"doctor_id": ""}, ["/doctor_id/0"]),
        ({"doctor_id": [doctor_id, "\0"]}, ["/doctor_id/1"]),
        ({"doctor_id": [doctor_id, "😷"]}, ["/doctor_id/1"]),
        ({"doctor_id": [doctor_id] * 51}, ["/doctor_id"]),
        ({"doctor_id": [str(clock.new_id())] * 2}, ["/doctor_id/0", "/doctor_id/1"]),
        ({"doctor_id": [doctor_id, str(clock.new_id())]}, ["/doctor_id/1"]),
        ({"doctor_id": [str(clock.new_id()) for _ in range(50)]}, [f"/doctor_id/{n}" for n in range(20)]),
        ({"doctor_id": doctor_id, "cursor": cursor}, ["/cursor"]),
        ({"cursor": "x"}, ["/cursor"]),
        ({"cursor": cursor[:-4]}, ["/cursor"]),
        ({"from": "soon"}, ["/from"]),
        ({"from": "2200-01-01"}, ["/from"]),
        ({"from": f"{today()}T00:00:00Z"}, ["/from"]),
        ({"from": str(today()), "to": str(today() - DAY)}, ["/to"]),
        ({"to": "1900-01-01"}, ["/to"]),
    ):
        answer = await shared.http.get(PATH, headers=shared.staff, params=query)
        assert pointers(answer) == expected, query
    unknown = {"doctor_id": str(clock.new_id())}
    answer = await shared.http.get(PATH, headers=shared.staff, params=unknown)
    assert problem(answer, 422, "invalid_fields")[0]["code"] == "unknown_doctor"


async def test_they_are_for_staff(shared: Clinic) -> None:
    patient = await shared.patient()
    problem(await shared.http.get(PATH, headers=patient.headers), 403, "forbidden")
    problem(await shared.http.get(PATH), 401, "unauthenticated")
    answer = await shared.http.get(PATH, headers=shared.staff)
    assert answer.headers["cache-control"] == "no-store"
