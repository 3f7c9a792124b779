"""`clinic load smoke` against a running clinic: its exit status, its output and its report."""

import asyncio
import json
import os
import sys
from pathlib import Path

from infra.postgres import Connection
from ops.load.mix import Action
from ops.load.preparation import FIRST_APPOINTMENTS
from ops.load.watch import parsed
from tests.clinic import Clinic
from tests.ops.conftest import COMMAND_TIMEOUT_S
from tests.processes import environment

CLINIC = (sys.executable, "-m", "ops.cli", "load", "smoke")
PER_S, SECONDS, DOCTORS, PATIENTS = 20, 4, 3, 20
# From somewhere in the warm-up on (2 s), so that it reaches far into the time that counts.
STALLED_S = 4.0


async def smoke(clinic: Clinic, folder: Path, *options: str) -> asyncio.subprocess.Process:
    """A short `clinic load smoke`, begun."""
    numbers = {"rate": PER_S, "seconds": SECONDS, "doctors": DOCTORS, "patients": PATIENTS}
    arguments = [f"--{name}={value}" for name, value in numbers.items()]
    return await asyncio.create_subprocess_exec(
        *CLINIC,
        *arguments,
        f"--data={folder}",
        *options,
        env={**os.environ, **environment(clinic.settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    """Status, output and complaints."""
    async with asyncio.timeout(COMMAND_TIMEOUT_S):
        output, complaints = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), complaints.decode()


def report_in(folder: Path) -> str:
    """The text of the one report in the data folder."""
    [report] = (folder / "load").iterdir()
    return report.read_text()


async def test_a_clinic_that_keeps_the_levels(clinic: Clinic, tmp_path: Path) -> None:
    status, output, complaints = await ended(await smoke(clinic, tmp_path, "--json"))
    assert output, complaints
    summary = json.loads(output)

    # The machine of a test may be busy: what is checked is that the verdict is that of its own figures.
    [step] = summary["steps"]
    assert [line["name"] for line in step["lines"]] == ["read p95", "confirmed write p95", "errors"]
    met = [line["value"] <= line["limit"] for line in step["lines"]]
    assert (status == 0, summary["met"]) == (all(met), all(met)), (output, complaints)
    assert step["lines"][2]["value"] == 0, output
    assert step["requests"] > PER_S * SECONDS / 2
    assert {"ingress", "generator", "backlog", "connections to Postgres"} <= {
        resource["name"] for resource in step["resources"]
    }

    page = report_in(tmp_path)
    assert Path(summary["report"]).parent == tmp_path / "load"
    assert f"{step['requests']:,}" in page
    assert all(action.value in page for action in Action)

    metrics = parsed((await clinic.http.get("/metrics")).text)
    assert metrics["clinic_postgres_wait_seconds_count"] > 0, "the ingress has opened connections"

    # Every write was decided, none refused, and the doctors of the test are no longer offered.
    assert await clinic.postgres.fetchval("SELECT bool_and(status = 'cancelled') FROM booking.appointments")
    states = await clinic.postgres.fetch("SELECT state, count(*) FROM booking.decisions GROUP BY state")
    assert {row["state"] for row in states} == {"confirmed"}
    booked = await clinic.postgres.fetchval("SELECT count(*) FROM booking.appointments")
    assert booked > FIRST_APPOINTMENTS
    assert await clinic.postgres.fetchval("SELECT count(*) FROM booking.doctors WHERE NOT active") == DOCTORS
    owners = await clinic.postgres.fetchval("SELECT count(DISTINCT patient_id) FROM booking.appointments")
    assert owners > PATIENTS / 2


async def test_a_clinic_that_stalls_misses_them(clinic: Clinic, tmp_path: Path) -> None:
    process = await smoke(clinic, tmp_path)
    assert process.stderr is not None
    async with asyncio.timeout(COMMAND_TIMEOUT_S):
        while b"requests a second" not in await process.stderr.readline():
            pass
        async with clinic.postgres.acquire() as owner, owner.transaction():
            await _booked(owner)
            await owner.execute("LOCK TABLE booking.appointments IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(STALLED_S)  # the stall itself
    status, output, _ = await ended(process)
    assert status == 1, output
    assert "missed" in output
    assert "Missed at 20 requests a second: " in output
    assert "<title>Load test (smoke): missed</title>" in report_in(tmp_path)


async def _booked(connection: Connection) -> None:
    """Return once the load has begun: more is booked than before it."""
    count = "SELECT count(*) FROM booking.appointments"
    while await connection.fetchval(count) == FIRST_APPOINTMENTS:  # noqa: ASYNC110 - the table sets no event
        await asyncio.sleep(0.02)


async def test_with_a_token_of_staff_that_acts_for_the_patients(clinic: Clinic, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(clinic.staff["Authorization"].removeprefix("Bearer "))
    options = ("--url", clinic.settings.url, "--token-file", str(token_file), "--json")
    _, output, complaints = await ended(await smoke(clinic, tmp_path, *options))
    assert output, complaints
    [step] = json.loads(output)["steps"]
    assert step["lines"][2]["value"] == 0, (output, complaints)
    actors = await clinic.postgres.fetch(
        "SELECT DISTINCT data -> 'actor' ->> 'kind' AS kind FROM booking.events"
    )
    assert {row["kind"] for row in actors} == {"staff"}


async def test_no_clinic_is_one_sentence(clinic: Clinic, tmp_path: Path) -> None:
    options = ("--url", "http://127.0.0.1:9", "--key-file", str(clinic.settings.signing_key_file))
    status, output, complaints = await ended(await smoke(clinic, tmp_path, *options))
    assert (status, output) == (1, "")
    assert "http://127.0.0.1:9 does not answer" in complaints
    assert "Traceback" not in complaints
