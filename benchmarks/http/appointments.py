"""A patient's list of appointments: the first page, of many."""

import itertools
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from benchmarks.http.fixture import CONFIRMED, WAIT_S, Clinic, head, registered_doctors
from benchmarks.http.load import Expected, closed_loop
from benchmarks.plan import BUSY
from benchmarks.report import Figure, at_most, percentiles_ms
from infra import clock
from infra.errors import ClinicError
from ops.load.cpu import CpuMeter
from ops.load.practice import VISIT_TYPE

APPOINTMENTS = 500
CLIENTS = 10
BOOKING_CLIENTS = 16
BOOKING_TIMEOUT_S = 60.0
WARM_UP_S = 1.0
P95_MS_MAX = 10
A_PAGE = Expected(200, b'"items":[{')


async def measure(clinic: Clinic, seconds: float) -> list[Figure]:
    """Book them all, with one doctor, then read.

    Raises:
        ClinicError: they could not be booked.
    """
    token = clinic.new_patients[-1]
    await _book(clinic, token)
    request = head("GET", "/v1/appointments", clinic.settings) + b"authorization: Bearer %s\r\n\r\n" % token
    meter = CpuMeter(clinic.data_dir)
    samples = await closed_loop(
        clinic.url,
        CLIENTS,
        itertools.repeat(request),
        A_PAGE,
        seconds,
        WARM_UP_S,
        measuring=meter.restart,
    )
    cpu = meter.percent()
    values = {"per_s": samples.per_s, **percentiles_ms(samples.latencies_s)}
    section = f"GET /v1/appointments of a patient who has {APPOINTMENTS}"
    goals = (at_most(values, "p95_ms", P95_MS_MAX),)
    return [Figure(section, f"{CLIENTS} clients, closed loop", values, cpu, dict(samples.unexpected), goals)]


async def _book(clinic: Clinic, token: bytes) -> None:
    run = clock.new_id().hex[:8]
    [doctor_id] = await registered_doctors(clinic.settings, run, "appointments", BUSY, 1)
    starts = BUSY.starts(ZoneInfo(clinic.settings.time_zone))[:APPOINTMENTS]

    def requests() -> Iterator[bytes]:
        post = head("POST", "/v1/appointments", clinic.settings) + b"content-type: application/json\r\n"
        for number, starts_at in enumerate(starts):
            body = (
                f'{{"doctor_id":"{doctor_id}","visit_type":"{VISIT_TYPE}",'
                f'"starts_at":"{starts_at.isoformat()}"}}'
            )
            lines = f"idempotency-key: {run}-{number}\r\nprefer: wait={WAIT_S}\r\n"
            lines += f"content-length: {len(body)}\r\n\r\n{body}"
            yield post + b"authorization: Bearer %s\r\n%s" % (token, lines.encode())

    samples = await closed_loop(clinic.url, BOOKING_CLIENTS, requests(), CONFIRMED, BOOKING_TIMEOUT_S)
    if samples.answered < APPOINTMENTS:
        raise ClinicError(f"Of {APPOINTMENTS} appointments {samples.answered} could be booked.")
