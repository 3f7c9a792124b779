"""How much of the doctors' open time was booked. Each test has months of its own."""

from typing import Any

from tests.clinic import CHECKUP, Clinic
from tests.http.analytics.figures import PATHS, at, figures, hours, visit

UTILISATION = PATHS[0]


async def utilisation(
    clinic: Clinic, first: str, last: str, by: str
) -> dict[str, tuple[int | None, int, float | None]]:
    """Open minutes, booked minutes and their ratio, by group."""
    found = await figures(clinic, UTILISATION, first, last, by)
    fields = ["group", "name", "open_minutes", "booked_minutes", "utilisation"]
    assert all(list(item) == fields for item in found.values())
    return {
        group: (item["open_minutes"], item["booked_minutes"], item["utilisation"])
        for group, item in found.items()
    }


async def block(clinic: Clinic, doctor_id: str, starts_at: Any, ends_at: Any) -> None:
    body = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    await clinic.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", clinic.staff, body)


class TestByDoctor:
    async def test_is_booked_by_open_minutes(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(
            hours("09:00", "12:00", "2031-01-06", "2031-01-31", "12345"), name="Dr. Busy"
        )
        await block(shared, doctor_id, at("2031-01-07", 10), at("2031-01-08", 10))
        await block(shared, doctor_id, at("2031-01-07", 11), at("2031-01-07", 12))
        for hour, minutes, status in ((9, 30, "completed"), (10, 60, "no_show"), (13, 30, "booked")):
            await visit(shared, doctor_id, at("2031-01-06", hour), minutes, status=status)
        await visit(shared, doctor_id, at("2031-01-09", 9), status="cancelled", cancelled_by="patient")
        await visit(shared, doctor_id, at("2031-01-13", 9))  # after the period
        without_hours, idle = await shared.doctor([]), await shared.doctor([])
        await visit(shared, without_hours, at("2031-01-06", 9), 45)

        found = await utilisation(shared, "2031-01-06", "2031-01-12", "doctor")

        # Five times three hours, but for two on Tuesday and one on Wednesday.
        assert found[doctor_id] == (720, 120, 0.1667)
        assert found[without_hours] == (0, 45, None)
        assert idle not in found
        names = await figures(shared, UTILISATION, "2031-01-06", "2031-01-12", "doctor")
        assert names[doctor_id]["name"] == "Dr. Busy"

    async def test_exceeds_one_where_visits_lie_outside_of_the_hours(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(hours("09:00", "10:00", "2031-02-03", "2031-02-03"))
        await visit(shared, doctor_id, at("2031-02-03", 9, 30), 60)
        await visit(shared, doctor_id, at("2031-02-03", 19))

        found = await utilisation(shared, "2031-02-03", "2031-02-03", "doctor")

        assert found[doctor_id] == (60, 90, 1.5)

    async def test_of_an_inactive_doctor_has_no_open_time(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(hours("09:00", "10:00", "2031-02-10", "2031-02-10"))
        await visit(shared, doctor_id, at("2031-02-10", 9))
        await shared.confirmed("PATCH", f"/v1/doctors/{doctor_id}", shared.staff, {"active": False})

        found = await utilisation(shared, "2031-02-10", "2031-02-10", "doctor")

        assert found[doctor_id] == (0, 30, None)


class TestByDate:
    async def test_has_every_day_of_the_period(self, shared: Clinic) -> None:
        first = await shared.doctor(hours("09:00", "11:00", "2031-03-03", "2031-03-09", "12"))
        await visit(shared, first, at("2031-03-04", 9))
        second = await shared.doctor(hours("09:00", "10:00", "2031-03-03", "2031-03-09", "2"))
        await visit(shared, second, at("2031-03-04", 9), 15)

        found = await utilisation(shared, "2031-03-03", "2031-03-05", "day")

        assert list(found.items()) == [
            ("2031-03-03", (120, 0, 0)),
            ("2031-03-04", (180, 45, 0.25)),
            ("2031-03-05", (0, 0, None)),
        ]

    async def test_a_week_is_its_monday_and_has_the_days_of_the_period_alone(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(hours("09:00", "10:00", "2031-05-01", "2031-05-31"))
        for day in ("2031-05-06", "2031-05-07", "2031-05-13", "2031-05-14"):
            await visit(shared, doctor_id, at(day, 9))

        found = await utilisation(shared, "2031-05-07", "2031-05-13", "week")

        assert list(found.items()) == [
            ("2031-05-05", (300, 30, 0.1)),
            ("2031-05-12", (120, 30, 0.25)),
        ]

    async def test_so_does_a_month(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(hours("09:00", "10:00", "2031-06-01", "2031-08-31"))
        await visit(shared, doctor_id, at("2031-06-30", 9))
        await visit(shared, doctor_id, at("2031-07-01", 9), 45)
        await visit(shared, doctor_id, at("2031-08-02", 9))

        found = await utilisation(shared, "2031-06-29", "2031-08-01", "month")

        assert list(found.items()) == [
            ("2031-06-01", (120, 30, 0.25)),
            ("2031-07-01", (1860, 45, 0.0242)),
            ("2031-08-01", (60, 0, 0)),
        ]

    async def test_days_on_which_clocks_change_have_their_real_minutes(self, shared: Clinic) -> None:
        for sunday, minutes in (("2032-03-28", 23 * 60), ("2032-10-31", 25 * 60)):
            doctor_id = await shared.doctor(hours("00:00", "24:00", sunday, sunday))
            await visit(shared, doctor_id, at(sunday, 1, 45), 30)

            found = await utilisation(shared, sunday, sunday, "day")

            assert found == {sunday: (minutes, 30, round(30 / minutes, 4))}

    async def test_hours_and_visits_count_to_the_clinics_day_that_they_lie_in(self, shared: Clinic) -> None:
        # 15:00 to 20:00 in New York is 21:00 to 02:00 in Berlin.
        evening = hours("15:00", "20:00", "2033-01-04", "2033-01-04")
        doctor_id = await shared.doctor(evening, time_zone="America/New_York")
        await visit(shared, doctor_id, at("2033-01-04", 23, 30), 60)

        found = await utilisation(shared, "2033-01-04", "2033-01-05", "day")

        assert found == {"2033-01-04": (180, 30, 0.1667), "2033-01-05": (120, 30, 0.25)}
        assert (await utilisation(shared, "2033-01-05", "2033-01-05", "doctor"))[doctor_id] == (120, 30, 0.25)
        assert doctor_id not in await utilisation(shared, "2033-01-06", "2033-01-06", "doctor")


async def test_by_visit_type_has_booked_minutes_alone(shared: Clinic) -> None:
    long = CHECKUP | {"code": "long", "name": "Long"}
    doctor_id = await shared.doctor(
        hours("09:00", "12:00", "2034-01-02", "2034-01-02"), visit_types=[CHECKUP, long]
    )
    await shared.doctor([], visit_types=[long | {"name": "Longer"}])
    await visit(shared, doctor_id, at("2034-01-02", 9))
    await visit(shared, doctor_id, at("2034-01-02", 10), 90, visit_type="long")
    await visit(shared, doctor_id, at("2034-01-02", 12), 15, visit_type="given-up")

    found = await figures(shared, UTILISATION, "2034-01-02", "2034-01-02", "visit_type")

    assert {(item["open_minutes"], item["utilisation"]) for item in found.values()} == {(None, None)}
    assert {(group, item["name"], item["booked_minutes"]) for group, item in found.items()} == {
        ("checkup", "Check-up", 30),
        ("long", None, 90),  # doctors call it differently
        ("given-up", None, 15),
    }
