"""A new release, in place: no request fails meanwhile."""

import asyncio
from collections import Counter

from tests.compose.people import book, booked, log_in, log_in_staff, new_doctor
from tests.compose.server import Server
from tests.http.login.logins import new_address

READERS = 3
PAUSE_S = 0.2


async def test_an_upgrade_fails_no_request(server: Server) -> None:
    services = ("auditor", "notifier", "worker-1", "worker-2", "ingress-1", "ingress-2")
    before = {name: server.container(name)["Id"] for name in services}
    server.environment["TEST_RELEASE"] = "2"
    answers: Counter[int] = Counter()
    made: list[str] = []
    async with server.http() as http:
        doctor_id = await new_doctor(http, await log_in_staff(server, http))
        patient = await log_in(server, http, new_address())

        async def read() -> None:
            while True:
                answered = await http.get("/v1/doctors")
                answers[answered.status_code] += 1

        async def write() -> None:
            while True:
                made.append(await book(http, patient, doctor_id))
                await asyncio.sleep(PAUSE_S)

        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(read()) for _ in range(READERS)] + [group.create_task(write())]
            await asyncio.to_thread(server.operate, "upgrade")
            for job in jobs:
                job.cancel()

        assert set(made) <= await booked(http, patient)
    print(f"{answers[200]} reads, {len(made)} bookings")
    assert set(answers) == {200}
    assert len(made) > len(services)
    assert [name for name in services if server.container(name)["Id"] == before[name]] == []
