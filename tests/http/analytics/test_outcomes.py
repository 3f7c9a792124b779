"""Figures of what became of appointments, and how long before them they were booked."""

from datetime import timedelta
from typing import Any

from tests.clinic import Clinic, instant
from tests.http.analytics.figures import PATHS, at, figures, visit
from tests.http.asking import booked, cancel, get, into_the_past

_, OUTCOMES, LEAD_TIME = PATHS
COUNTS = [
    "booked", "completed", "no_show", "cancelled_by_patient", "cancelled_by_staff", "cancelled_by_clinic",
    "total",
]  # fmt: skip


def counts(item: dict[str, Any]) -> list[int]:
    return [item[field] for field in COUNTS]


class TestOutcomes:
    async def test_are_counted_as_they_were_recorded(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(name="Dr. Of All Outcomes", policy={"max_active_per_patient": 99})
        patient, free = await shared.patient(), await shared.slots(doctor_id)
        paths = [await booked(shared, patient.headers, doctor_id, slot) for slot in free[:14:2]]
        await cancel(shared, paths[0], patient.headers)
        for path in paths[1:3]:
            await cancel(shared, path, shared.staff)
        time_off = {"starts_at": free[6], "ends_at": free[7], "cancel_conflicting": True}
        await shared.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", shared.staff, time_off)
        for path in paths:
            await into_the_past(shared, path)
        for path, outcome in ((paths[4], "completed"), (paths[5], "no_show")):
            await shared.confirmed("POST", f"{path}/outcome", shared.staff, {"outcome": outcome})

        # The last 30 days, by doctor.
        answer = await get(shared.http, OUTCOMES, shared.staff)

        [item] = [item for item in answer["items"] if item["group"] == doctor_id]
        assert list(item) == ["group", "name", *COUNTS, "no_show_rate"]
        assert item["name"] == "Dr. Of All Outcomes"
        assert counts(item) == [1, 1, 1, 1, 2, 1, 7]
        assert item["no_show_rate"] == 0.5
        assert str(patient.id) not in str(answer)

    async def test_count_to_the_day_of_their_start_in_the_clinics_zone(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor([])
        for starts_at in (at("2031-01-01", 23, 45), at("2031-01-02", 0), at("2031-01-03", 23, 59)):
            await visit(shared, doctor_id, starts_at, 1)
        await visit(shared, doctor_id, at("2031-01-02", 10), status="no_show")
        await visit(shared, doctor_id, at("2031-01-02", 12), status="no_show")
        await visit(shared, doctor_id, at("2031-01-04", 0))

        found = await figures(shared, OUTCOMES, "2031-01-02", "2031-01-03", "day")

        assert {day: counts(item) for day, item in found.items()} == {
            "2031-01-02": [0, 1, 2, 0, 0, 0, 3],
            "2031-01-03": [0, 1, 0, 0, 0, 0, 1],
        }
        assert [item["no_show_rate"] for item in found.values()] == [0.6667, 0]

    async def test_are_grouped_by_week_month_and_visit_type(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor([])
        await visit(shared, doctor_id, at("2032-02-29", 10), status="no_show", visit_type="other")
        await visit(shared, doctor_id, at("2032-03-01", 10))
        await visit(shared, doctor_id, at("2032-03-07", 10), status="booked")

        found = {
            by: {
                group: (item["total"], item["no_show_rate"])
                for group, item in (await figures(shared, OUTCOMES, "2032-02-29", "2032-03-08", by)).items()
            }
            for by in ("week", "month", "visit_type")
        }

        assert found == {
            "week": {"2032-02-23": (1, 1), "2032-03-01": (2, 0), "2032-03-08": (0, None)},
            "month": {"2032-02-01": (1, 1), "2032-03-01": (2, 0)},
            "visit_type": {"checkup": (2, 0), "other": (1, 1)},
        }


class TestLeadTime:
    async def test_is_the_hours_from_booking_to_start(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor([])
        for number in range(1, 5):
            lead = timedelta(hours=10 * number, seconds=9)
            status = ("booked", "completed", "no_show")[number % 3]
            await visit(shared, doctor_id, at("2033-05-02", 8 + number), status=status, lead=lead)
        lead = timedelta(days=90)
        await visit(
            shared, doctor_id, at("2033-05-02", 9), status="cancelled", cancelled_by="staff", lead=lead
        )

        found = await figures(shared, LEAD_TIME, "2033-05-02", "2033-05-03", "day")

        # To two digits; the 90th percentile lies at 0.7 between the last two.
        assert list(found.values()) == [
            {
                "group": "2033-05-02",
                "name": None,
                "count": 4,
                "median_hours": 25.0,
                "p90_hours": 37.0,
                "mean_hours": 25.0,
            },
            {
                "group": "2033-05-03",
                "name": None,
                "count": 0,
                "median_hours": None,
                "p90_hours": None,
                "mean_hours": None,
            },
        ]
        by_doctor = await figures(shared, LEAD_TIME, "2033-05-01", "2033-05-31", "doctor")
        assert {group: (item["name"], item["count"]) for group, item in by_doctor.items()} == {
            doctor_id: ("Dr. Test", 4)
        }

    async def test_runs_to_the_new_start_of_a_rescheduled_visit(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        await shared.confirmed("POST", f"{path}/reschedule", shared.staff, {"starts_at": free[21]})
        appointment = await get(shared.http, path, shared.staff)
        day = appointment["starts_at"][:10]

        found = await figures(shared, LEAD_TIME, day, day, "doctor")

        lead = instant(appointment["starts_at"]) - instant(appointment["booked_at"])
        expected = lead / timedelta(hours=1)
        assert abs(found[doctor_id]["mean_hours"] - expected) < 0.01
