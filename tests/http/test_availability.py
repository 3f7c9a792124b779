"""A doctor's free slots: by local day, never stale, and cheap to ask for again."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from tests.clinic import ALL_WEEK, Clinic, free_port, ingress, instant
from tests.http.asking import booking, cancel, get, pointers, problem

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def in_days(number: int) -> date:
    return clock.now().date() + number * DAY


async def available(clinic: Clinic, doctor_id: str, **query: Any) -> Any:
    return await get(clinic.http, f"/v1/doctors/{doctor_id}/availability", **query)


def starts(answer: Any) -> list[datetime]:
    return [instant(slot["starts_at"]) for day in answer["days"] for slot in day["slots"]]


def stop_the_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: now.astimezone(UTC))


async def test_has_the_free_slots_of_each_local_day(shared: Clinic) -> None:
    hours = [{"weekday": day, "starts": "20:00", "ends": "21:00"} for day in range(1, 8)]
    doctor_id = await shared.doctor(hours, time_zone="America/New_York")
    new_york = ZoneInfo("America/New_York")
    first, last = in_days(2), in_days(4)

    answer = await available(shared, doctor_id, from_=first, to=last, visit_type="checkup")

    assert list(answer) == ["doctor_id", "time_zone", "visit_type", "from", "to", "days"]
    assert [answer[name] for name in list(answer)[:5]] == [
        *(doctor_id, "America/New_York", "checkup", str(first), str(last)),
    ]
    assert [day["date"] for day in answer["days"]] == [str(first), str(first + DAY), str(last)]
    for day in answer["days"]:
        opens = datetime.combine(date.fromisoformat(day["date"]), time(20), new_york)
        assert day["slots"] == [
            {"starts_at": at.isoformat(), "ends_at": (at + timedelta(minutes=30)).isoformat()}
            for at in (opens, opens + timedelta(minutes=15), opens + timedelta(minutes=30))
        ], "in New York the next day has begun in Greenwich"


async def test_shows_the_offset_of_each_day_when_the_clocks_change(shared: Clinic) -> None:
    doctor_id = await shared.doctor(policy={"horizon_days": 400})
    changes = next(day for day in map(in_days, range(3, 400)) if offset(day) != offset(day + DAY))

    answer = await available(shared, doctor_id, from_=changes, to=changes + DAY)

    for day in answer["days"]:
        assert day["slots"][0]["starts_at"][:16] == f"{day['date']}T08:00"
        assert {start.utcoffset() for start in starts({"days": [day]})} == {
            offset(date.fromisoformat(day["date"]))
        }
    assert offset(changes) != offset(changes + DAY)


def offset(day: date) -> timedelta | None:
    return datetime.combine(day, time(12), BERLIN).utcoffset()


async def test_covers_from_to_to_up_to_62_days(shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    path = f"/v1/doctors/{doctor_id}/availability"

    for number in (1, 2, 62):
        answer = await available(shared, doctor_id, from_=in_days(2), to=in_days(1 + number))
        assert [day["date"] for day in answer["days"]] == [str(in_days(2 + more)) for more in range(number)]
        assert all(day["slots"] for day in answer["days"])
    for query, pointer in (
        ({"from": in_days(2), "to": in_days(2 + 62)}, "/to"),
        ({"from": in_days(2), "to": in_days(1)}, "/to"),
        ({"to": in_days(2)}, "/from"),
    ):
        assert pointers(await shared.http.get(path, params={k: str(v) for k, v in query.items()})) == [
            pointer
        ]


async def test_begins_today_where_the_doctor_is_unless_told_otherwise(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor_id = await shared.doctor(time_zone="Pacific/Auckland")
    late = datetime.combine(in_days(1), time(23), UTC)
    stop_the_clock(monkeypatch, late)
    auckland = late.astimezone(ZoneInfo("Pacific/Auckland")).date()
    assert auckland == late.date() + DAY

    today = await available(shared, doctor_id)
    later = await available(shared, doctor_id, from_=auckland + 30 * DAY)

    for answer, begins in ((today, auckland), (later, auckland + 30 * DAY)):
        assert [day["date"] for day in answer["days"]] == [str(begins + more * DAY) for more in range(14)]
        assert all(day["slots"] for day in answer["days"][1:])


async def test_from_alone_knows_the_bookings_too(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(policy={"max_active_per_patient": 10}), await shared.patient()
    for ahead in (0, 10, 40):
        [first, *_] = free = starts(await available(shared, doctor_id, from_=in_days(10 + ahead)))
        body = booking(doctor_id, first.isoformat())
        last = booking(doctor_id, free[-1].isoformat(), patient_id=str(patient.id))
        await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        await shared.confirmed("POST", "/v1/appointments", shared.staff, last)
        left = starts(await available(shared, doctor_id, from_=in_days(10 + ahead)))
        taken = [time for time in free if time not in left]
        assert {first, free[-1]} <= set(taken)
        assert len(taken) == 2 + 1 + 1, "of slots every 15 minutes a visit of 30 takes its neighbour too"


async def test_is_of_one_visit_type_with_its_length_and_buffers(shared: Clinic) -> None:
    visit_types = [
        {
            "code": "long",
            "name": "Long",
            "minutes": 60,
            "buffer_before_minutes": 15,
            "buffer_after_minutes": 30,
        },
        {"code": "short", "name": "Short", "minutes": 15},
    ]
    hours = [{"weekday": day, "starts": "09:00", "ends": "12:00"} for day in range(1, 8)]
    doctor_id, patient = await shared.doctor(hours, visit_types=visit_types), await shared.patient()
    day = in_days(3)

    async def times(visit_type: str | None) -> list[str]:
        answer = await available(shared, doctor_id, from_=day, to=day, visit_type=visit_type)
        return [f"{start:%H:%M}" for start in starts(answer)]

    long = ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30", "10:45", "11:00"]
    assert await times("long") == await times(None) == long
    assert await times("short") == [*long, "11:15", "11:30", "11:45"]
    at_ten = datetime.combine(day, time(10), BERLIN).isoformat()
    await shared.confirmed(
        "POST", "/v1/appointments", patient.headers, booking(doctor_id, at_ten, visit_type="long")
    )
    assert await times("short") == ["09:00", "09:15", "09:30", "11:30", "11:45"]
    assert await times("long") == []

    path = f"/v1/doctors/{doctor_id}/availability"
    assert pointers(await shared.http.get(path, params={"visit_type": "surgery"})) == ["/visit_type"]
    problem(await shared.http.get(path.replace(doctor_id, str(clock.new_id()))), 404, "not_found")


class TestTheEntityTag:
    async def test_saves_the_answer_to_who_has_it(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        path = f"/v1/doctors/{doctor_id}/availability?from={in_days(2)}&to={in_days(3)}"
        full = await shared.http.get(path)
        etag = full.headers["etag"]
        assert etag.startswith('"')
        assert full.headers["cache-control"] == "no-cache"

        for known in (etag, f"W/{etag}", "*", f'"other", {etag}', f'W/"a,b",W/{etag}', f"{etag} ,"):
            response = await shared.http.get(path, headers={"If-None-Match": known})
            assert (response.status_code, response.content) == (304, b""), known
            assert (response.headers["etag"], response.headers["cache-control"]) == (etag, "no-cache")
        for other in ('"other"', 'W/"other"', etag.strip('"'), f'"{etag}"', ""):
            response = await shared.http.get(path, headers={"If-None-Match": other})
            assert (response.status_code, response.content) == (200, full.content), other

    async def test_changes_with_whatever_changes_the_answer_and_back(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = f"/v1/doctors/{doctor_id}/availability?from={in_days(2)}&to={in_days(3)}"
        body = booking(doctor_id, (await shared.slots(doctor_id, days=3))[-1])

        async def etag() -> str:
            response = await shared.http.get(path)
            assert (await shared.http.get(path)).headers["etag"] == response.headers["etag"]
            return response.headers["etag"]

        async def hours(entries: list[dict[str, Any]]) -> None:
            schedule = {"hours": entries}
            await shared.confirmed("PUT", f"/v1/doctors/{doctor_id}/schedule", shared.staff, schedule)

        free = await etag()
        booked = await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        taken = await etag()
        await cancel(shared, booked["links"]["appointment"], patient.headers)
        freed = await etag()
        await hours([{"weekday": day, "starts": "08:00", "ends": "09:00"} for day in range(1, 8)])
        shorter = await etag()
        await hours(ALL_WEEK)
        restored = await etag()
        await shared.confirmed("POST", "/v1/appointments", patient.headers, body)

        assert free == freed == restored, "the same answer has the same tag"
        assert len({free, taken, shorter}) == 3
        assert await etag() == taken
        stale = await shared.http.get(path, headers={"If-None-Match": free})
        assert stale.status_code == 200

    async def test_changes_when_a_slot_falls_under_the_notice(
        self, shared: Clinic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        doctor_id = await shared.doctor()
        day = in_days(3)
        path = f"/v1/doctors/{doctor_id}/availability?from={day}&to={day}"
        seen = set()
        for clock_time, first in (
            (time(6, 59, 30), time(8, 0)),
            (time(7, 0, 30), time(8, 15)),
            (time(7, 14, 59), time(8, 15)),
            (time(7, 15, 1), time(8, 30)),
            (time(16, 29, 59), time(17, 30)),
            (time(16, 30, 1), None),
        ):
            stop_the_clock(monkeypatch, datetime.combine(day, clock_time, BERLIN))
            response = await shared.http.get(path)
            offered = starts(response.json())
            assert (offered[0].time() if offered else None) == first, clock_time
            seen.add(response.headers["etag"])
        assert len(seen) == 5, "nothing changed between 7:00 and 7:15"

    async def test_changes_when_a_slot_comes_within_the_horizon(
        self, shared: Clinic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        doctor_id = await shared.doctor(policy={"horizon_days": 2})
        day = in_days(5)
        path = f"/v1/doctors/{doctor_id}/availability?from={day}&to={day}"
        for days_before, clock_time, last in (
            (3, time(17, 0), None),
            (2, time(7, 59, 59), None),
            (2, time(8, 0, 1), time(8, 0)),
            (2, time(12, 14, 59), time(12, 0)),
            (2, time(12, 15), time(12, 15)),
            (1, time(9, 0), time(17, 30)),
        ):
            stop_the_clock(monkeypatch, datetime.combine(day - days_before * DAY, clock_time, BERLIN))
            offered = starts((await shared.http.get(path)).json())
            assert (offered[-1].time() if offered else None) == last, (days_before, clock_time)


async def test_a_confirmed_command_shows_at_once_at_every_ingress(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}"}
    first, *_ = await shared.slots(doctor_id)
    async with ingress(shared.settings.model_copy(update=update)) as other:
        for _ in range(5):
            booked = await shared.confirmed(
                "POST", "/v1/appointments", patient.headers, booking(doctor_id, first)
            )
            for http in (shared.http, other):
                assert await what_shows(http, doctor_id, booked, patient.headers) == (
                    False,
                    "booked",
                    "booked",
                )
            await cancel(shared, booked["links"]["appointment"], patient.headers)
            for http in (other, shared.http):
                assert await what_shows(http, doctor_id, booked, patient.headers) == (
                    True,
                    *["cancelled"] * 2,
                )


async def what_shows(http: Any, doctor_id: str, booked: Any, who: dict[str, str]) -> tuple[bool, str, str]:
    """Whether the slot is free, and the appointment's status by itself and in the list."""
    appointment = await get(http, booked["links"]["appointment"], who)
    day = instant(appointment["starts_at"]).date()
    free = await get(http, f"/v1/doctors/{doctor_id}/availability", from_=day, to=day)
    listed = await get(http, "/v1/appointments", who)
    [status] = [item["status"] for item in listed["items"] if item["id"] == appointment["id"]]
    return instant(appointment["starts_at"]) in starts(free), appointment["status"], status
