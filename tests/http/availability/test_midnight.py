"""Hours until or past midnight, and clocks that change at midnight."""

from zoneinfo import ZoneInfo

from infra import clock
from tests.clinic import Clinic
from tests.http.asking import booked, get
from tests.http.availability.test_zones import DAY, POLICY, available, days_of_change


async def test_hours_until_midnight_are_joined_with_the_next_days(shared: Clinic) -> None:
    first = clock.now().date() + 5 * DAY
    evening = {"weekday": first.isoweekday(), "starts": "23:00", "ends": "24:00"}
    night = {"weekday": (first + DAY).isoweekday(), "starts": "00:00", "ends": "01:00"}
    doctor_id = await shared.doctor([evening, night], policy=POLICY | {"slot_minutes": 15})

    schedule = await get(shared.http, f"/v1/doctors/{doctor_id}/schedule")
    assert [hours["ends"] for hours in schedule["hours"]] == ["24:00", "01:00"]
    offered = await available(shared, doctor_id, first, first + DAY)
    walls = [[slot["starts_at"][11:16] for slot in offered[str(day)]] for day in (first, first + DAY)]
    assert walls == [["23:00", "23:15", "23:30", "23:45"], ["00:00", "00:15", "00:30"]]
    calendar = f"/v1/doctors/{doctor_id}/calendar"
    shown = await get(shared.http, calendar, shared.staff, from_=first, to=first + DAY)
    assert [free["ends_at"][11:16] for free in shown["free"]] == ["00:00", "01:00"]

    patient, across = await shared.patient(), offered[str(first)][-1]
    await booked(shared, patient.headers, doctor_id, across["starts_at"])

    assert across["ends_at"][:16] == f"{first + DAY}T00:15"
    shown = await get(shared.http, calendar, shared.staff, from_=first, to=first + DAY)
    assert [appointment["outside_hours"] for appointment in shown["appointments"]] == [False]
    await shared.confirmed(
        "PUT",
        f"/v1/doctors/{doctor_id}/schedule",
        shared.staff,
        {"hours": [evening | {"ends": "23:59"}, night]},
    )
    shown = await get(shared.http, calendar, shared.staff, from_=first, to=first + DAY)
    assert [appointment["outside_hours"] for appointment in shown["appointments"]] == [True]
    offered = await available(shared, doctor_id, first, first)
    assert [slot["starts_at"][11:16] for slot in offered[str(first)]] == ["23:00", "23:15"]


async def test_in_nuuk_a_slot_after_the_skipped_hour_is_listed_under_its_own_date(shared: Clinic) -> None:
    nuuk = ZoneInfo("America/Nuuk")
    # The last hour of a Saturday is skipped: 23:00 -02:00 -> 00:00 -01:00 of Sunday.
    saturday = next(day for day in days_of_change(nuuk) if day.month == 3)
    hours = [
        {"weekday": 6, "starts": "20:00", "ends": "23:30"},
        {"weekday": 7, "starts": "00:00", "ends": "02:00"},
    ]
    doctor_id = await shared.doctor(hours, time_zone="America/Nuuk", policy=POLICY | {"slot_minutes": 30})

    offered = await available(shared, doctor_id, saturday, saturday + DAY)

    shown = {day: [slot["starts_at"] for slot in slots] for day, slots in offered.items()}
    assert shown[str(saturday)][-1] == f"{saturday}T22:30:00-02:00"
    sunday = saturday + DAY
    assert shown[str(sunday)] == [
        f"{sunday}T{wall}:00-01:00" for wall in ("00:00", "00:30", "01:00", "01:30")
    ]
