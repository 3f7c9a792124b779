"""Bookings over HTTP: how many the ingress takes, how many are confirmed, and how long a patient waits."""

import itertools
import time
from collections.abc import Iterator

import asyncpg

from benchmarks.http import direct
from benchmarks.http.fixture import ACCEPTED, CONFIRMED, FREE_SLOTS, Clinic
from benchmarks.http.load import Expected, Samples, closed_loop
from benchmarks.http.open_loop import Planned, open_loop
from benchmarks.report import Figure, Goal, Ratio, at_least, at_most, percentiles_ms
from ops.load.cpu import CpuMeter
from ops.load.mix import REQUESTS_PER_S, WRITE_EVERY, arrivals

CLIENTS = (1, 10, 50)
WARM_UP_S = 1.0
# Longer than the other parts: a percentile needs its hundreds.
OPEN_LONGER = 4
CONFIRMED_PER_S_MIN = 1_600
CONFIRMED_P95_MS_MAX = 60
OPEN_P99_MS_MAX = 25
CONFIRMED_SECTION = "Bookings confirmed (Prefer: wait)"
CONFIRMED_DIRECTLY = Expected(200, b'"confirmed"')


async def measure(clinic: Clinic, seconds: float) -> list[Figure]:
    """Closed loops of commands acknowledged, then of bookings confirmed; then the open loop."""
    answered = 0
    figures = []
    await settle(clinic)
    for clients in CLIENTS:
        figure, samples = await _closed(clinic, clients, seconds, wait=False)
        figures.append(figure)
        answered += samples.answered
        await settle(clinic)
    for clients in CLIENTS:
        figure, samples = await _closed(clinic, clients, seconds, wait=True)
        figures.append(figure)
        answered += samples.answered
    figures.append(await _in_the_book(clinic, answered))
    figures += [await _compared(clinic, clients, seconds, figures) for clients in (CLIENTS[0], CLIENTS[-1])]
    return [*figures, *await _open(clinic, OPEN_LONGER * seconds)]


async def settle(clinic: Clinic) -> None:
    """Return when all partitions have caught up: a booking with every busy doctor is confirmed."""
    requests = clinic.busy.requests(True)
    each = itertools.islice(requests, len(clinic.busy.doctor_ids))
    await closed_loop(clinic.url, 8, each, CONFIRMED, seconds=60.0)


async def _closed(clinic: Clinic, clients: int, seconds: float, *, wait: bool) -> tuple[Figure, Samples]:
    meter = CpuMeter(clinic.data_dir)
    expected = CONFIRMED if wait else ACCEPTED
    requests = clinic.busy.requests(wait)
    samples = await closed_loop(
        clinic.url, clients, requests, expected, seconds, WARM_UP_S, measuring=meter.restart
    )
    cpu = meter.percent()
    values = {"per_s": samples.per_s, **percentiles_ms(samples.latencies_s)}
    goals: tuple[Goal, ...] = ()
    if wait and clients == CLIENTS[-1]:
        goals = (
            at_least(values, "per_s", CONFIRMED_PER_S_MIN),
            at_most(values, "p95_ms", CONFIRMED_P95_MS_MAX),
        )
    section = CONFIRMED_SECTION if wait else "Commands acknowledged (202)"
    return Figure(section, _name(clients), values, cpu, dict(samples.unexpected), goals), samples


async def _in_the_book(clinic: Clinic, answered: int) -> Figure:
    settled = len(clinic.busy.doctor_ids) * (1 + len(CLIENTS))
    connection = await asyncpg.connect(clinic.settings.postgres_dsn.get_secret_value())
    try:
        booked = await connection.fetchval(
            "SELECT count(*) FROM booking.appointments WHERE doctor_id = ANY($1)", clinic.busy.doctor_ids
        )
    finally:
        await connection.close()
    values = {"booked": float(booked), "acknowledged": float(answered + settled)}
    return Figure("Appointments of these runs in Postgres", "all of them", values)


async def _compared(clinic: Clinic, clients: int, seconds: float, figures: list[Figure]) -> Figure:
    """The endpoint that inserts directly, with as many clients and slots of their own."""
    confirmed = {figure.name: figure for figure in figures if figure.section == CONFIRMED_SECTION}
    async with direct.on_its_own(clinic.settings) as (url, requests):
        samples = await closed_loop(url, clients, requests, CONFIRMED_DIRECTLY, seconds / 2, WARM_UP_S)
    values = {"per_s": samples.per_s, **percentiles_ms(samples.latencies_s)}
    ratio = Ratio(
        f"bookings confirmed at {clients} clients / INSERT ON CONFLICT behind FastAPI",
        confirmed[_name(clients)].values["per_s"] / samples.per_s,
    )
    name = f"INSERT ON CONFLICT behind FastAPI, {_name(clients)}"
    return Figure(CONFIRMED_SECTION, name, values, unexpected=dict(samples.unexpected), ratios=(ratio,))


def _name(clients: int) -> str:
    return f"{clients} client{'s' if clients > 1 else ''}, closed loop"


async def _open(clinic: Clinic, seconds: float) -> list[Figure]:
    starts_s = time.perf_counter() + WARM_UP_S
    writes = Samples(CONFIRMED, starts_s, starts_s + seconds)
    reads = Samples(FREE_SLOTS, starts_s, starts_s + seconds)
    await closed_loop(clinic.url, 1, clinic.weeks, FREE_SLOTS, WARM_UP_S)
    meter = CpuMeter(clinic.data_dir)
    await open_loop(clinic.url, _mixed(clinic, seconds, reads, writes), starts_s, measuring=meter.restart)
    cpu = meter.percent()
    section = (
        f"Open loop, {REQUESTS_PER_S:g} requests/s, one in {WRITE_EVERY} a booking; from the intended time"
    )
    booked = percentiles_ms(writes.latencies_s)
    return [
        Figure(
            section,
            "bookings confirmed",
            {"per_s": writes.per_s, **booked},
            cpu,
            dict(writes.unexpected),
            (at_most(booked, "p99_ms", OPEN_P99_MS_MAX),),
        ),
        Figure(
            section,
            "availability reads",
            {"per_s": reads.per_s, **percentiles_ms(reads.latencies_s)},
            unexpected=dict(reads.unexpected),
        ),
    ]


def _mixed(clinic: Clinic, seconds: float, reads: Samples, writes: Samples) -> Iterator[Planned]:
    weeks = itertools.cycle(clinic.weeks)
    to_book = clinic.ordinary.requests(True)
    for number, at_s in enumerate(arrivals(REQUESTS_PER_S, seconds)):
        if number % WRITE_EVERY:
            yield at_s, next(weeks), reads
        else:
            yield at_s, next(to_book), writes
