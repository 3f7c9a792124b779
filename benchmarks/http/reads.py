"""Availability over HTTP: a week of one doctor's free slots, for a handful of doctors."""

import asyncio
import itertools
import time
from collections.abc import Iterator

from benchmarks.http.fixture import CONFIRMED, FREE_SLOTS, LIVE, Clinic, head
from benchmarks.http.load import Samples, closed_loop
from benchmarks.http.open_loop import Planned, open_loop
from benchmarks.report import Figure, Ratio, at_least, at_most, percentiles_ms
from ops.load.cpu import CpuMeter
from ops.load.mix import arrivals

SECTION = "Availability reads: a week of one doctor, 6 doctors and 4 weeks by turns"
CLIENTS = 10
WARM_UP_S = 1.0
BOOKINGS_PER_S = 20.0
READS_PER_S_MIN = 1_800
READS_P95_MS_MAX = 10


async def measure(clinic: Clinic, seconds: float) -> list[Figure]:
    """Reads of calendars that nobody changes, then of calendars in which somebody books."""
    quiet, cpu = await _reads(clinic, seconds)
    values = {"per_s": quiet.per_s, **percentiles_ms(quiet.latencies_s)}
    goals = (at_least(values, "per_s", READS_PER_S_MIN), at_most(values, "p95_ms", READS_P95_MS_MAX))
    bare = itertools.repeat(head("GET", "/health/live", clinic.settings) + b"\r\n")
    live = await closed_loop(clinic.url, CLIENTS, bare, LIVE, seconds / 2, WARM_UP_S)
    ratios = (Ratio("availability reads / GET /health/live", quiet.per_s / live.per_s),)
    name = f"{CLIENTS} clients, closed loop"
    figure = Figure(SECTION, name, values, cpu, dict(quiet.unexpected), goals, ratios)
    return [figure, *await _reads_while_booking(clinic, seconds)]


async def _reads(clinic: Clinic, seconds: float) -> tuple[Samples, dict[str, float]]:
    meter = CpuMeter(clinic.data_dir)
    weeks = itertools.cycle(clinic.weeks)
    samples = await closed_loop(
        clinic.url, CLIENTS, weeks, FREE_SLOTS, seconds, WARM_UP_S, measuring=meter.restart
    )
    return samples, meter.percent()


async def _reads_while_booking(clinic: Clinic, seconds: float) -> list[Figure]:
    starts_s = time.perf_counter() + WARM_UP_S
    booked = Samples(CONFIRMED, starts_s, starts_s + seconds)
    (reads, cpu), _ = await asyncio.gather(
        _reads(clinic, seconds), open_loop(clinic.url, _bookings(clinic, seconds, booked), starts_s)
    )
    values = {"per_s": reads.per_s, **percentiles_ms(reads.latencies_s)}
    name = f"the same, while {BOOKINGS_PER_S:g} appointments/s are booked with them"
    return [
        Figure(SECTION, name, values, cpu, dict(reads.unexpected)),
        Figure(
            SECTION,
            "these bookings, confirmed",
            {"per_s": booked.per_s, **percentiles_ms(booked.latencies_s)},
            unexpected=dict(booked.unexpected),
        ),
    ]


def _bookings(clinic: Clinic, seconds: float, samples: Samples) -> Iterator[Planned]:
    to_book = clinic.ordinary.requests(True)
    return ((at_s, next(to_book), samples) for at_s in arrivals(BOOKINGS_PER_S, seconds))
