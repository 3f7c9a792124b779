"""A clinic with an auditor, and the history of one appointment in its audit trail."""

from collections.abc import AsyncIterator

import pytest

from auditor.main import running_auditor
from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked, cancel, reschedule
from tests.http.audit.exports import Story, kept


@pytest.fixture(scope="module")
async def audited(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic with an auditor that signs often."""
    often = settings.model_copy(update={"audit_head_interval_s": 0.2})
    async with running_clinic(often, template) as clinic, running_auditor(clinic.settings):
        yield clinic


@pytest.fixture(scope="module")
async def story(audited: Clinic) -> Story:
    """The history of one appointment, all of it in the trail."""
    doctors = [await audited.doctor(name=f"Dr. Canary {number}") for number in range(2)]
    patient = await audited.patient()
    free = await audited.slots(doctors[0])
    path = await booked(audited, patient.headers, doctors[0], free[0], reason="My canary knee")
    await reschedule(audited, path, patient.headers, free[4], doctor_id=doctors[1])
    await cancel(audited, path, audited.staff, reason="doctor_ill")
    await kept(audited)
    return Story(patient, doctors, path)
