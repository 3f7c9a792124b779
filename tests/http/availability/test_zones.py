"""A doctor in another zone, whose clocks change: hours are local time, visits last real time.

The offer is compared with minutes counted one by one.

What is offered is checked against minutes counted one by one.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from infra.settings import Settings
from tests.clinic import CHECKUP, Clinic, ingress_process, instant, worker_process
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked, booking, get, reschedule

CLINIC = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
STEP, VISIT = timedelta(minutes=20), timedelta(minutes=30)
# All clock changes in these zones happen within these hours; none happens at midnight.
OPENS, CLOSES = time(0, 0), time(6, 0)
HOURS = [{"weekday": day, "starts": "00:00", "ends": "06:00"} for day in range(1, 8)]
POLICY = {"horizon_days": 500, "slot_minutes": 20, "max_active_per_patient": 1_000}


def minutes(first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Every minute whose local date is one of these, in order."""
    now = datetime.combine(first - DAY, time.min, UTC)
    while now.date() <= last + DAY:
        if first <= now.astimezone(zone).date() <= last:
            yield now
        now += MINUTE


def expected_starts(day: date, zone: ZoneInfo) -> list[datetime]:
    open_ = [now for now in minutes(day, day, zone) if OPENS <= now.astimezone(zone).time() < CLOSES]
    assert open_[-1] - open_[0] == (len(open_) - 1) * MINUTE
    number = (open_[-1] + MINUTE - VISIT - open_[0]) // STEP
    return [open_[0] + step * STEP for step in range(number + 1)]


def days_of_change(zone: ZoneInfo) -> list[date]:
    """Local dates with a clock change, far enough in the future."""
    days = [clock.now().date() + day_number * DAY for day_number in range(4, 400)]
    midnights = [datetime.combine(day, time.min, zone).utcoffset() for day in days]
    return [day for day, now, then in zip(days, midnights, midnights[1:], strict=False) if now != then]


def days_to_look_at(zone: ZoneInfo) -> list[date]:
    ordinary = clock.now().date() + 5 * DAY
    return [ordinary, *days_of_change(zone)]


async def available(clinic: Clinic, doctor_id: str, first: date, last: date) -> dict[str, list[Any]]:
    path = f"/v1/doctors/{doctor_id}/availability"
    answer = await get(clinic.http, path, from_=first, to=last, visit_type="checkup")
    return {day["date"]: day["slots"] for day in answer["days"]}


def test_the_zones_change_their_clocks_in_every_way() -> None:
    changes = {name: len(days_of_change(ZoneInfo(name))) for name in ZONES}
    assert all(changes[name] >= 2 for name in ZONES[:3]), "by an hour, in either hemisphere; by half an hour"
    assert changes["Pacific/Apia"] == 0, "but it is a day ahead of the others"


