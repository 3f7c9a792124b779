"""Free slots: all that are certainly free are shown, none that is certainly taken (I6)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.book.model import DAY
from tests.book.practice import Doctor, Span, VisitType, overlap
from tests.faults.checker.messages import Decision, instant
from tests.faults.checker.reads.visibility import Reading
from tests.faults.checker.rules import spans, why_not_here, why_not_then
from tests.faults.workload.history import Call

# Time passes during the request, and the time of day is read twice.
CLOCK_MARGIN = timedelta(seconds=0.1)


def check_availability(reading: Reading, call: Call, answer: Any, doctor: str) -> Iterator[str]:
    """Compare with the slots that are free in every possible state, and in some possible state."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
    first, last = (date.fromisoformat(query[name]) for name in ("from", "to"))
    took = timedelta(seconds=(call.ended or call.started) - call.started)
    begun = datetime.fromtimestamp(call.at, UTC)
    times = (begun - CLOCK_MARGIN, begun + took + CLOCK_MARGIN)
    versions = [practice.doctor for practice in reading.practices(doctor, call) if practice is not None]
    kinds = [(version, version.visit_type(query["visit_type"])) for version in versions]
    states = [(version, kind) for version, kind in kinds if kind is not None]
    taken = _Times(reading, call, doctor, (first, last))
    starts = [set(_grid(version, first, last)) if version.active else set() for version, _ in states]
    free = [_free(*state, grid, times, taken) for state, grid in zip(states, starts, strict=True)]
    surely = set.intersection(*(pair[0] for pair in free)) if free else set()
    perhaps = set.union(*(pair[1] for pair in free)) if free else set()
    shown = Counter(
        (instant(slot["starts_at"]), instant(slot["ends_at"]))
        for day in answer["days"]
        for slot in day["slots"]
    )
    for text, slots in (
        ("offers what is not free", shown.keys() - perhaps),
        ("lacks what is free", surely - shown.keys()),
        ("offers more than once", {slot for slot, count in shown.items() if count > 1}),
    ):
        if slots:
            earliest = ", ".join(starts_at.isoformat() for starts_at, _ in sorted(slots)[:5])
            yield f"{text}: {len(slots)} slots, {earliest}; {taken.told(slots, call)}"


class _Times:
    """Times taken around these days: certainly and possibly."""

    def __init__(self, reading: Reading, call: Call, doctor: str, days: tuple[date, date]) -> None:
        around = tuple(datetime.combine(day, time(), UTC) for day in days)
        window = around[0] - 2 * DAY, around[1] + 3 * DAY
        found = [
            taken
            for taken in reading.world.appointments.with_doctor(doctor, window)
            if reading.perhaps_taken(taken, call)
        ]
        self.perhaps = [taken.state.occupied for taken in found]
        self.surely = [taken.state.occupied for taken in found if reading.surely_taken(taken, call)]
        self._ever = list(reading.world.appointments.with_doctor(doctor, window))

    def told(self, slots: Iterable[Span], call: Call) -> str:
        """Everything that ever took one of these times, and the answer it is compared with, in seconds."""
        read = f"{call.path} {call.status} {call.headers.get('etag')} {call.started:.3f} to {call.ended}"
        stories = [
            f"{taken.id} ({taken.state.visit_type}, {taken.state.visit[0].isoformat()}) "
            f"from {_when(taken.since)} until {_when(taken.until) if taken.until else 'the end'}"
            for taken in self._ever
            if any(overlap(taken.state.occupied, slot) for slot in slots)
        ]
        return f"read {read}; taken by {'; '.join(stories) or 'nobody, ever'}"


def _when(decision: Decision) -> str:
    return f"{decision} between {decision.earliest:.3f} and {decision.latest:.3f}"


def _free(
    doctor: Doctor, kind: VisitType, grid: set[datetime], times: Span, taken: _Times
) -> tuple[set[Span], set[Span]]:
    surely, perhaps = set(), set()
    for starts in grid:
        in_time = [why_not_then(doctor, starts, now, by_patient=True) is None for now in times]
        if not any(in_time) or why_not_here(doctor, starts, kind) is not None:
            continue
        visit, occupied = spans(starts, kind)
        if any(overlap(occupied, span) for span in taken.surely):
            continue
        perhaps.add(visit)
        if all(in_time) and not any(overlap(occupied, span) for span in taken.perhaps):
            surely.add(visit)
    return surely, perhaps


def _grid(doctor: Doctor, first: date, last: date) -> Iterator[datetime]:
    for number in range((last - first).days + 1):
        yield from doctor.grid(first + number * DAY)
