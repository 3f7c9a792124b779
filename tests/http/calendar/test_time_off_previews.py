"""A preview of time off names the bookings that conflict with it: those that are counted, or cancelled."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tests.clinic import CHECKUP, Clinic
from tests.http.asking import booked, cancel, get, into_the_past
from tests.http.calendar.previewing import DAY, at, decided, hours, id_of, ids, in_days, previewed

BUFFERED = {
    "code": "buffered",
    "name": "Buffered",
    "minutes": 30,
    "buffer_before_minutes": 30,
    "buffer_after_minutes": 30,
}


class TestTimeOff:
    async def test_names_the_bookings_that_the_refusal_counts(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(visit_types=[CHECKUP, BUFFERED]), await shared.patient()
        day = in_days(2)
        nine = await booked(shared, patient.headers, doctor_id, at(day, 9))
        buffered = await booked(shared, patient.headers, doctor_id, at(day, 11), visit_type="buffered")
        gone = await booked(shared, patient.headers, doctor_id, at(day, 16))
        await cancel(shared, gone, shared.staff)
        for starts_at, ends_at, expected in (
            (at(day, 8), at(day, 18), [nine, buffered]),
            (at(day, 9, 29), at(day, 11), [nine]),
            (at(day, 9, 30), at(day, 11, 1), [buffered]),
        ):
            body = {"starts_at": starts_at, "ends_at": ends_at}
            preview = await previewed(shared, doctor_id, "time-off", body)
            assert preview["items"] == [await get(shared.http, path, shared.staff) for path in expected]
            assert preview["total"] == len(expected)
            assert preview["refusal"] == {
                "reason": "conflicts_with_bookings",
                "detail": f"{len(expected)} booked appointments conflict with this time off.",
            }
            resource = await decided(shared, "POST", doctor_id, "time-off", body)
            assert preview["refusal"] == resource["refusal"]
        # The buffers alone are no conflict: before them and after them, each touching a visit.
        for starts_at, ends_at in ((at(day, 9, 30), at(day, 11)), (at(day, 11, 30), at(day, 18))):
            body = {"starts_at": starts_at, "ends_at": ends_at}
            preview = await previewed(shared, doctor_id, "time-off", body)
            assert (preview["items"], preview["total"], preview["refusal"]) == ([], 0, None)
            assert (await decided(shared, "POST", doctor_id, "time-off", body))["state"] == "confirmed"

    async def test_names_those_that_are_then_cancelled(self, shared: Clinic) -> None:
        zone = ZoneInfo("America/New_York")
        doctor_id = await shared.doctor(hours("00:00", "24:00"), time_zone=zone.key)
        patient, day = await shared.patient(), in_days(3)
        paths = [
            await booked(shared, patient.headers, doctor_id, at(day + number * DAY, 2)) for number in range(3)
        ]
        body = {"starts_at": at(day, 2, 15), "ends_at": at(day + 2 * DAY, 2), "cancel_conflicting": True}

        preview = await previewed(shared, doctor_id, "time-off", body)

        assert (ids(preview["items"]), preview["total"]) == (list(map(id_of, paths[:2])), 2)
        assert preview["refusal"] is None
        assert {item["status"] for item in preview["items"]} == {"booked"}
        for item in preview["items"]:
            starts_at = datetime.fromisoformat(item["starts_at"])
            assert starts_at.isoformat() == starts_at.astimezone(zone).isoformat()
        assert (await decided(shared, "POST", doctor_id, "time-off", body))["state"] == "confirmed"
        states = [(await get(shared.http, path, shared.staff))["status"] for path in paths]
        assert states == ["cancelled", "cancelled", "booked"]

    async def test_that_is_over_is_refused(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        await into_the_past(shared, await booked(shared, patient.headers, doctor_id, at(in_days(2), 9)))
        body = {"starts_at": at(in_days(-20), 8), "ends_at": at(in_days(-1), 8)}
        for fields in (body, body | {"cancel_conflicting": True}):
            preview = await previewed(shared, doctor_id, "time-off", fields)
            assert (
                preview["refusal"] == (await decided(shared, "POST", doctor_id, "time-off", body))["refusal"]
            )
            assert preview["refusal"]["reason"] == "in_the_past"
            assert (preview["items"], preview["total"]) == ([], 0)
        # Visits that are over do not count in time off that is not.
        later = {"starts_at": at(in_days(-20), 8), "ends_at": at(in_days(1), 8)}
        assert (await previewed(shared, doctor_id, "time-off", later))["total"] == 0
