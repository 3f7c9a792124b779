"""Free slots: those that are free whatever else was going on are shown, those that cannot be are not (I6)."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.book.model import DAY
from tests.book.practice import MINUTE, Doctor, Span, VisitType, overlap
from tests.faults.checker.messages import instant
from tests.faults.checker.reading import Reading
from tests.faults.checker.rules import spans, why_not_here, why_not_then
from tests.faults.history import Call

# Time goes on while one asks, and the time of day is read twice.
CLOCK_MARGIN = timedelta(seconds=0.1)


def check_availability(reading: Reading, call: Call, answer: Any, doctor: str) -> Iterator[str]:
    """Between the slots that every state of the doctor has, and those that some state has."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
    first, last = (date.fromisoformat(query[name]) for name in ("from", "to"))
    took = timedelta(seconds=(call.ended or call.started) - call.started)
    begun = datetime.fromtimestamp(call.at, UTC)
    times = (begun - CLOCK_MARGIN, begun + took + CLOCK_MARGIN)
    practices = [one.doctor for one in reading.practices(doctor, call) if one is not None]
    kinds = [(one, one.visit_type(query["visit_type"])) for one in practices]
    states = [(one, kind) for one, kind in kinds if kind is not None]
    taken = _Times(reading, call, doctor, (first, last))
    starts = [set(_grid(one, first, last)) if one.active else set() for one, _ in states]
    free = [_free(*state, grid, times, taken) for state, grid in zip(states, starts, strict=True)]
    surely = set.intersection(*(some[0] for some in free)) if free else set()
    perhaps = set.union(*(some[1] for some in free)) if free else set()
    shown = Counter(
        (instant(one["starts_at"]), instant(one["ends_at"])) for day in answer["days"] for one in day["slots"]
    )
    for text, slots in (
        ("offers what is not free", shown.keys() - perhaps),
        ("lacks what is free", surely - shown.keys()),
        ("offers more than once", {slot for slot, count in shown.items() if count > 1}),
    ):
        if slots:
            some = ", ".join(starts_at.isoformat() for starts_at, _ in sorted(slots)[:5])
            yield f"{text}: {len(slots)} slots, {some}"


class _Times:
    """What is taken around these days: certainly, and perhaps."""

    def __init__(self, reading: Reading, call: Call, doctor: str, days: tuple[date, date]) -> None:
        around = tuple(datetime.combine(day, time(), UTC) for day in days)
        window = around[0] - 2 * DAY, around[1] + 3 * DAY
        found = [
            one
            for one in reading.world.appointments.with_doctor(doctor, window)
            if reading.perhaps_taken(one, call)
        ]
        self.perhaps = [one.state.occupied for one in found]
        self.surely = [one.state.occupied for one in found if reading.surely_taken(one, call)]


def _free(
    doctor: Doctor, kind: VisitType, grid: set[datetime], times: Span, taken: _Times
) -> tuple[set[Span], set[Span]]:
    surely, perhaps = set(), set()
    for starts in grid:
        in_time = [why_not_then(doctor, starts, now, by_patient=True) is None for now in times]
        if not any(in_time) or why_not_here(doctor, starts, kind) is not None:
            continue
        visit, occupied = spans(starts, kind)
        if any(overlap(occupied, one) for one in taken.surely):
            continue
        perhaps.add(visit)
        if all(in_time) and not any(overlap(occupied, one) for one in taken.perhaps):
            surely.add(visit)
    return surely, perhaps


def _grid(doctor: Doctor, first: date, last: date) -> Iterator[datetime]:
    step, zone = doctor.policy.slot_minutes * MINUTE, ZoneInfo(doctor.time_zone)
    day = first
    while day <= last:
        for opens, closes in doctor.openings(day):
            for number in range((max(closes, opens) - opens) // step + 1):
                starts = opens + number * step
                if first <= starts.astimezone(zone).date() <= last:
                    yield starts
        day += DAY
