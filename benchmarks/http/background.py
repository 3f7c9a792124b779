"""The cost of mail and audit trail to bookings.

The same measurements with the notifier, the auditor and the mail sink stopped (SIGSTOP) and running, by
turns, on clinics of their own.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import asyncpg

from benchmarks.http import fixture
from benchmarks.http.bookings import WARM_UP_S, settle
from benchmarks.http.fixture import CONFIRMED, Clinic
from benchmarks.http.load import Samples, closed_loop
from benchmarks.http.open_loop import Planned, open_loop
from benchmarks.report import Figure, Ratio, at_least, at_most, percentiles_ms
from benchmarks.stack.own import own_stack
from infra.errors import ClinicError
from ops.load.cpu import CpuMeter
from ops.load.mix import REQUESTS_PER_S, arrivals

BACKGROUND = ("notifier", "auditor", "mail")
ROUNDS = 3
CLIENTS = (1, 50)
WAITING_MAILS = 5_000
WAITING_MAILS_AFTER_S = 120.0
COUNTED_BOOKINGS = 2_000
COUNTED_CLIENTS = 20
DONE_TIMEOUT_S = 240.0
POLL_INTERVAL_S = 0.1
THROUGHPUT_MIN = 0.85
P99_RATIO_MAX = 1.3
CPU_RATIO_MAX = 2.0

SECTION = "Mail and trail beside the booking"


async def measure(say: Callable[[str], None], seconds: float) -> list[Figure]:
    """Throughput and latency on a clinic with its default pace of mail; CPU on one whose mail is not paced.

    Raises:
        ClinicError: a clinic does not start, or its mails do not go out in time.
    """
    async with own_stack() as (settings, data_dir):
        clinic = await fixture.set_up(settings, data_dir)
        figures = [await _throughput(clinic, clients, seconds, say) for clients in CLIENTS]
        figures.append(await _latency(clinic, seconds, say))
    async with own_stack(smtp_rate_per_s="10000", smtp_connections="16") as (settings, data_dir):
        clinic = await fixture.set_up(settings, data_dir)
        figures.append(await _cpu(clinic, say))
    return figures


async def _throughput(clinic: Clinic, clients: int, seconds: float, say: Callable[[str], None]) -> Figure:
    say(f"{clients} clients, mail and trail stopped and running …")
    rates: dict[bool, list[float]] = {True: [], False: []}
    unexpected: dict[str, int] = {}
    for _ in range(ROUNDS):
        for stopped in (True, False):
            async with _background(clinic, stopped=stopped):
                samples = await closed_loop(
                    clinic.url, clients, clinic.busy.requests(True), CONFIRMED, seconds, WARM_UP_S
                )
            rates[stopped].append(samples.per_s)
            unexpected |= samples.unexpected
    running, alone = median(rates[False]), median(rates[True])
    values = {"per_s": running, "alone_per_s": alone, "of_alone": running / alone}
    return Figure(
        SECTION,
        f"bookings confirmed, {clients} clients",
        values,
        unexpected=unexpected,
        goals=(at_least(values, "of_alone", THROUGHPUT_MIN),),
        ratios=(Ratio(f"bookings at {clients} clients, mail and trail running / stopped", running / alone),),
    )


async def _latency(clinic: Clinic, seconds: float, say: Callable[[str], None]) -> Figure:
    await _let_mails_wait(clinic, say)
    say(f"{REQUESTS_PER_S:g} requests/s, mail and trail stopped and running …")
    latencies: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for stopped in (True, False):
            async with _background(clinic, stopped=stopped):
                latencies[stopped] += await _open(clinic, 2 * seconds)
    running, alone = percentiles_ms(latencies[False]), percentiles_ms(latencies[True])
    ratio = running["p99_ms"] / alone["p99_ms"]
    values = {**running, "alone_p99_ms": alone["p99_ms"], "p99_of_alone": ratio}
    return Figure(
        SECTION,
        f"{REQUESTS_PER_S:g} bookings/s, open loop, {WAITING_MAILS:,} mails waiting",
        values,
        goals=(at_most(values, "p99_of_alone", P99_RATIO_MAX),),
        ratios=(Ratio("p99 of bookings while mail goes out / mail and trail stopped", ratio, "lower"),),
    )


async def _open(clinic: Clinic, seconds: float) -> list[float]:
    starts_s = time.perf_counter() + WARM_UP_S
    samples = Samples(CONFIRMED, starts_s, starts_s + seconds)
    requests = clinic.busy.requests(True)

    def planned() -> Iterator[Planned]:
        return ((at_s, next(requests), samples) for at_s in arrivals(REQUESTS_PER_S, seconds))

    await open_loop(clinic.url, planned(), starts_s)
    return samples.latencies_s


async def _let_mails_wait(clinic: Clinic, say: Callable[[str], None]) -> None:
    """Bookings until so many mails are planned and not sent, and the trail has caught up."""
    say(f"booking until {WAITING_MAILS:,} mails wait …")
    async with _database(clinic) as database:
        ends_s = time.perf_counter() + WAITING_MAILS_AFTER_S
        while await database.fetchval(DUE_MAILS) < WAITING_MAILS:
            if time.perf_counter() > ends_s:
                raise ClinicError("Mails go out faster than bookings come in: none wait.")
            requests = islice(clinic.busy.requests(True), 1_000)
            await closed_loop(clinic.url, CLIENTS[-1], requests, CONFIRMED, 30.0)
            await _caught_up(database)


async def _cpu(clinic: Clinic, say: Callable[[str], None]) -> Figure:
    say(f"CPU of {COUNTED_BOOKINGS:,} bookings, alone and until mail and trail are done …")
    alone = await _cpu_ms(clinic, stopped=True)
    whole = await _cpu_ms(clinic, stopped=False)
    values = {"cpu_ms": whole, "alone_cpu_ms": alone, "of_alone": whole / alone}
    return Figure(
        SECTION,
        "CPU of a booking until its mail is out and its entry stands",
        values,
        goals=(at_most(values, "of_alone", CPU_RATIO_MAX),),
        ratios=(Ratio("CPU of a booking with mail and trail / alone", whole / alone, "lower"),),
    )


async def _cpu_ms(clinic: Clinic, *, stopped: bool) -> float:
    async with _database(clinic) as database, _background(clinic, stopped=stopped):
        await settle(clinic)
        if not stopped:
            await _all_done(database)
        meter = CpuMeter(clinic.data_dir)
        requests = islice(clinic.busy.requests(True), COUNTED_BOOKINGS)
        samples = await closed_loop(clinic.url, COUNTED_CLIENTS, requests, CONFIRMED, DONE_TIMEOUT_S)
        if not stopped:
            await _all_done(database)
        return 1000 * meter.stack_s() / samples.answered


@contextlib.asynccontextmanager
async def _background(clinic: Clinic, *, stopped: bool) -> AsyncIterator[None]:
    """Mail and trail as wanted. Running: plans and entries have caught up; mails may still be waiting."""
    if not stopped:
        async with _database(clinic) as database:
            await _caught_up(database)
        yield
        return
    pids = _pids(clinic.data_dir)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _pids(data_dir: Path) -> list[int]:
    return [int((data_dir / "run" / f"{name}.pid").read_text()) for name in BACKGROUND]


@contextlib.asynccontextmanager
async def _database(clinic: Clinic) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(clinic.settings.postgres_dsn.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


DUE_MAILS = """
SELECT count(*) FROM notify.notifications WHERE state IN ('planned', 'sending') AND dated <= now()
"""
BEHIND = """
SELECT (happened - entries) + (happened - planned) FROM
    (SELECT coalesce(sum(event_count), 0) AS happened FROM booking.partition_progress) AS book,
    (SELECT coalesce(sum(size), 0) AS entries FROM audit.chains WHERE chain = 'booking') AS trail,
    (SELECT coalesce(sum(last_sequence), 0) AS planned FROM notify.progress WHERE topic ~ 'booking')
        AS mail
"""


async def _caught_up(database: asyncpg.Connection) -> None:
    await _zero(database, BEHIND)


async def _all_done(database: asyncpg.Connection) -> None:
    await _zero(database, BEHIND)
    await _zero(database, DUE_MAILS)


async def _zero(database: asyncpg.Connection, query: str) -> None:
    try:
        async with asyncio.timeout(DONE_TIMEOUT_S):
            while await database.fetchval(query):  # noqa: ASYNC110 - another process's work sets no event
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError:
        raise ClinicError("Mail and trail did not catch up in time.") from None
