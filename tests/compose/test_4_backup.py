"""A backup is made while the clinic works. The database comes back, with the log or to it."""

import asyncio

import pytest

from tests.compose.people import book, booked, log_in, log_in_staff, new_doctor
from tests.compose.server import Server
from tests.http.login.logins import new_address

PAUSE_S = 0.2


@pytest.mark.parametrize("with_log", [False, True])
async def test_what_was_booked_comes_back(server: Server, with_log: bool) -> None:
    folder, address = server.folder / f"backup-{with_log}", new_address()
    async with server.http() as http:
        doctor_id = await new_doctor(http, await log_in_staff(server, http))
        patient = await log_in(server, http, address)
        before = {await book(http, patient, doctor_id) for _ in range(3)}
        meanwhile: set[str] = set()
        is_saved = False

        async def keep_booking() -> None:
            while not is_saved:
                meanwhile.add(await book(http, patient, doctor_id))
                await asyncio.sleep(PAUSE_S)

        booking = asyncio.create_task(keep_booking())
        await asyncio.to_thread(server.operate, "backup", str(folder))
        is_saved = True
        await booking  # no request failed
        after = {await book(http, patient, doctor_id) for _ in range(3)}
    assert meanwhile

    await asyncio.to_thread(server.operate, "restore", str(folder), *(["--with-log"] if with_log else []))

    async with server.http() as http:
        patient = await log_in(server, http, address)
        found = await booked(http, patient)
        assert before <= found
        # Without the log, what came after the backup comes back from it. With the log, it is gone.
        assert (after & found) == (set() if with_log else after)
        if not with_log:
            assert meanwhile <= found
        assert await book(http, patient, doctor_id) in await booked(http, patient)
    server.clinic("replay", "verify")
    server.clinic("audit", "verify")
