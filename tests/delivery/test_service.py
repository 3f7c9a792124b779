"""A service ends with an error if a part of it fails, cleanly if it is stopped, and always in time."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from infra.redis import decided_channel
from infra.service import Service
from infra.settings import Settings
from ops import probes
from tests.clinic import CHECKUP, Clinic, free_port, ingress_process
from tests.clinic import clinic as running_clinic
from tests.processes import service
from tests.waiting import until, until_answers, until_async

ENDS_WITHIN_S = 15.0

# A service with one background job, which the test defines.
PROGRAM = """
import asyncio, contextlib, sys
from infra import service
from infra.settings import Settings

async def job():
    {job}

@contextlib.asynccontextmanager
async def running(settings, parts):
    {startup}
    async with parts.running(job()):
        print("running", flush=True)
        yield

service.STOP_DEADLINE_S = 1.0
service.CANCEL_AGAIN_S = 0.2
service.run(Settings(), "example", running)
"""


def start(job: str = "await asyncio.Event().wait()", startup: str = "pass") -> subprocess.Popen[str]:
    program = PROGRAM.format(job=textwrap.indent(job, "    ").strip(), startup=startup)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit status and the critical log lines."""
    output, _ = process.communicate(timeout=ENDS_WITHIN_S)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return process.returncode, [line["event"] for line in lines if line["level"] == "critical"]


def wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for printed in process.stdout:
        if printed.strip() == line:
            return
    raise AssertionError(f"it ended without {line!r}")


@pytest.mark.parametrize("job", ["raise ValueError('broken')", "return"])
def test_a_job_that_fails_or_returns_ends_the_process_with_status_1(job: str) -> None:
    status, critical = ended(start(job))

    assert status == 1
    assert "a part of the service failed, the process ends" in critical


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_with_status_0_and_no_critical_line(number: signal.Signals) -> None:
    process = start()
    wait_for_line(process, "running")
    process.send_signal(number)

    assert ended(process) == (0, [])


def test_a_stop_during_startup_ends_with_status_0() -> None:
    process = start(startup="print('starting', flush=True); await asyncio.sleep(3600)")
    wait_for_line(process, "starting")
    process.send_signal(signal.SIGTERM)

    assert ended(process) == (0, [])


@pytest.mark.parametrize(
    ("job", "startup"),
    [
        (
            "while True:\n    with contextlib.suppress(asyncio.CancelledError): await asyncio.sleep(60)",
            "pass",
        ),
        ("while True: pass", "print('running', flush=True)"),
        (
            "await asyncio.Event().wait()",
            "print('running', flush=True)\n    while True:\n"
            "        with contextlib.suppress(asyncio.CancelledError): await asyncio.sleep(60)",
        ),
    ],
    ids=["swallows its cancellation", "blocks the loop", "swallows it during startup"],
)
def test_a_stop_has_a_deadline(job: str, startup: str) -> None:
    process = start(job, startup)
    wait_for_line(process, "running")
    process.send_signal(signal.SIGTERM)

    status, critical = ended(process)

    assert status == 1
    assert critical == ["the process did not stop in time and is aborted"]


def test_a_lost_cancellation_is_repeated() -> None:
    process = start(
        "with contextlib.suppress(asyncio.CancelledError): await asyncio.sleep(60)\nawait asyncio.sleep(60)"
    )
    wait_for_line(process, "running")
    process.send_signal(signal.SIGTERM)

    status, _ = ended(process)

    assert status == 0


async def test_garbage_among_the_wake_ups_does_no_harm(clinic: Clinic) -> None:
    redis = Redis.from_url(clinic.settings.redis_url.get_secret_value())
    for garbage in (b"hello", b"[1]", b'{"a": [', b"\xff", b"null"):
        assert await redis.publish(decided_channel(clinic.settings), garbage) == 1
    await redis.aclose()

    await clinic.doctor()

    assert (await clinic.http.get("/health/live")).json() == {"status": "live"}


@pytest.fixture
async def parts(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        yield clinic


async def test_an_ingress_whose_background_job_fails_ends_with_status_1(
    parts: Clinic, tmp_path: Path
) -> None:
    ingress = ingress_process(parts.settings, tmp_path)
    await ingress.start()
    body = {"name": "Dr. End", "specialty": "tests", "visit_types": [CHECKUP]}
    waiting = asyncio.create_task(parts.send("POST", "/v1/doctors", parts.staff, body, wait=10))

    async def accepted() -> bool:
        return "RegisterDoctor" in (await parts.http.get("/metrics")).text

    await until_async(accepted, "a client waits for a decision")
    # The statement that looks up waiting commands fails from now on: for the ingress, a bug.
    await parts.postgres.execute("ALTER TABLE booking.decisions RENAME COLUMN fingerprint TO print")
    try:
        until(lambda: not ingress.running, "the ingress has ended", ENDS_WITHIN_S)
    finally:
        await parts.postgres.execute("ALTER TABLE booking.decisions RENAME COLUMN print TO fingerprint")

    assert ingress.exit_code == 1
    assert '"level": "critical"' in ingress.log_path.read_text()
    answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")


@pytest.mark.parametrize("kind", ["worker", "auditor", "notifier"])
async def test_a_consumer_serves_its_health_and_stops_with_status_0(
    parts: Clinic, kind: str, tmp_path: Path
) -> None:
    port = free_port()
    settings = parts.settings.model_copy(update={"metrics_port": port})
    process = service(kind, tmp_path, settings, kind)
    await process.start()
    url = f"http://127.0.0.1:{port}"
    await until_answers(lambda: probes.consumer(url), ENDS_WITHIN_S)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await until_async(is_ready, "it is ready")
        assert (await http.get("/health/live")).json() == {"status": "live"}
        assert "clinic_partition_stopped" in (await http.get("/metrics")).text
        accepted = {"Accept": "application/openmetrics-text; version=1.0.0"}
        assert (await http.get("/metrics", headers=accepted)).text.endswith("\n# EOF\n")
        assert (await http.get("/elsewhere")).status_code == 404

    await process.stop()

    assert process.exit_code == 0, process.log_path.read_text()


async def test_a_failed_part_is_not_live_and_a_waiting_one_is_not_ready() -> None:
    service = Service()
    assert service.not_ready() == "starting"
    service.started = True
    waits: list[str] = ["partition 3 is stopped"]
    service.add_checks(ready=lambda: waits[0] if waits else None)
    assert (service.not_live(), service.not_ready()) == (None, "partition 3 is stopped")
    waits.clear()
    assert service.not_ready() is None

    service.fail(ValueError("broken"))

    assert service.not_live() == "a part failed: ValueError('broken')"
