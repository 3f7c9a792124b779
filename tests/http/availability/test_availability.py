"""A doctor's free slots: by local day, never stale, and computed once for many readers."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from ingress.availability import cache as availability_cache
from ingress.availability.days import STARTS_MAX, compute_days
from tests.clinic import Clinic, free_port, ingress, instant
from tests.http.asking import booking, cancel, get, pointers, problem
from tests.http.availability.offers import BERLIN, DAY, available, in_days, starts, stop_the_clock


async def test_has_the_free_slots_of_each_local_day(shared: Clinic) -> None:
    hours = [{"weekday": day, "starts": "20:00", "ends": "21:00"} for day in range(1, 8)]
    doctor_id = await shared.doctor(hours, time_zone="America/New_York")
    new_york = ZoneInfo("America/New_York")
    first, last = in_days(2), in_days(4)

    answer = await available(shared, doctor_id, from_=first, to=last, visit_type="checkup")

    assert list(answer) == ["doctor_id", "time_zone", "visit_type", "from", "to", "days"]
    assert [answer[name] for name in list(answer)[:5]] == [
        doctor_id,
        "America/New_York",
        "checkup",
        str(first),
        str(last),
    ]
    assert [day["date"] for day in answer["days"]] == [str(first), str(first + DAY), str(last)]
    for day in answer["days"]:
        opens = datetime.combine(date.fromisoformat(day["date"]), time(20), new_york)
        assert day["slots"] == [
            {"starts_at": at.isoformat(), "ends_at": (at + timedelta(minutes=30)).isoformat()}
            for at in (opens, opens + timedelta(minutes=15), opens + timedelta(minutes=30))
        ], "in New York, when the next day has begun in Greenwich"


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
        assert [day["date"] for day in answer["days"]] == [
            str(in_days(2 + day_number)) for day_number in range(number)
        ]
        assert all(day["slots"] for day in answer["days"])
    for query, pointer in (
        ({"from": in_days(2), "to": in_days(2 + 62)}, "/to"),
        ({"from": in_days(2), "to": in_days(1)}, "/to"),
        ({"to": in_days(2)}, "/from"),
    ):
        assert pointers(await shared.http.get(path, params={k: str(v) for k, v in query.items()})) == [
            pointer
        ]


async def test_begins_today_in_the_doctors_zone_by_default(
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
        assert [day["date"] for day in answer["days"]] == [
            str(begins + day_number * DAY) for day_number in range(14)
        ]
        assert all(day["slots"] for day in answer["days"][1:])


async def test_a_request_with_only_from_accounts_for_bookings_too(shared: Clinic) -> None:
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
        assert len(taken) == 2 + 1 + 1, (
            "with slots every 15 minutes, a visit of 30 takes the neighbouring slot too"
        )


async def test_is_for_one_visit_type_with_its_length_and_buffers(shared: Clinic) -> None:
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


async def test_is_computed_once_for_simultaneous_requests(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor_id = await shared.doctor()
    computed = 0

    def counting(*arguments: Any) -> Any:
        nonlocal computed
        computed += 1
        return compute_days(*arguments)

    monkeypatch.setattr(availability_cache, "compute_days", counting)
    query = {"from_": in_days(2), "to": in_days(63)}
    answers = await asyncio.gather(*(available(shared, doctor_id, **query) for _ in range(20)))

    assert computed == 1
    assert all(answer == answers[0] for answer in answers)


async def test_ends_after_a_whole_day_and_says_so_where_the_period_has_too_many_slots(
    shared: Clinic,
) -> None:
    hours = [{"weekday": day, "starts": "00:00", "ends": "23:59"} for day in range(1, 8)]
    doctor_id = await shared.doctor(hours, policy={"slot_minutes": 1})
    first = in_days(2)

    answer = await available(shared, doctor_id, from_=first, to=first + 61 * DAY)

    last = date.fromisoformat(answer["to"])
    assert first < last < first + 61 * DAY
    assert [day["date"] for day in answer["days"]] == [
        str(first + number * DAY) for number in range((last - first).days + 1)
    ]
    assert len(starts(answer)) + 29 * len(answer["days"]) >= STARTS_MAX
    rest = await available(shared, doctor_id, from_=last + DAY, to=first + 61 * DAY)
    assert rest["from"] == str(last + DAY)


async def test_every_ingress_shows_a_confirmed_command_at_once(shared: Clinic) -> None:
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
