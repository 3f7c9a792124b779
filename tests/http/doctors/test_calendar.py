"""A doctor's calendar for staff: appointments, time off, and the free time between them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra import clock
from tests.clinic import ALL_WEEK, CHECKUP, Clinic, instant
from tests.http.asking import booked, cancel, get, into_the_past, pointers, problem, reschedule

BERLIN, DAY = ZoneInfo("Europe/Berlin"), timedelta(days=1)
BUFFERED = {
    "code": "buffered",
    "name": "Buffered",
    "minutes": 30,
    "buffer_before_minutes": 10,
    "buffer_after_minutes": 20,
}
ROUND_THE_CLOCK = [{"weekday": day, "starts": "00:00", "ends": "23:59"} for day in range(1, 8)]


def in_days(number: int) -> date:
    return clock.now().date() + number * DAY


def at(day: date, hour: int, minute: int = 0) -> str:
    return datetime.combine(day, time(hour, minute), BERLIN).isoformat()


async def calendar(clinic: Clinic, doctor_id: str, first: date, last: date | None = None) -> Any:
    path = f"/v1/doctors/{doctor_id}/calendar"
    return await get(clinic.http, path, clinic.staff, from_=first, to=last or first)


def periods(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["starts_at"], item["ends_at"]) for item in items]


async def block(clinic: Clinic, doctor_id: str, starts_at: str, ends_at: str) -> None:
    body = {"starts_at": starts_at, "ends_at": ends_at}
    await clinic.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", clinic.staff, body)


class TestACalendar:
    async def test_shows_appointments_time_off_and_free_time(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(visit_types=[CHECKUP, BUFFERED]), await shared.patient()
        day = in_days(2)
        plain = await booked(shared, patient.headers, doctor_id, at(day, 9))
        buffered = await booked(shared, patient.headers, doctor_id, at(day, 11), visit_type="buffered")
        gone = await booked(shared, patient.headers, doctor_id, at(day, 15))
        await cancel(shared, gone, shared.staff)
        await block(shared, doctor_id, at(day, 12), at(day, 13))

        shown = await calendar(shared, doctor_id, day)

        assert list(shown) == ["doctor_id", "time_zone", "appointments", "time_off", "free"]
        assert (shown["doctor_id"], shown["time_zone"]) == (doctor_id, "Europe/Berlin")
        assert shown["appointments"] == [
            await get(shared.http, path, shared.staff) | {"outside_hours": False}
            for path in (plain, buffered, gone)
        ]
        assert periods(shown["time_off"]) == [(at(day, 12), at(day, 13))]
        assert periods(shown["free"]) == [
            (at(day, 8), at(day, 9)),
            (at(day, 9, 30), at(day, 10, 50)),
            (at(day, 11, 50), at(day, 12)),
            (at(day, 13), at(day, 18)),
        ]

    async def test_adds_up_to_the_opening_hours(self, shared: Clinic) -> None:
        hours = [{"weekday": day, "starts": "08:00", "ends": "12:00"} for day in range(1, 6)]
        hours += [{"weekday": day, "starts": "13:00", "ends": "17:30"} for day in range(1, 5)]
        doctor_id = await shared.doctor(hours, policy={"max_active_per_patient": 100})
        patient, slots = await shared.patient(), await shared.slots(doctor_id)
        for slot in slots[1::7]:
            await booked(shared, patient.headers, doctor_id, slot)
        first, last = in_days(1), in_days(7)
        path = f"/v1/doctors/{doctor_id}/time-off"
        # From the middle of one opening to the middle of another, days later; bookings are cancelled.
        body = {"starts_at": at(in_days(3), 10), "ends_at": at(in_days(5), 15), "cancel_conflicting": True}
        await shared.confirmed("POST", path, shared.staff, body)

        shown = await calendar(shared, doctor_id, first, last)

        open_minutes = set()
        for day in (first + day_number * DAY for day_number in range(7)):
            for entry in hours:
                if entry["weekday"] == day.isoweekday():
                    from_, until = (
                        instant(f"{day}T{entry[name]}:00").replace(tzinfo=BERLIN)
                        for name in ("starts", "ends")
                    )
                    open_minutes |= minutes(from_, until)
        free, away, taken = (
            set().union(
                *(
                    minutes(instant(period["starts_at"]), instant(period["ends_at"]))
                    for period in periods_of_a_kind
                )
            )
            for periods_of_a_kind in (
                shown["free"],
                shown["time_off"],
                [appointment for appointment in shown["appointments"] if appointment["status"] == "booked"],
            )
        )
        assert free | (away & open_minutes) | taken == open_minutes
        assert not (free & away) | (free & taken) | (away & taken)
        assert taken
        assert {appointment["status"] for appointment in shown["appointments"]} == {"booked", "cancelled"}

    async def test_keeps_visits_with_an_outcome_and_frees_their_time(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        day = in_days(2)
        path = await booked(shared, patient.headers, doctor_id, at(day, 9))
        await into_the_past(shared, path)
        await shared.confirmed("POST", f"{path}/outcome", shared.staff, {"outcome": "no_show"})

        shown = await calendar(shared, doctor_id, day - 10 * DAY)

        assert [appointment["status"] for appointment in shown["appointments"]] == ["no_show"]
        assert periods(shown["free"]) == [(at(day - 10 * DAY, 8), at(day - 10 * DAY, 18))]

    async def test_each_day_alone_includes_visits_that_reach_into_it(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(ROUND_THE_CLOCK, visit_types=[CHECKUP, BUFFERED])
        patient, day = await shared.patient(), in_days(3)
        late = await booked(shared, patient.headers, doctor_id, at(day, 23, 15), visit_type="buffered")
        early = await booked(shared, patient.headers, doctor_id, at(day + 2 * DAY, 0), visit_type="buffered")
        await block(shared, doctor_id, at(day - DAY, 22), at(day, 3))

        own, next_, third = [
            await calendar(shared, doctor_id, day + day_number * DAY) for day_number in range(3)
        ]

        assert [appointment["id"] for appointment in own["appointments"]] == [late.rpartition("/")[2]]
        assert [appointment["id"] for appointment in third["appointments"]] == [early.rpartition("/")[2]]
        assert next_["appointments"] == next_["time_off"] == []
        assert periods(own["time_off"]) == [(at(day - DAY, 22), at(day, 3))], "whole, not cut off at midnight"
        assert periods(own["free"])[0] == (at(day, 3), at(day, 23, 5))
        # The buffers after the late visit and before the early one are taken, though not shown.
        assert periods(next_["free"]) == [(at(day + DAY, 0, 5), at(day + DAY, 23, 50))]

    async def test_follows_a_visit_that_moves(self, shared: Clinic) -> None:
        old_doctor, new_doctor = await shared.doctor(), await shared.doctor(time_zone="America/New_York")
        patient, day = await shared.patient(), in_days(2)
        path = await booked(shared, patient.headers, old_doctor, at(day, 17))
        await reschedule(shared, path, patient.headers, at(day, 16), doctor_id=new_doctor)

        old_calendar, new_calendar = [
            await calendar(shared, doctor_id, day) for doctor_id in (old_doctor, new_doctor)
        ]

        assert old_calendar["appointments"] == []
        assert periods(old_calendar["free"]) == [(at(day, 8), at(day, 18))]
        [moved] = new_calendar["appointments"]
        assert moved["starts_at"] == instant(at(day, 16)).astimezone(ZoneInfo("America/New_York")).isoformat()
        assert new_calendar["time_zone"] == "America/New_York"

    async def test_covers_a_week_from_today_by_default(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        path = f"/v1/doctors/{doctor_id}/calendar"
        today = clock.now().astimezone(BERLIN).date()
        week = await get(shared.http, path, shared.staff)
        assert {period["starts_at"][:10] for period in week["free"]} == {
            str(today + day_number * DAY) for day_number in range(7)
        }
        later = await get(shared.http, path, shared.staff, from_=in_days(30), to=in_days(30 + 61))
        assert len(later["free"]) == 62
        for query, expected in (
            ({"from": in_days(1), "to": in_days(1 + 62)}, ["/to"]),
            ({"from": in_days(1), "to": in_days(0)}, ["/to"]),
            ({"from": "soon"}, ["/from"]),
            ({"to": "2026-02-30"}, ["/to"]),
        ):
            params = {name: str(value) for name, value in query.items()}
            assert pointers(await shared.http.get(path, headers=shared.staff, params=params)) == expected

    async def test_is_for_staff(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = f"/v1/doctors/{doctor_id}/calendar"
        problem(await shared.http.get(path, headers=patient.headers), 403, "forbidden")
        problem(await shared.http.get(path), 401, "unauthenticated")
        for nobody in (clock.new_id(), "x"):
            answer = await shared.http.get(f"/v1/doctors/{nobody}/calendar", headers=shared.staff)
            problem(answer, 404, "not_found")
        answer = await shared.http.get(path, headers=shared.staff)
        assert answer.headers["cache-control"] == "no-store"
        assert len(ALL_WEEK) == len({period["starts_at"][:10] for period in answer.json()["free"]})


def minutes(starts: datetime, ends: datetime) -> set[datetime]:
    first = starts.astimezone(UTC)
    return {first + timedelta(minutes=minute) for minute in range(int((ends - first).total_seconds()) // 60)}
