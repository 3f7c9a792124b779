"""A preview of new weekly hours names the bookings that the calendar then flags."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.clinic import Clinic
from tests.http.asking import booked, cancel, get, into_the_past
from tests.http.calendar.previewing import DAY, at, decided, hours, id_of, ids, in_days, previewed


async def outside_hours(clinic: Clinic, doctor_id: str, first: date, last: date) -> list[str]:
    path = f"/v1/doctors/{doctor_id}/calendar"
    shown = await get(clinic.http, path, clinic.staff, from_=first, to=last)
    return ids([visit for visit in shown["appointments"] if visit["outside_hours"]])


class TestNewHours:
    async def test_leave_out_what_the_calendar_then_flags(self, shared: Clinic) -> None:
        doctor_id, day = await shared.doctor(), in_days(2)
        patients = [await shared.patient() for _ in range(2)]
        early, noon, late, over, gone = [
            await booked(shared, patients[number % 2].headers, doctor_id, starts_at)
            for number, starts_at in enumerate(
                (at(day, 9), at(day, 12), at(day, 17, 30), at(day, 8), at(day, 17))
            )
        ]
        await cancel(shared, gone, shared.staff)
        await into_the_past(shared, over)
        shorter = {"hours": hours("08:00", "17:00")}
        assert (await decided(shared, "PUT", doctor_id, "schedule", shorter))["state"] == "confirmed"
        new = {"hours": hours("10:00", "13:00")}

        preview = await previewed(shared, doctor_id, "schedule", new)

        assert preview["items"] == [
            await get(shared.http, path, shared.staff) | {"already": already}
            for path, already in ((early, False), (late, True))
        ]
        assert (preview["total"], preview["refusal"], preview["next_cursor"]) == (2, None, None)
        assert await outside_hours(shared, doctor_id, day, day) == [id_of(late)], "nothing has changed"
        assert (await decided(shared, "PUT", doctor_id, "schedule", new))["state"] == "confirmed"
        assert await outside_hours(shared, doctor_id, day, day) == ids(preview["items"])
        again = await previewed(shared, doctor_id, "schedule", new)
        assert [item["already"] for item in again["items"]] == [True, True]
        assert (await get(shared.http, noon, shared.staff))["status"] == "booked"

    @pytest.mark.parametrize(
        "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland"]
    )
    async def test_are_local_also_when_clocks_change(self, shared: Clinic, zone: str) -> None:
        doctor_id = await shared.doctor(hours("00:00", "24:00"), time_zone=zone)
        begin, end = around_next_change(ZoneInfo(zone))
        patient_id, half_hour = str((await shared.patient()).id), timedelta(minutes=30)
        starts = [begin + number * half_hour for number in range((end - begin) // half_hour)]
        for starts_at in starts:
            await booked(shared, shared.staff, doctor_id, starts_at.isoformat(), patient_id=patient_id)
        new = {"hours": hours("01:00", "02:30", 6) + hours("02:15", "03:00", 7) + hours("23:00", "24:00")}

        preview = await previewed(shared, doctor_id, "schedule", new)

        assert (await decided(shared, "PUT", doctor_id, "schedule", new))["state"] == "confirmed"
        days = [moment.astimezone(ZoneInfo(zone)).date() for moment in (begin, end)]
        flagged = await outside_hours(shared, doctor_id, *days)
        assert 0 < len(flagged) < len(starts)
        assert ids(preview["items"]) == flagged
        shown = {datetime.fromisoformat(item["starts_at"]).utcoffset() for item in preview["items"]}
        assert shown == {moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in starts}
        assert len(shown) == 2, "before and after the change"

    async def test_that_would_be_refused_say_so(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        await booked(shared, patient.headers, doctor_id, at(in_days(2), 9))
        new = {"hours": hours("10:00", "13:00") + hours("12:00", "14:00")}

        preview = await previewed(shared, doctor_id, "schedule", new)

        assert preview["refusal"] == (await decided(shared, "PUT", doctor_id, "schedule", new))["refusal"]
        assert preview["refusal"]["reason"] == "overlapping_hours"
        assert (preview["items"], preview["total"]) == ([], 0)


def around_next_change(zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Midnights around the day before and the day on which the zone's clocks change next."""
    day = in_days(3)
    while offset(zone, day) == offset(zone, day + DAY):
        day += DAY
    begin, end = (datetime.combine(day + days * DAY, time.min, zone).astimezone(UTC) for days in (-1, 1))
    return begin, end


def offset(zone: ZoneInfo, day: date) -> timedelta | None:
    return datetime.combine(day, time.min, zone).utcoffset()
