"""Compares the clinic's final state with the model."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra import clock
from tests.book import model
from tests.book.practice import Policy
from tests.book.run import Run
from tests.book.steps import Scene
from tests.clinic import Clinic, instant


async def compare_reads(clinic: Clinic, run: Run) -> None:
    """Compare doctors, appointments by doctor and by patient, and free slots.

    Raises:
        AssertionError: the clinic's state differs from the model's.
    """
    book = run.book
    for doctor_id in book.doctors:
        await _doctor(clinic, book, doctor_id)
        await _availability(clinic, book, run.scene, doctor_id)
        where = {id_ for id_, kept in book.appointments.items() if kept.doctor == doctor_id}
        await _appointments(clinic, book, where, clinic.staff, doctor_id=doctor_id)
    for patient in run.patients:
        where = {id_ for id_, kept in book.appointments.items() if kept.patient == patient}
        await _appointments(clinic, book, where, run.headers(patient))


async def _get(clinic: Clinic, path: str, who: dict[str, str], **query: str) -> Any:
    response = await clinic.http.get(path, headers=who, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def _doctor(clinic: Clinic, book: model.Book, doctor_id: str) -> None:
    known = book.doctors[doctor_id]
    shown = await _get(clinic, f"/v1/doctors/{doctor_id}", {})
    assert (shown["active"], shown["time_zone"]) == (known.active, known.time_zone)
    assert Policy(**shown["policy"]) == known.policy
    assert [kind["code"] for kind in shown["visit_types"]] == [kind.code for kind in known.visit_types]


async def _appointments(
    clinic: Clinic, book: model.Book, ids: set[str], who: dict[str, str], **query: str
) -> None:
    shown: list[dict[str, Any]] = []
    while True:
        page = await _get(clinic, "/v1/appointments", who, **query)
        shown += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    kept = sorted((book.appointments[id_].visit[0], id_) for id_ in ids)
    assert [appointment["id"] for appointment in shown] == [id_ for _, id_ in kept]
    for appointment in shown:
        plain, expected = (
            _plain(appointment),
            _expected(appointment["id"], book.appointments[appointment["id"]]),
        )
        assert plain == expected, f"shown {plain}, expected {expected}"


def _plain(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: instant(value) if name.endswith("_at") else value for name, value in shown.items()}


def _expected(id_: str, appointment: model.Appointment) -> dict[str, Any]:
    return {
        "id": id_,
        "doctor_id": appointment.doctor,
        "patient_id": appointment.patient,
        "visit_type": appointment.visit_type,
        "starts_at": appointment.visit[0],
        "ends_at": appointment.visit[1],
        "status": appointment.status,
        "version": appointment.version,
        "booked_at": appointment.booked_at,
        "cancelled_by": appointment.cancelled_by,
        "cancel_reason": appointment.cancel_reason,
        "reason": None,
    }


async def _availability(clinic: Clinic, book: model.Book, scene: Scene, doctor_id: str) -> None:
    doctor = book.doctors[doctor_id]
    today = scene.base.astimezone(ZoneInfo(doctor.time_zone)).date()
    days = [today + timedelta(days=number) for number in (-1, 0, 1)]

    def expected(now: datetime, code: str, minutes: int) -> dict[str, list[tuple[datetime, datetime]]]:
        length = timedelta(minutes=minutes)
        slots = {day: book.free_slots(doctor_id, code, day, now) for day in days}
        return {
            str(day): [(start, start + length) for start in found] for day, found in slots.items() if found
        }

    for kind in doctor.visit_types:
        before = clock.now()
        shown = await _get(
            clinic,
            f"/v1/doctors/{doctor_id}/availability",
            {},
            **{"from": str(days[0]), "to": str(days[-1]), "visit_type": kind.code},
        )
        free = {
            day["date"]: [(instant(slot["starts_at"]), instant(slot["ends_at"])) for slot in day["slots"]]
            for day in shown["days"]
            if day["slots"]
        }
        # Time passes during the request.
        either = [expected(now, kind.code, kind.minutes) for now in (before, clock.now())]
        assert free in either, f"{kind.code} of {doctor_id}: {free}, expected {either[0]}"
