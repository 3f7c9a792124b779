"""Lists: filtered, paged by cursor without gaps or repeats, and limited to what the caller may see."""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from infra import clock
from ingress.http.parameters import cursor_after
from tests.clinic import CHECKUP, Clinic, Patient, instant
from tests.http.asking import booking, cancel, get, pointers, problem

BERLIN = ZoneInfo("Europe/Berlin")
SOME_ID = "0b8f7a52-5a53-4d2f-9c39-6f1d3f8f8a11"


async def pages(
    http: httpx.AsyncClient, path: str, who: dict[str, str] | None = None, **query: Any
) -> list[list[Any]]:
    """The items of a list, page by page to its end."""
    found: list[list[Any]] = []
    cursor = None
    while True:
        page = await get(http, path, who, cursor=cursor, **query)
        assert list(page) == ["items", "next_cursor"]
        found.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def in_days(days: int, hour: int = 10) -> str:
    """The time of a slot far enough in the future."""
    day = clock.now().astimezone(BERLIN).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN).isoformat()


class TestDoctors:
    async def test_are_listed_by_name_page_by_page(self, shared: Clinic) -> None:
        long = "🩺" * 200
        names = [
            "Dr. B",
            "Dr. A",
            "Dr. B",
            "Dr. B",
            "dr. a",
            "Dr. Ä",
            "博士",
            long,
            long,
            "O'Neil \\ %",
            "Dr. B",
        ]
        for name in names:
            body = {"name": name, "specialty": "paging", "visit_types": [CHECKUP]}
            await shared.confirmed("POST", "/v1/doctors", shared.staff, body)

        whole = [
            item for page in await pages(shared.http, "/v1/doctors", specialty="paging") for item in page
        ]
        assert sorted(doctor["name"] for doctor in whole) == sorted(names)
        for limit in (1, 3, 10):
            read = await pages(shared.http, "/v1/doctors", specialty="paging", limit=limit)
            assert [item for page in read for item in page] == whole
            assert {len(page) for page in read[:-1]} <= {limit}
        everyone = await pages(shared.http, "/v1/doctors", limit=4)
        ids = [item["id"] for page in everyone for item in page]
        assert len(ids) == len(set(ids))
        assert {doctor["id"] for doctor in whole} <= set(ids)
        assert [doctor["name"] for doctor in whole if doctor["name"] == "Dr. B"] == ["Dr. B"] * 4
        assert await pages(shared.http, "/v1/doctors", specialty="Paging") == [[]]

    async def test_are_the_same_in_the_list_and_by_id(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(specialty="alone", policy={"slot_minutes": 20})

        [[listed]] = await pages(shared.http, "/v1/doctors", specialty="alone")

        assert list(listed) == ["id", "name", "specialty", "time_zone", "active", "visit_types", "policy"]
        assert await get(shared.http, f"/v1/doctors/{doctor_id}") == listed
        assert listed["policy"]["slot_minutes"] == 20


class TestAppointments:
    async def test_are_filtered(self, shared: Clinic) -> None:
        first_doctor, second_doctor = await shared.doctor(), await shared.doctor()
        ann, bob = await shared.patient(), await shared.patient()

        async def booked(doctor_id: str, patient: Patient, starts_at: str) -> str:
            body = booking(doctor_id, starts_at, patient_id=str(patient.id))
            return str(
                (await shared.confirmed("POST", "/v1/appointments", shared.staff, body))["appointment_id"]
            )

        a = await booked(first_doctor, ann, in_days(2))
        b = await booked(second_doctor, ann, in_days(3))
        c = await booked(first_doctor, bob, in_days(3, 12))
        d = await booked(first_doctor, ann, in_days(4))
        await cancel(shared, f"/v1/appointments/{d}", shared.staff)

        async def listed(who: dict[str, str], **query: Any) -> list[str]:
            return [
                item["id"]
                for page in await pages(shared.http, "/v1/appointments", who, **query)
                for item in page
            ]

        assert await listed(ann.headers) == [a, b, d]
        assert await listed(ann.headers, patient_id=str(ann.id)) == [a, b, d]
        assert await listed(bob.headers) == [c]
        assert await listed((await shared.patient()).headers) == []
        assert await listed(shared.staff, doctor_id=first_doctor) == [a, c, d]
        assert await listed(shared.staff, patient_id=str(ann.id)) == [a, b, d]
        assert await listed(
            shared.staff, patient_id=str(ann.id), doctor_id=first_doctor, status="booked"
        ) == [a]
        assert await listed(
            shared.staff, patient_id=str(ann.id), doctor_id=first_doctor, status="cancelled"
        ) == [d]
        assert await listed(shared.staff, patient_id=SOME_ID) == []
        assert (
            await listed(ann.headers, status="no_show") == await listed(ann.headers, status="completed") == []
        )
        assert {a, b, c, d} <= set(await listed(shared.staff))
        for period, expected in (
            ({"from_": in_days(3)}, [b, d]),
            ({"to": in_days(3)}, [a]),
            ({"from_": in_days(3), "to": in_days(4)}, [b]),
            ({"from_": instant(in_days(3)).astimezone(ZoneInfo("Asia/Tokyo")).isoformat()}, [b, d]),
            ({"from_": in_days(3, 11)}, [d]),
            ({"from_": in_days(4), "to": in_days(2)}, []),
        ):
            assert await listed(ann.headers, **period) == expected, period
        theirs = await shared.http.get(f"/v1/appointments?patient_id={bob.id}", headers=ann.headers)
        problem(theirs, 403, "forbidden")

    async def test_of_other_patients_are_hidden(self, shared: Clinic) -> None:
        doctor_id, patient, other = await shared.doctor(), await shared.patient(), await shared.patient()
        body = booking(doctor_id, in_days(2))
        booked = await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["appointment"]

        [[listed]] = await pages(shared.http, "/v1/appointments", patient.headers)
        assert (
            await get(shared.http, path, patient.headers)
            == await get(shared.http, path, shared.staff)
            == listed
        )
        theirs = await shared.http.get(path, headers=other.headers)
        nobodys = await shared.http.get(f"/v1/appointments/{SOME_ID}", headers=other.headers)
        problem(theirs, 404, "not_found")
        assert theirs.content == nobodys.content
        problem(await shared.http.get(path), 401, "unauthenticated")

    async def test_are_shown_in_the_clinics_time_zone(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(time_zone="America/New_York"), await shared.patient()
        starts_at = (await shared.slots(doctor_id))[0]
        booked = await shared.confirmed(
            "POST", "/v1/appointments", patient.headers, booking(doctor_id, starts_at)
        )

        appointment = await get(shared.http, booked["links"]["appointment"], patient.headers)

        for name, expected in (
            ("starts_at", instant(starts_at)),
            ("ends_at", instant(starts_at) + timedelta(minutes=30)),
            ("booked_at", instant(booked["decided_at"])),
        ):
            assert appointment[name] == expected.astimezone(BERLIN).isoformat()

    async def test_are_paged_without_a_gap_while_others_are_booked_and_cancelled(
        self, shared: Clinic
    ) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()

        async def book(days: int, hour: int) -> str:
            body = booking(doctor_id, in_days(days, hour), patient_id=str(patient.id))
            return str(
                (await shared.confirmed("POST", "/v1/appointments", shared.staff, body))["appointment_id"]
            )

        ids = [await book(days, 10) for days in (2, 4, 6, 8, 10)]
        first = await get(shared.http, "/v1/appointments", patient.headers, limit=2)
        assert [item["id"] for item in first["items"]] == ids[:2]

        await book(1, 10)
        await book(3, 10)
        await cancel(shared, f"/v1/appointments/{ids[1]}", shared.staff)
        between = await book(7, 10)
        cursor = first["next_cursor"]
        rest: list[str] = []
        while cursor:
            page = await get(shared.http, "/v1/appointments", patient.headers, limit=2, cursor=cursor)
            rest += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]

        assert rest == [ids[2], between, ids[3], ids[4]]

    async def test_with_the_same_start_are_not_lost_between_pages(self, shared: Clinic) -> None:
        doctors = [await shared.doctor() for _ in range(4)]
        starts_at = in_days(5, 16)
        for doctor_id in doctors:
            body = booking(doctor_id, starts_at)
            await shared.confirmed("POST", "/v1/appointments", (await shared.patient()).headers, body)
        period = {"from_": starts_at, "to": in_days(5, 17)}

        found = await pages(shared.http, "/v1/appointments", shared.staff, limit=1, **period)

        assert {item["doctor_id"] for page in found for item in page} == set(doctors)
        assert len(found) == 4


async def test_an_invalid_cursor_is_an_error(shared: Clinic) -> None:
    made_up = [
        "",
        "x",
        "é",
        "%00",
        "null",
        "A" * 3_000,
        "[" * 1_000,
        *map(raw, (b"", b"[]", b"{}", b"1", b'["a"]')),
    ]
    made_up += map(
        raw, (b"\xff\xfe", b"[1,2]", b'["a",null]', b'["a","b","c"]', b'["\\u0000","b"]', b"[" * 1_400)
    )
    made_up += map(raw, (b'["\\ud800","b"]', b'["a","\\udfff"]', b'["a","b"', "[NaN,NaN]".encode("utf-16")))
    for path in ("/v1/doctors", "/v1/appointments"):
        for cursor in made_up:
            response = await shared.http.get(path, params={"cursor": cursor}, headers=shared.staff)
            assert pointers(response) == ["/cursor"], (path, cursor)
    for key in (
        ("Dr. A", SOME_ID),
        ("2026-12-01T09:00:00Z", "x"),
        ("2026-12-01", SOME_ID),
        ("2026-12-01T09:00:00", SOME_ID),
        ("0001-01-01T00:00:00+14:00", SOME_ID),
        ("9999-12-31T23:59:59-14:00", SOME_ID),
        ("", ""),
    ):
        params = {"cursor": cursor_after(key)}
        response = await shared.http.get("/v1/appointments", params=params, headers=shared.staff)
        assert pointers(response) == ["/cursor"], key


def raw(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()
