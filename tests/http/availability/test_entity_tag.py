"""The entity tag of free slots: it changes with the answer, and saves sending the same answer again."""

from datetime import datetime, time
from typing import Any

import pytest

from tests.clinic import ALL_WEEK, Clinic
from tests.http.asking import booking, cancel
from tests.http.availability.offers import BERLIN, DAY, in_days, starts, stop_the_clock


class TestTheEntityTag:
    async def test_spares_a_client_that_has_the_answer(self, shared: Clinic) -> None:
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

    async def test_changes_whenever_the_answer_changes_and_back(self, shared: Clinic) -> None:
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

    async def test_changes_when_a_slot_falls_within_the_notice_period(
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
