"""A broker that refuses one client's record (too large, access revoked) stops nobody else."""

import httpx

from contracts.topics import COMMANDS_TOPIC
from tests.clinic import CHECKUP, Clinic
from tests.faults.faults.log import alter
from tests.http.asking import problem
from tests.waiting import until_async

# Registering a doctor with one visit type fits, with fifty it does not.
RECORD_BYTES_MAX = 2_000
BODY = {"name": "Dr. Brief", "specialty": "tests", "visit_types": [CHECKUP]}
LONG = [{"code": f"type-{number}", "name": "Long" * 20, "minutes": 30} for number in range(50)]


async def test_is_a_503_and_the_ingress_goes_on(clinic: Clinic) -> None:
    await alter(clinic.settings, COMMANDS_TOPIC, {"max.message.bytes": str(RECORD_BYTES_MAX)})

    async def register_long() -> httpx.Response:
        return await clinic.send("POST", "/v1/doctors", clinic.staff, {**BODY, "visit_types": LONG})

    async def refused() -> bool:
        return (await register_long()).status_code == 503

    # A changed topic setting is effective some time after the controller has acknowledged it.
    await until_async(refused, "the broker refuses a record over its new limit")
    for _ in range(3):
        problem(await register_long(), 503, "log_unavailable")
        await clinic.confirmed("POST", "/v1/doctors", clinic.staff, BODY)
    assert (await clinic.http.get("/health/live")).status_code == 200
