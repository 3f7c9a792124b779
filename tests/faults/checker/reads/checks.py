"""Reads show what was confirmed and nothing else (I6); the last reads show everything (I5)."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.book.model import DAY, Appointment
from tests.book.practice import Span, overlap
from tests.faults.checker.messages import instant
from tests.faults.checker.reads.availability import check_availability
from tests.faults.checker.reads.visibility import Reading, shows
from tests.faults.checker.records import Finding
from tests.faults.checker.timelines import hours_of
from tests.faults.checker.writes import NOT_FOUND, OK
from tests.faults.workload.history import STAFF, Call

NOT_MODIFIED = 304
ID = "([0-9a-f-]{36})"
Key = tuple[datetime, str]
# Of an appointment: doctor, patient and status. Of a list: its filters; None is any.
Traits = tuple[str | None, str | None, str | None]
Check = Callable[["Reads", Call, Any, str], Iterator[str]]


class Reads:
    """Checks reads in order; it remembers pages and entity tags."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._page_before: dict[tuple[str, str], Key] = {}
        self._tagged: dict[tuple[str, str | None], Call] = {}

    def check(self, calls: Iterable[Call]) -> Iterator[Finding]:
        """The findings."""
        for call in calls:
            if call.key is None and call.method == "GET" and call.status in (OK, NOT_MODIFIED, NOT_FOUND):
                for text in self._check(call):
                    yield Finding("I6", f"{call.name} {text}")

    def _check(self, call: Call) -> Iterator[str]:
        path = urlsplit(call.path).path
        for pattern, check in ROUTES:
            if found := pattern.fullmatch(path):
                yield from self._body_and_tag(call)
                answer = self._answer(call)
                if answer is not None:
                    yield from check(self, call, answer, found[1] if found.groups() else "")

    def _body_and_tag(self, call: Call) -> Iterator[str]:
        tag = (call.path, call.headers.get("etag"))
        if call.status == NOT_MODIFIED and tag not in self._tagged:
            yield "was answered 304 with a tag that was never given"
        elif call.status == OK and not isinstance(call.answer, dict):
            yield "was answered 200 without a JSON object"
        elif call.status == OK and tag[1] and not _same(self._tagged.setdefault(tag, call), call):
            # RFC 9110, section 8.8: a different representation has a different tag.
            yield f"has the tag {tag[1]}, which was given to another answer before"

    def _answer(self, call: Call) -> dict[str, Any] | None:
        """The JSON to check; None if there is none."""
        if call.status == NOT_FOUND:
            return {}
        if call.status == NOT_MODIFIED:
            first = self._tagged.get((call.path, call.headers.get("etag")))
            call = first or call
        return call.answer if isinstance(call.answer, dict) else None

    def appointment(self, call: Call, answer: Any, id_: str) -> Iterator[str]:
        """One appointment."""
        states = self.reading.appointment(id_, call)
        if call.status == NOT_FOUND:
            if None not in states and call.actor in (STAFF, *(state.patient for state in states if state)):
                yield "does not find what was confirmed before"
        elif not any(shows(answer, id_, state) for state in states if state):
            yield f"shows {answer}; it can only be {' or '.join(map(_described, states))}"
        elif call.actor not in (STAFF, answer["patient_id"]):
            yield f"shows the appointment of another patient, {answer['patient_id']}"

    def appointments(self, call: Call, answer: Any, _: str) -> Iterator[str]:
        """A page of a list: its items, and that none is missing between its first and its last."""
        if call.status == NOT_FOUND:
            return
        query = _query(call)
        items = answer["items"]
        keys = [_key(item) for item in items]
        if keys != sorted(keys):
            yield "is not in order"
        yield from self._items(call, items)
        patient = query.get("patient_id") if call.actor == STAFF else call.actor
        wanted = (query.get("doctor_id"), patient, query.get("status"))
        for item in items:
            if not _fits((item["doctor_id"], item["patient_id"], item["status"]), wanted):
                yield f"shows {item}, which was not asked for"
        cursor, following = query.pop("cursor", ""), answer["next_cursor"]
        asked = f"{call.actor} {sorted(query.items())}"
        after = self._page_before.get((asked, cursor))
        until = keys[-1] if following and keys else None
        if until is not None:
            self._page_before[asked, following] = until
        if cursor and after is None:
            return
        for key in keys:
            # An appointment that was moved behind the cursor meanwhile may appear again.
            if after is not None and key <= after:
                yield f"shows appointment {key[1]}, which belongs to a page before"
        shown = {item["id"] for item in items}
        first, last = after and after[0], until and until[0]
        near = {id_ for id_ in self._candidates(*wanted) if self.reading.may_start_within(id_, first, last)}
        for id_ in sorted(near - shown):
            states = self.reading.appointment(id_, call)
            if all(_listed(id_, state, wanted, after, until) for state in states):
                yield f"lacks appointment {id_}: {' or '.join(map(_described, states))}"

    def doctor(self, call: Call, answer: Any, id_: str) -> Iterator[str]:
        """A doctor's values."""
        shown = {name: value for name, value in answer.items() if name != "id"}
        states = self.reading.practices(id_, call)
        if not any(shown == (dict(practice.shown) if practice else {}) for practice in states):
            yield f"shows {shown}; it can only be {[practice and practice.shown for practice in states]}"

    def schedule(self, call: Call, answer: Any, id_: str) -> Iterator[str]:
        """A doctor's weekly hours."""
        shown = sorted(map(str, map(hours_of, answer.get("hours", []))))
        states = self.reading.practices(id_, call)
        known = [sorted(map(str, map(hours_of, practice.hours))) if practice else [] for practice in states]
        if shown not in known:
            yield f"shows the hours {shown}; they can only be {known}"

    def calendar(self, call: Call, answer: Any, id_: str) -> Iterator[str]:
        """A doctor's days: bookings and time off."""
        practices = [practice for practice in self.reading.practices(id_, call) if practice]
        if call.status == NOT_FOUND or len({practice.doctor.time_zone for practice in practices}) != 1:
            return
        yield from self._items(call, answer["appointments"])
        window = _window(call, practices[0].doctor.time_zone)
        for item in answer["appointments"]:
            visit = instant(item["starts_at"]), instant(item["ends_at"])
            if item["doctor_id"] != id_ or not overlap(visit, window):
                yield f"shows {item}, which is not of these days of this doctor"
        shown = {item["id"] for item in answer["appointments"]}
        for other in sorted(self.reading.with_doctor[id_] - shown):
            states = self.reading.appointment(other, call)
            if all(state and state.doctor == id_ and overlap(state.visit, window) for state in states):
                yield f"lacks appointment {other}: {' or '.join(map(_described, states))}"
        away = {
            entry["id"]: (instant(entry["starts_at"]), instant(entry["ends_at"]))
            for entry in answer["time_off"]
        }
        known = [
            {name: when for name, when in practice.doctor.time_off.items() if overlap(when, window)}
            for practice in practices
        ]
        if away not in known:
            yield f"shows the time off {away}; it can only be {known}"

    def availability(self, call: Call, answer: Any, id_: str) -> Iterator[str]:
        """A doctor's free slots."""
        if call.status != NOT_FOUND:
            yield from check_availability(self.reading, call, answer, id_)

    def _items(self, call: Call, items: list[dict[str, Any]]) -> Iterator[str]:
        for id_, count in Counter(item["id"] for item in items).items():
            if count > 1:
                yield f"shows appointment {id_} {count} times"
        for item in items:
            states = self.reading.appointment(item["id"], call)
            if not any(shows(item, item["id"], state) for state in states if state):
                yield f"shows {item}; it can only be {' or '.join(map(_described, states))}"

    def _candidates(self, doctor: str | None, patient: str | None, _: str | None) -> set[str]:
        if patient:
            return self.reading.of_patient[patient]
        if doctor:
            return self.reading.with_doctor[doctor]
        return set(self.reading.world.appointments.steps)


