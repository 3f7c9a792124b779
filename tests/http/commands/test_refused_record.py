"""A broker that refuses one client's record (too large, access revoked) stops nobody else."""

from contracts.topics import COMMANDS_TOPIC
from tests.clinic import CHECKUP, Clinic
from tests.faults.faults.log import alter
from tests.http.asking import problem

# Registering a doctor with one visit type fits, with fifty it does not.
RECORD_BYTES_MAX = 2_000
BODY = {"name": "Dr. Brief", "specialty": "tests", "visit_types": [CHECKUP]}
LONG = [{"code": f"type-{number}", "name": "Long" * 20, "minutes": 30} for number in range(50)]


async def test_is_a_503_and_the_ingress_goes_on(clinic: Clinic) -> None:
    await alter(clinic.settings, COMMANDS_TOPIC, {"max.message.bytes": str(RECORD_BYTES_MAX)})
    for _ in range(3):
        refused = await clinic.send("POST", "/v1/doctors", clinic.staff, {**BODY, "visit_types": LONG})
        problem(refused, 503, "log_unavailable")
        await clinic.confirmed("POST", "/v1/doctors", clinic.staff, BODY)
    assert (await clinic.http.get("/health/live")).status_code == 200
