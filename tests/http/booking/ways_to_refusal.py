"""Requests that provoke each reason for a refusal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts.commands import (
    Actor,
    ActorKind,
    BookAppointment,
    CancelAppointment,
    Command,
    RecordOutcome,
    RescheduleAppointment,
    VisitOutcome,
    derived_id,
)
from contracts.refusals import Reason
from infra import clock
from tests.clinic import CHECKUP, Clinic, Patient, instant
from tests.http.asking import appended, booked, booking, cancel, get

POLICY = {
    "min_notice_minutes": 3 * 24 * 60,
    "horizon_days": 30,
    "change_notice_minutes": 5 * 24 * 60,
    "max_active_per_patient": 2,
}


@dataclass
class Setting:
    """A doctor with a strict policy and one with the default policy; the slots free with both."""

    clinic: Clinic
    strict: str
    usual: str
    patient: Patient
    free: list[str]

    @property
    def late(self) -> str:
        """A slot that patients may book with the strict doctor."""
        return self.free[-1]

    def moved(self, **by: float) -> str:
        return (instant(self.late) + timedelta(**by)).isoformat()

    async def ask(self, method: str, path: str, body: Any = None, staff: bool = False) -> Any:
        """A command, confirmed or not: its resource."""
        who = self.clinic.staff if staff else self.patient.headers
        response = await self.clinic.send(method, path, who, body)
        assert response.status_code == 200, response.text
        return response.json()

    async def book(self, doctor_id: str, starts_at: str, visit_type: str = "checkup") -> Any:
        body = booking(doctor_id, starts_at, visit_type=visit_type)
        return await self.ask("POST", "/v1/appointments", body)

    async def booked(self, doctor_id: str, starts_at: str) -> str:
        return await booked(
            self.clinic, self.clinic.staff, doctor_id, starts_at, patient_id=str(self.patient.id)
        )


async def slot_taken(at: Setting) -> Any:
    other = await at.clinic.patient()
    await booked(at.clinic, other.headers, at.usual, at.late)
    return await at.book(at.usual, at.late)


async def patient_busy(at: Setting) -> Any:
    await at.booked(at.usual, at.late)
    return await at.book(at.strict, at.moved(minutes=-15))


async def outside_hours(at: Setting) -> Any:
    return await at.book(at.usual, at.moved(hours=5))


async def in_time_off(at: Setting) -> Any:
    body = {"starts_at": at.moved(hours=-1), "ends_at": at.moved(minutes=1)}
    await at.clinic.confirmed("POST", f"/v1/doctors/{at.usual}/time-off", at.clinic.staff, body)
    return await at.book(at.usual, at.late)


async def not_a_slot(at: Setting) -> Any:
    return await at.book(at.usual, at.moved(seconds=-1))


async def in_the_past(at: Setting) -> Any:
    return await at.book(at.usual, at.moved(days=-21))


async def too_soon(at: Setting) -> Any:
    return await at.book(at.strict, at.free[0])


async def too_far_ahead(at: Setting) -> Any:
    return await at.book(at.strict, at.moved(days=28))


async def too_late_to_change(at: Setting) -> Any:
    path = await at.booked(at.strict, at.free[0])
    body = {"starts_at": at.late, "doctor_id": at.usual}
    moved = await at.ask("POST", f"{path}/reschedule", body)
    cancelled = await at.ask("DELETE", path)
    assert moved["refusal"] == cancelled["refusal"]
    return cancelled


async def too_many_active(at: Setting) -> Any:
    await at.booked(at.strict, at.free[0])
    await at.booked(at.strict, at.free[4])
    return await at.book(at.strict, at.late)


async def unknown_doctor(at: Setting) -> Any:
    return await at.book(str(clock.new_id()), at.late)


async def doctor_inactive(at: Setting) -> Any:
    path = f"/v1/doctors/{at.usual}"
    await at.clinic.confirmed("PATCH", path, at.clinic.staff, {"active": False})
    return await at.book(at.usual, at.late)


async def unknown_visit_type(at: Setting) -> Any:
    return await at.book(at.usual, at.late, "surgery")


def command_base(at: Setting, actor: Actor | None = None) -> dict[str, Any]:
    return {
        "command_id": uuid4(),
        "fingerprint": "0" * 32,
        "actor": actor or Actor(kind=ActorKind.PATIENT, id=at.patient.id),
        "doctor_id": UUID(at.usual),
    }


async def unknown_appointment(at: Setting) -> Any:
    """Sent past the ingress, which would answer 404."""
    staff = Actor(kind=ActorKind.STAFF, id=uuid4())
    commands: list[Command] = [
        RescheduleAppointment(
            **command_base(at), appointment_id=uuid4(), starts_at=instant(at.late), visit_type="checkup"
        ),
        RecordOutcome(**command_base(at, staff), appointment_id=uuid4(), outcome=VisitOutcome.COMPLETED),
        CancelAppointment(**command_base(at), appointment_id=uuid4()),
    ]
    resources = [await appended(at.clinic, command, at.clinic.staff) for command in commands]
    assert {resource["refusal"]["reason"] for resource in resources} == {"unknown_appointment"}
    return resources[-1]


async def not_booked(at: Setting) -> Any:
    path = await at.booked(at.usual, at.late)
    await cancel(at.clinic, path, at.patient.headers)
    return await at.ask("POST", f"{path}/reschedule", {"starts_at": at.late})


async def changed_meanwhile(at: Setting) -> Any:
    path = await at.booked(at.usual, at.late)
    await at.ask("POST", f"{path}/reschedule", {"starts_at": at.free[0], "expected_version": 1})
    seen = {"expected_version": 1}
    again = await at.ask("POST", f"{path}/reschedule", {"starts_at": at.late} | seen)
    outcome = await at.ask("POST", f"{path}/outcome", {"outcome": "no_show"} | seen, staff=True)
    cancelled = await at.ask("DELETE", f"{path}?expected_version=1")
    assert again["refusal"] == outcome["refusal"] == cancelled["refusal"]
    return cancelled


async def not_started(at: Setting) -> Any:
    path = await at.booked(at.usual, at.late)
    return await at.ask("POST", f"{path}/outcome", {"outcome": "no_show"}, staff=True)


async def not_yours(at: Setting) -> Any:
    """Sent past the ingress, which would answer 403 or 404."""
    other = await at.clinic.patient()
    path = await booked(at.clinic, other.headers, at.usual, at.late)
    id_, visit = UUID(path.rpartition("/")[2]), {"starts_at": instant(at.late), "visit_type": "checkup"}
    base = command_base(at)
    commands: list[Command] = [
        BookAppointment(
            **base, **visit, patient_id=other.id, appointment_id=derived_id(base["command_id"], "appointment")
        ),
        RescheduleAppointment(**command_base(at), **visit, appointment_id=id_),
        CancelAppointment(**command_base(at), appointment_id=id_),
    ]
    resources = [await appended(at.clinic, command, at.patient.headers) for command in commands]
    assert {resource["refusal"]["reason"] for resource in resources} == {"not_yours"}
    appointment = await get(at.clinic.http, path, other.headers)
    assert (appointment["status"], appointment["version"]) == ("booked", 1)
    return resources[-1]


async def conflicts_with_bookings(at: Setting) -> Any:
    await at.booked(at.usual, at.late)
    body = {"starts_at": at.moved(hours=-1), "ends_at": at.moved(minutes=1)}
    return await at.ask("POST", f"/v1/doctors/{at.usual}/time-off", body, staff=True)


async def overlapping_hours(at: Setting) -> Any:
    hours = [{"weekday": 3, "starts": "08:00", "ends": ends} for ends in ("12:00", "12:30")]
    return await at.ask("PUT", f"/v1/doctors/{at.usual}/schedule", {"hours": hours}, staff=True)


async def already_registered(at: Setting) -> Any:
    body = {"id": at.usual, "name": "Dr. Again", "specialty": "tests", "visit_types": [CHECKUP]}
    return await at.ask("POST", "/v1/doctors", body, staff=True)


async def unknown_time_off(at: Setting) -> Any:
    path = f"/v1/doctors/{at.usual}/time-off/{clock.new_id()}"
    return await at.ask("DELETE", path, staff=True)


async def idempotency_key_reused(at: Setting) -> Any:
    """Found by the worker, if both are on the log before the first is decided."""
    key, asked = uuid4(), command_base(at) | {"patient_id": at.patient.id, "starts_at": instant(at.late)}
    asked |= {"command_id": key, "appointment_id": derived_id(key, "appointment")}
    first = BookAppointment.model_validate({**asked, "visit_type": "surgery"})
    second = BookAppointment.model_validate({**asked, "visit_type": "checkup", "fingerprint": "1" * 32})
    resources = [await appended(at.clinic, command, at.patient.headers) for command in (first, second)]
    assert resources[0]["refusal"]["reason"] == "unknown_visit_type"
    return resources[1]


WAYS: dict[Reason, Callable[[Setting], Awaitable[Any]]] = {
    Reason(way.__name__): way
    for way in (
        slot_taken, patient_busy, outside_hours, in_time_off, not_a_slot, in_the_past, too_soon,
        too_far_ahead, too_late_to_change, too_many_active, unknown_doctor, doctor_inactive,
        unknown_visit_type, unknown_appointment, not_booked, not_started, not_yours,
        conflicts_with_bookings, overlapping_hours, already_registered, unknown_time_off,
        idempotency_key_reused, changed_meanwhile,
    )
}  # fmt: skip
