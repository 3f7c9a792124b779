"""A clinic for chance input over HTTP."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked

MANY = 1_000_000


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic that lets one network try often, and does not wait long for the rest of a request."""
    limits = {
        "login_challenges_per_network_hour": MANY, "login_failures_per_network_hour": MANY,
        "requests_per_network_minute": MANY, "requests_per_patient_minute": MANY,
        "requests_per_staff_minute": MANY, "http_head_timeout_s": 1.0, "http_body_timeout_s": 1.0,
        "http_idle_timeout_s": 20.0,
    }  # fmt: skip
    async with running_clinic(settings.model_copy(update=limits), template) as clinic:
        yield clinic


@pytest.fixture(scope="module")
async def ids(shared: Clinic) -> dict[str, str]:
    """Values of path parameters: a doctor and an appointment that exist."""
    doctor_id, patient = await shared.doctor(), await shared.patient()
    path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
    return {"doctor_id": doctor_id, "appointment_id": path.rpartition("/")[2]}
