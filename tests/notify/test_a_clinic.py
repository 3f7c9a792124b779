"""From a booking over HTTP to the mail at the server, through every service."""

from datetime import timedelta

from notifier.main import running_notifier
from tests.clinic import Clinic, Patient, instant
from tests.notify.office import Office
from tests.waiting import until_async


async def test_changes_by_patients_and_staff_are_mailed_to_the_patient(
    clinic: Clinic, office: Office
) -> None:
    clinic.settings = office.smtp.settings(clinic.settings)
    patient = await clinic.patient()
    doctor = await clinic.doctor()
    slots = await clinic.slots(doctor)
    async with running_notifier(clinic.settings):

        async def mailed(count: int, *kinds: str) -> None:
            await office.smtp.receives(count)
            await until_async(lambda: sent(clinic, *kinds), f"{kinds} sent", 60)

        appointment = await booked(clinic, patient, doctor, slots[-1])
        await mailed(1, "confirmation")
        body = {"starts_at": slots[-2]}
        await clinic.confirmed("POST", f"/v1/appointments/{appointment}/reschedule", patient.headers, body)
        await mailed(2, "confirmation", "reschedule")
        await clinic.confirmed("DELETE", f"/v1/appointments/{appointment}", clinic.staff)
        await mailed(3, "confirmation", "reschedule", "cancellation")

        await booked(clinic, patient, doctor, slots[-1])
        await mailed(4, "confirmation", "confirmation", "reschedule", "cancellation")
        away = {
            "starts_at": slots[-1],
            "ends_at": (instant(slots[-1]) + timedelta(minutes=30)).isoformat(),
            "cancel_conflicting": True,
        }
        await clinic.confirmed("POST", f"/v1/doctors/{doctor}/time-off", clinic.staff, away)
        await mailed(5, "confirmation", "confirmation", "reschedule", "cancellation", "cancellation")
    assert len({mail.id for mail in office.smtp.mails}) == 5
    assert len({mail.to for mail in office.smtp.mails}) == 1


async def booked(clinic: Clinic, patient: Patient, doctor: str, starts_at: str) -> str:
    body = {"doctor_id": doctor, "starts_at": starts_at, "visit_type": "checkup"}
    return str((await clinic.confirmed("POST", "/v1/appointments", patient.headers, body))["appointment_id"])


async def sent(clinic: Clinic, *kinds: str) -> bool:
    """Whether notifications of exactly these kinds are sent."""
    rows = await clinic.postgres.fetch("SELECT kind FROM notify.notifications WHERE state = 'sent'")
    return sorted(row["kind"] for row in rows) == sorted(kinds)
