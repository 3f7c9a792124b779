"""An appointment as an iCalendar entry (RFC 5545), parsed by a library."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from infra import clock
from tests.clinic import CHECKUP, Clinic, free_port, ingress, instant
from tests.http.asking import booked, cancel, get, into_the_past, problem, reschedule

BERLIN = "Europe/Berlin"


async def entry(clinic: Clinic, path: str, http: Any = None) -> tuple[Any, Any]:
    """The calendar and its one event; asserts that the answer is a calendar."""
    response = await (http or clinic.http).get(f"{path}/calendar.ics", headers=clinic.staff)
    assert response.status_code == 200, response.text
    media_type, *parameters = response.headers["content-type"].split("; ")
    assert (media_type, parameters[0]) == ("text/calendar", "charset=utf-8")
    calendar: Any = Calendar.from_ical(response.content)
    assert parameters[1] == f"method={calendar['METHOD']}"
    id_ = path.rpartition("/")[2]
    assert response.headers["content-disposition"] == f'attachment; filename="{id_}.ics"'
    assert all(len(line) <= 75 for line in response.content.split(b"\r\n"))
    assert b"\n" not in response.content.replace(b"\r\n", b"")
    [event] = calendar.walk("VEVENT")
    assert calendar["VERSION"] == "2.0"
    assert not event.errors
    return calendar, event


class TestACalendarEntry:
    async def test_has_the_visit_in_the_clinics_time_zone(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(name="Dr. Ä, B; C\\D 🩺"), await shared.patient()
        at = (await shared.slots(doctor_id))[0]
        path = await booked(shared, patient.headers, doctor_id, at, reason="My left knee")
        appointment = await get(shared.http, path, patient.headers)

        calendar, event = await entry(shared, path)

        assert event["SUMMARY"] == "Check-up, Dr. Ä, B; C\\D 🩺"
        assert (event["STATUS"], calendar["METHOD"], event["SEQUENCE"]) == ("CONFIRMED", "PUBLISH", 1)
        for name, field in (("DTSTART", "starts_at"), ("DTEND", "ends_at")):
            assert event.decoded(name) == instant(appointment[field])
            assert event[name].params["TZID"] == BERLIN
        [zone] = calendar.walk("VTIMEZONE")
        assert zone["TZID"] == BERLIN
        assert event.decoded("DTSTAMP").utcoffset() == timedelta(0)
        assert appointment["id"] in event["UID"]
        assert "knee" not in calendar.to_ical().decode()

    @pytest.mark.parametrize("minutes", [-90, -45, -15, 0, 30, 60])
    async def test_is_right_in_the_hour_that_comes_twice(self, shared: Clinic, minutes: int) -> None:
        """A local time that occurs twice means the first (RFC 5545, section 3.3.5)."""
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        starts = datetime(2026, 10, 25, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        ends = starts + timedelta(minutes=30)
        await shared.postgres.execute(
            "UPDATE booking.appointments SET starts_at = $2, ends_at = $3, occupied = tstzrange($2, $3)"
            " WHERE id = $1",
            path.rpartition("/")[2],
            starts,
            ends,
        )

        _, event = await entry(shared, path)

        for name, at in (("DTSTART", starts), ("DTEND", ends)):
            assert event.decoded(name).astimezone(UTC) == at

    async def test_is_the_same_entry_through_every_change(self, shared: Clinic) -> None:
        first_doctor, second_doctor, patient = (
            await shared.doctor(),
            await shared.doctor(name="Dr. Two"),
            await shared.patient(),
        )
        free = await shared.slots(first_doctor)
        path = await booked(shared, patient.headers, first_doctor, free[0])
        _, first = await entry(shared, path)

        await reschedule(shared, path, patient.headers, free[8])
        _, moved = await entry(shared, path)
        await reschedule(shared, path, patient.headers, free[16], doctor_id=second_doctor)
        _, elsewhere = await entry(shared, path)
        await cancel(shared, path, patient.headers)
        calendar, gone = await entry(shared, path)

        events = (first, moved, elsewhere, gone)
        assert {event["UID"] for event in events} == {first["UID"]}
        assert [event["SEQUENCE"] for event in events] == [1, 2, 3, 4]
        starts = [event.decoded("DTSTART") for event in events]
        assert starts == [instant(free[number]) for number in (0, 8, 16, 16)]
        assert [event["STATUS"] for event in events] == [*["CONFIRMED"] * 3, "CANCELLED"]
        assert (calendar["METHOD"], gone["TRANSP"]) == ("CANCEL", "TRANSPARENT")
        assert elsewhere["SUMMARY"].endswith("Dr. Two")

    async def test_is_available_after_the_visit(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        await into_the_past(shared, path)
        await shared.confirmed("POST", f"{path}/outcome", shared.staff, {"outcome": "completed"})

        calendar, event = await entry(shared, path)

        assert (event["STATUS"], calendar["METHOD"]) == ("CONFIRMED", "PUBLISH")

    async def test_is_for_the_patient_concerned_and_for_staff(self, shared: Clinic) -> None:
        doctor_id, patient, stranger = await shared.doctor(), await shared.patient(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        path += "/calendar.ics"
        assert (await shared.http.get(path, headers=patient.headers)).status_code == 200
        problem(await shared.http.get(path, headers=stranger.headers), 404, "not_found")
        problem(await shared.http.get(path), 401, "unauthenticated")
        nobodys = f"/v1/appointments/{clock.new_id()}/calendar.ics"
        problem(await shared.http.get(nobodys, headers=shared.staff), 404, "not_found")


@pytest.mark.parametrize("name", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
async def test_its_zone_has_the_right_offset_all_year_round(shared: Clinic, name: str) -> None:
    """A calendar program that knows no zone names has only the VTIMEZONE."""
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}", "time_zone": name}
    policy = {"horizon_days": 500, "max_active_per_patient": 100}
    doctor_id = await shared.doctor(visit_types=[CHECKUP], policy=policy)
    patient = await shared.patient()
    midday = datetime.combine(clock.now().date(), datetime.min.time(), UTC) + timedelta(days=2, hours=11)
    async with ingress(shared.settings.model_copy(update=update)) as http:
        for weeks in range(0, 53, 4):
            at = midday + timedelta(weeks=weeks)
            path = await booked(shared, patient.headers, doctor_id, at.isoformat())

            calendar, event = await entry(shared, path, http)

            [zone] = calendar.walk("VTIMEZONE")
            wall = event.decoded("DTSTART").replace(tzinfo=None)
            assert wall == at.astimezone(ZoneInfo(name)).replace(tzinfo=None)
            assert (
                wall.replace(tzinfo=zone.to_tz(lookup_tzid=False)).utcoffset()
                == at.astimezone(ZoneInfo(name)).utcoffset()
            )