@pytest.mark.parametrize("name", ZONES)
class TestWithADoctorIn:
    @pytest.fixture
    async def doctor_id(self, shared: Clinic, name: str) -> str:
        return await shared.doctor(HOURS, time_zone=name, policy=POLICY)

    async def test_slots_follow_the_doctors_days_and_offsets(
        self, shared: Clinic, name: str, doctor_id: str
    ) -> None:
        zone = ZoneInfo(name)
        for day in days_to_look_at(zone):
            offered = await available(shared, doctor_id, day - DAY, day + DAY)

            assert list(offered) == [str(day - DAY), str(day), str(day + DAY)]
            for local_date, slots in offered.items():
                starts = expected_starts(date.fromisoformat(local_date), zone)
                assert slots == [
                    {
                        "starts_at": at.astimezone(zone).isoformat(),
                        "ends_at": (at + VISIT).astimezone(zone).isoformat(),
                    }
                    for at in starts
                ]
                assert all(slot["starts_at"][:10] == local_date for slot in slots)
        longest, shortest = 0, 1_000
        for day in days_to_look_at(zone):
            longest = max(longest, len(expected_starts(day, zone)))
            shortest = min(shortest, len(expected_starts(day, zone)))
        assert (longest > shortest) == bool(days_of_change(zone))

    async def test_every_slot_around_the_change_can_be_booked(
        self, shared: Clinic, name: str, doctor_id: str
    ) -> None:
        zone, patient = ZoneInfo(name), await shared.patient()
        for day in days_to_look_at(zone):
            visits = 0
            while slots := (await available(shared, doctor_id, day, day))[str(day)]:
                # As a client in any zone would write it.
                home = instant(slots[0]["starts_at"]).astimezone(ZoneInfo(ZONES[visits % 4]))
                path = await booked(shared, patient.headers, doctor_id, home.isoformat())
                appointment = await get(shared.http, path, patient.headers)
                for field in ("starts_at", "ends_at"):
                    expected = instant(slots[0][field])
                    assert appointment[field] == expected.astimezone(CLINIC).isoformat()
                took = instant(appointment["ends_at"]) - instant(appointment["starts_at"])
                assert took == VISIT, "real time, whatever the clocks show"
                visits += 1
            # Visits of 30 minutes on a grid of 20 minutes take 40 each.
            assert visits == (len(expected_starts(day, zone)) + 1) // 2
            calendar = await get(
                shared.http, f"/v1/doctors/{doctor_id}/calendar", shared.staff, from_=day, to=day
            )
            assert len(calendar["appointments"]) == visits
            assert {appointment["outside_hours"] for appointment in calendar["appointments"]} == {False}
            assert all(appointment["starts_at"][:10] == str(day) for appointment in calendar["appointments"])

    async def test_time_off_is_from_instant_to_instant(
        self, shared: Clinic, name: str, doctor_id: str
    ) -> None:
        zone = ZoneInfo(name)
        for day in days_to_look_at(zone):
            before = await available(shared, doctor_id, day - DAY, day + 2 * DAY)
            from_ = datetime.combine(day - DAY, time(4), zone).astimezone(UTC)
            until = datetime.combine(day + DAY, time(3, 30), zone).astimezone(UTC)
            body = {"starts_at": from_.isoformat(), "ends_at": until.astimezone(CLINIC).isoformat()}
            path = f"/v1/doctors/{doctor_id}/time-off"
            resource = await shared.confirmed("POST", path, shared.staff, body)

            after = await available(shared, doctor_id, day - DAY, day + 2 * DAY)
            for local_date, slots in before.items():
                assert after[local_date] == [
                    slot
                    for slot in slots
                    if instant(slot["ends_at"]) <= from_ or instant(slot["starts_at"]) >= until
                ]
            assert after[str(day)] == [], "the whole day of the clock change"
            assert 0 < len(after[str(day - DAY)]) < len(before[str(day - DAY)])
            assert 0 < len(after[str(day + DAY)]) < len(before[str(day + DAY)])
            for shown_on in (day - DAY, day, day + DAY):
                calendar = await get(
                    shared.http,
                    f"/v1/doctors/{doctor_id}/calendar",
                    shared.staff,
                    from_=shown_on,
                    to=shown_on,
                )
                [shown] = calendar["time_off"]
                assert shown["starts_at"] == from_.astimezone(zone).isoformat()
                assert shown["ends_at"] == until.astimezone(zone).isoformat()
            await shared.confirmed("DELETE", f"{path}/{resource['time_off_id']}", shared.staff)
            assert await available(shared, doctor_id, day - DAY, day + 2 * DAY) == before

    async def test_a_visit_can_be_moved_to_it_from_another_zone(
        self, shared: Clinic, name: str, doctor_id: str
    ) -> None:
        zone, patient = ZoneInfo(name), await shared.patient()
        old_doctor_id = await shared.doctor()
        path = await booked(shared, patient.headers, old_doctor_id, (await shared.slots(old_doctor_id))[0])
        day = days_to_look_at(zone)[-1]
        *_, last = (await available(shared, doctor_id, day, day))[str(day)]

        await reschedule(shared, path, patient.headers, last["starts_at"], doctor_id=doctor_id)

        [listed] = (await get(shared.http, "/v1/appointments", patient.headers))["items"]
        assert listed["starts_at"] == instant(last["starts_at"]).astimezone(CLINIC).isoformat()
        clinic_day = instant(last["starts_at"]).astimezone(CLINIC).date()
        for first, until, found in (
            (clinic_day, clinic_day, [listed]),
            (clinic_day + DAY, clinic_day + DAY, []),
            (clinic_day - DAY, clinic_day - DAY, []),
        ):
            page = await get(shared.http, "/v1/appointments", patient.headers, from_=first, to=until)
            assert page["items"] == found, "lists use the clinic's days"


async def test_the_hour_that_comes_twice_has_two_instants(shared: Clinic) -> None:
    autumn = next(day for day in days_of_change(CLINIC) if len(expected_starts(day, CLINIC)) > 17)
    doctor_id, patient = (
        await shared.doctor(HOURS, policy=POLICY | {"slot_minutes": 30}),
        await shared.patient(),
    )
    twice = [f"{autumn}T02:30:00{offset}" for offset in ("+02:00", "+01:00")]

    paths = [await booked(shared, patient.headers, doctor_id, at) for at in twice]

    assert [(await get(shared.http, path, patient.headers))["starts_at"] for path in paths] == twice
    for at in twice:
        other = await shared.patient()
        body = booking(doctor_id, at)
        assert await shared.refused("POST", "/v1/appointments", other.headers, body) == "slot_taken"


async def test_the_hour_that_is_missing_is_no_slot(shared: Clinic) -> None:
    spring = next(day for day in days_of_change(CLINIC) if len(expected_starts(day, CLINIC)) < 17)
    doctor_id = await shared.doctor(HOURS, policy=POLICY | {"slot_minutes": 30}, visit_types=[CHECKUP])
    offered = (await available(shared, doctor_id, spring, spring))[str(spring)]
    assert [slot["starts_at"][11:] for slot in offered][2:5] == [
        "01:00:00+01:00",
        "01:30:00+01:00",
        "03:00:00+02:00",
    ]


async def test_no_process_uses_the_zone_data_of_the_machine(
    settings: Settings, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_zone = tmp_path / "America" / "Vancouver"
    wrong_zone.parent.mkdir()
    wrong_zone.write_bytes(files("tzdata.zoneinfo").joinpath("Asia/Tokyo").read_bytes())
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
    async with (
        running_clinic(settings, template, worker=False, serve=False) as clinic,
        contextlib.AsyncExitStack() as up,
    ):
        for child in (ingress_process(clinic.settings, tmp_path), worker_process(clinic.settings, tmp_path)):
            await child.start()
            up.push_async_callback(child.stop)
        morning = [{"weekday": day, "starts": "09:00", "ends": "09:30"} for day in range(1, 8)]
        doctor_id = await clinic.doctor(morning, time_zone="America/Vancouver")
        tomorrow = clock.now().date() + DAY
        starts_at = datetime.combine(tomorrow, time(9), ZoneInfo("America/Vancouver")).isoformat()

        offered = await available(clinic, doctor_id, tomorrow, tomorrow)
        assert [slot["starts_at"] for slot in offered[str(tomorrow)]] == [starts_at]
        patient = await clinic.patient()
        await booked(clinic, patient.headers, doctor_id, starts_at)