ROUTES: list[tuple[re.Pattern[str], Check]] = [
    (re.compile("/v1/appointments"), Reads.appointments),
    (re.compile(f"/v1/appointments/{ID}"), Reads.appointment),
    (re.compile(f"/v1/doctors/{ID}"), Reads.doctor),
    (re.compile(f"/v1/doctors/{ID}/schedule"), Reads.schedule),
    (re.compile(f"/v1/doctors/{ID}/availability"), Reads.availability),
    (re.compile(f"/v1/doctors/{ID}/calendar"), Reads.calendar),
]


def _same(first: Call, call: Call) -> bool:
    return bool(first.content == call.content or first.answer == call.answer)


def _query(call: Call) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}


def _window(call: Call, zone: str) -> Span:
    query, time_zone = _query(call), ZoneInfo(zone)
    days = date.fromisoformat(query["from"]), date.fromisoformat(query["to"]) + DAY
    begins, ends = (datetime.combine(day, time(), time_zone).astimezone(UTC) for day in days)
    return begins, ends


def _key(item: dict[str, Any]) -> Key:
    return instant(item["starts_at"]), item["id"]


def _listed(
    id_: str, state: Appointment | None, wanted: Traits, after: Key | None, until: Key | None
) -> bool:
    if state is None:
        return False
    key = (state.visit[0], id_)
    in_page = (after is None or key > after) and (until is None or key < until)
    return in_page and _fits((state.doctor, state.patient, state.status), wanted)


def _fits(traits: Traits, wanted: Traits) -> bool:
    return all(value in (None, true) for value, true in zip(wanted, traits, strict=True))


def _described(state: Appointment | None) -> str:
    if state is None:
        return "nothing"
    when = state.visit[0].isoformat()
    return f"{state.status}, version {state.version}, {when} with {state.doctor}"
