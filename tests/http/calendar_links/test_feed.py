"""The feed that calendar programs get by a link: as little as a calendar needs, and not twice."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from ingress.calendar_links import feed
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import booked, cancel, get, into_the_past, reschedule
from tests.http.availability.offers import stop_the_clock
from tests.http.calendar_links.test_calendar_links import made, shows
from tests.http.people import NAME, PHONE, change

DOCTOR = "Dr. Ä, B; C\\D"
SPECIALTY = "Oncology"
REASON = "My canary knee"


def read(content: bytes) -> tuple[Any, list[Any]]:
    """The calendar and its events; asserts that the lines are as they have to be."""
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    calendar: Any = Calendar.from_ical(content)
    events = calendar.walk("VEVENT")
    assert not any(event.errors for event in events)
    return calendar, events


async def test_a_patients_feed_has_times_and_no_more(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(name=DOCTOR, specialty=SPECIALTY), await shared.patient()
    await change(shared, patient, name=NAME, phone=PHONE, language="de")
    free = await shared.slots(doctor_id)
    paths = [await booked(shared, patient.headers, doctor_id, at, reason=REASON) for at in free[:9:4]]
    await reschedule(shared, paths[0], patient.headers, free[12])
    await cancel(shared, paths[1], patient.headers)
    url = await made(shared, patient.headers)

    response = await shows(shared, url)

    assert response.headers["content-type"] == "text/calendar; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="appointments.ics"'
    calendar, events = read(response.content)
    assert "METHOD" not in calendar
    assert calendar["NAME"] == calendar["X-WR-CALNAME"] == shared.settings.name
    assert calendar.decoded("REFRESH-INTERVAL") == timedelta(hours=1)
    assert calendar["X-PUBLISHED-TTL"] == "PT1H"
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]
    assert [(event.decoded("DTSTART"), event["SEQUENCE"]) for event in events] == [
        (instant(free[8]), 1),
        (instant(free[12]), 2),
    ]
    appointments = {item["id"]: item for item in (await _of(shared, patient.headers))}
    for event, path in zip(events, (paths[2], paths[0]), strict=True):
        id_ = path.rpartition("/")[2]
        assert id_ in event["UID"]
        assert event.decoded("DTEND") == instant(appointments[id_]["ends_at"])
        assert event["SUMMARY"] == f"Termin, {shared.settings.name}"
        assert event["URL"] == f"{shared.settings.url}/de/appointments/{id_}"
        assert (event["STATUS"], event["CLASS"]) == ("CONFIRMED", "PRIVATE")
    told = response.text
    for secret in (NAME, PHONE, DOCTOR[:5], SPECIALTY, CHECKUP["name"], "canary", str(patient.id), doctor_id):
        assert str(secret) not in told, secret


async def test_each_entry_has_the_same_uid_and_the_time_of_its_change(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    first, *_, later = await shared.slots(doctor_id)
    path = await booked(shared, patient.headers, doctor_id, first)
    url = await made(shared, patient.headers)
    entry = Calendar.from_ical(
        (await shared.http.get(f"{path}/calendar.ics", headers=patient.headers)).content
    )

    stamps = []
    for _ in range(2):
        [event] = read((await shows(shared, url)).content)[1]
        assert event["UID"] == entry.walk("VEVENT")[0]["UID"]
        history = (await get(shared.http, f"{path}/history", patient.headers))["items"]
        assert event.decoded("DTSTAMP") == instant(history[-1]["at"]).replace(microsecond=0)
        stamps.append(event.decoded("DTSTAMP"))
        await reschedule(shared, path, patient.headers, later)
    assert stamps[0] <= stamps[1]


async def test_a_doctors_feed_names_no_patient(shared: Clinic) -> None:
    zone = "America/New_York"
    types = [CHECKUP, {"code": "first", "name": "First visit", "minutes": 60}]
    doctor_id = await shared.doctor(name=DOCTOR, time_zone=zone, visit_types=types)
    patient, other = await shared.patient(), await shared.patient()
    await change(shared, patient, name=NAME, phone=PHONE)
    free = await shared.slots(doctor_id)
    await booked(shared, patient.headers, doctor_id, free[0], reason=REASON)
    await booked(shared, other.headers, doctor_id, free[8], visit_type="first")
    url = await made(shared, shared.staff, f"/v1/doctors/{doctor_id}/calendar-link")

    response = await shows(shared, url)

    calendar, events = read(response.content)
    assert calendar["NAME"] == r"Dr. Ä\, B\; C\\D"  # the library leaves its escapes
    assert [event["SUMMARY"] for event in events] == ["Check-up", "First visit"]
    assert [event.decoded("DTSTART") for event in events] == [instant(free[0]), instant(free[8])]
    assert {event["DTSTART"].params["TZID"] for event in events} == {zone}
    assert not any("URL" in event for event in events)
    for secret in (NAME, PHONE, "canary", str(patient.id), str(other.id)):
        assert secret not in response.text, secret


async def test_without_visits_it_is_a_calendar_all_the_same(shared: Clinic) -> None:
    patient, doctor_id = await shared.patient(), await shared.doctor()
    path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
    await into_the_past(shared, path)
    url = await made(shared, patient.headers)

    calendar, events = read((await shows(shared, url)).content)

    assert events == []
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]


async def test_a_visit_is_there_until_its_end(shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    patient, doctor_id = await shared.patient(), await shared.doctor()
    path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
    ends_at = instant((await get(shared.http, path, patient.headers))["ends_at"])
    url = await made(shared, patient.headers)

    counts = []
    for now in (ends_at - timedelta(seconds=1), ends_at):
        stop_the_clock(monkeypatch, now)
        counts.append((await shows(shared, url)).content.count(b"BEGIN:VEVENT"))

    assert counts == [1, 0]


async def test_it_has_at_most_so_many_visits_the_next_ones(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, doctor_id = await shared.patient(), await shared.doctor()
    first, second, third = (await shared.slots(doctor_id))[:9:4]
    for at in (third, first, second):
        await booked(shared, patient.headers, doctor_id, at)
    url = await made(shared, patient.headers)
    monkeypatch.setattr(feed, "VISITS_MAX", 2)

    events = read((await shows(shared, url)).content)[1]

    assert [event.decoded("DTSTART") for event in events] == [instant(first), instant(second)]


@pytest.mark.parametrize("minutes", [-45, 0, 30])
async def test_it_is_right_in_the_hour_that_comes_twice(shared: Clinic, minutes: int) -> None:
    patient, doctor_id = await shared.patient(), await shared.doctor()
    path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
    year = datetime.now(ZoneInfo("Europe/Berlin")).year + 1
    last_sunday = max(day for day in range(25, 32) if datetime(year, 10, day, tzinfo=UTC).weekday() == 6)
    starts = datetime(year, 10, last_sunday, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    await shared.postgres.execute(
        "UPDATE booking.appointments SET starts_at = $2, ends_at = $3, occupied = tstzrange($2, $3)"
        " WHERE id = $1",
        path.rpartition("/")[2],
        starts,
        starts + timedelta(minutes=30),
    )

    [event] = read((await shows(shared, await made(shared, patient.headers))).content)[1]

    assert event.decoded("DTSTART").astimezone(UTC) == starts
    assert event.decoded("DTEND").astimezone(UTC) == starts + timedelta(minutes=30)


async def test_a_program_that_has_it_is_not_sent_it_again(shared: Clinic) -> None:
    patient, doctor_id = await shared.patient(), await shared.doctor()
    first, *_, later = await shared.slots(doctor_id)
    path = await booked(shared, patient.headers, doctor_id, first)
    url = await made(shared, patient.headers)
    known = await shows(shared, url)
    assert (await shows(shared, url)).content == known.content
    assert known.headers["cache-control"] == "private, no-cache"

    for tag in (known.headers["etag"], f"W/{known.headers['etag']}", "*"):
        same = await shared.http.get(url, headers={"If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
        assert (same.headers["etag"], same.headers["cache-control"]) == (
            known.headers["etag"],
            known.headers["cache-control"],
        )
    head = await shared.http.head(url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", known.headers["etag"])

    async def is_new() -> bool:
        answer = await shared.http.get(url, headers={"If-None-Match": known.headers["etag"]})
        return answer.status_code == 200

    await reschedule(shared, path, patient.headers, later)
    assert await is_new()
    await cancel(shared, path, patient.headers)
    assert await is_new()


async def _of(clinic: Clinic, who: dict[str, str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await get(clinic.http, "/v1/appointments", who))["items"]
    return items
