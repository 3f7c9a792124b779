"""The writes of a history, by caller and key, and whether a command is what was requested."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.faults.checker.messages import Command, instant
from tests.faults.workload.history import STAFF, Call, History

OK, ACCEPTED, NOT_FOUND, UNPROCESSABLE = 200, 202, 404, 422
NEVER_CLEAR = {None, 500, 502, 503, 504}
REUSED, BUSY = "idempotency_key_reused", "busy"
RECEIPT = re.compile(r"(/v1/commands/[^?]+)")
_ID = "([0-9a-f-]{36})"
_ROUTES = (
    ("POST", "/v1/appointments", "BookAppointment", ()),
    ("POST", f"/v1/appointments/{_ID}/reschedule", "RescheduleAppointment", ("appointment_id",)),
    ("DELETE", f"/v1/appointments/{_ID}", "CancelAppointment", ("appointment_id",)),
    ("POST", f"/v1/appointments/{_ID}/outcome", "RecordOutcome", ("appointment_id",)),
    ("POST", "/v1/doctors", "RegisterDoctor", ()),
    ("PATCH", f"/v1/doctors/{_ID}", "UpdateDoctor", ("doctor_id",)),
    ("PUT", f"/v1/doctors/{_ID}/schedule", "SetWeeklyHours", ("doctor_id",)),
    ("POST", f"/v1/doctors/{_ID}/time-off", "BlockTime", ("doctor_id",)),
    ("DELETE", f"/v1/doctors/{_ID}/time-off/{_ID}", "UnblockTime", ("doctor_id", "time_off_id")),
)
ROUTES = [(method, re.compile(path), type_, names) for method, path, type_, names in _ROUTES]
# Without these fields a command resource cannot be checked.
NEEDED = {"command_id", "state", "submitted_at"}
# Encrypted before it reaches the log.
SEALED = {"reason", "note"}
# Without a default: present if it was sent.
OPTIONAL = {"reason", "outcome"}


@dataclass
class Request:
    """One body under one key, however often it was sent, with its answers and status reads."""

    actor: str
    key: str
    calls: list[Call] = field(default_factory=list)
    reads: list[Call] = field(default_factory=list)

    @property
    def first(self) -> Call:
        """Its first call."""
        return self.calls[0]

    def resources(self) -> Iterator[tuple[Call, dict[str, Any]]]:
        """The command resources in the answers."""
        for call in (*self.calls, *self.reads):
            if (answer := resource(call)) is not None:
                yield call, answer

    @property
    def unclear(self) -> bool:
        """Whether it may have been accepted although no answer says so."""
        return any(map(_unclear, self.calls))


@dataclass
class Keyed:
    """All requests of one caller with one key."""

    actor: str
    key: str
    requests: dict[str, Request] = field(default_factory=dict)

    def ids(self) -> set[str]:
        """The command's id in the answers: one, or none yet."""
        return {
            answer["command_id"] for request in self.requests.values() for _, answer in request.resources()
        }

    def calls(self) -> Iterator[Call]:
        """All calls with it."""
        for request in self.requests.values():
            yield from request.calls


class Writes:
    """The history's writes by key and by receipt."""

    def __init__(self, history: History) -> None:
        self.keyed: dict[tuple[str, str], Keyed] = {}
        self.receipts: dict[str, Request] = {}
        self.unknown_receipts: list[Call] = []
        for call in history.calls:
            if call.key is not None:
                keyed = self.keyed.setdefault((call.actor, call.key), Keyed(call.actor, call.key))
                request = keyed.requests.setdefault(asked(call), Request(call.actor, call.key))
                request.calls.append(call)
                self._receipt(call, request)
        for call in history.calls:
            if call.key is None and (found := RECEIPT.match(call.path)):
                request_ = self.receipts.get(found[1])
                (request_.reads if request_ else self.unknown_receipts).append(call)

    def requests(self) -> Iterator[tuple[Keyed, Request]]:
        """All of them."""
        for keyed in self.keyed.values():
            for request in keyed.requests.values():
                yield keyed, request

    def decided_between(self) -> dict[str, tuple[float, float]]:
        """For each command id: not before it was first sent, nor after a client first saw it decided."""
        known: dict[str, tuple[float, float]] = {}
        for keyed in self.keyed.values():
            earliest = min(call.started for call in keyed.calls())
            latest = min(self._seen(keyed), default=float("inf"))
            known.update((id_, (earliest, latest)) for id_ in keyed.ids())
        return known

    def _receipt(self, call: Call, request: Request) -> None:
        if call.status in (OK, ACCEPTED):
            answer = resource(call) or {}
            paths = {call.headers.get("location"), (answer.get("links") or {}).get("self")}
            self.receipts.update((path, request) for path in paths if path)

    @staticmethod
    def _seen(keyed: Keyed) -> Iterator[float]:
        for request in keyed.requests.values():
            for call, answer in request.resources():
                if answer.get("state") != "pending" and call.ended is not None:
                    yield call.ended
            for call in request.calls:
                if code(call) == REUSED and call.ended is not None:
                    yield call.ended


def code(call: Call) -> str | None:
    """The code of a problem; None for any other answer."""
    return call.answer.get("code") if isinstance(call.answer, dict) else None


def resource(call: Call) -> dict[str, Any] | None:
    """The command resource in the answer; None for any other answer."""
    answer = call.answer
    readable = call.status in (OK, ACCEPTED) and isinstance(answer, dict) and answer.keys() >= NEEDED
    return answer if readable else None


def _unclear(call: Call) -> bool:
    if call.status in (OK, ACCEPTED):
        return resource(call) is None
    # An overloaded partition is reported before anything is sent to the log.
    return call.status in NEVER_CLEAR and code(call) != BUSY


def asked(call: Call) -> str:
    """The call's request as a text, equal for equal requests."""
    return f"{call.method} {call.path} {json.dumps(call.body, sort_keys=True)}"


def asks(call: Call, command: Command) -> bool:
    """Whether the command on the log is the call's request, in the caller's name."""
    if command.actor[0] != (STAFF if call.actor == STAFF else "patient"):
        return False
    if command.actor[0] != STAFF and command.actor[1] != call.actor:
        return False
    path = urlsplit(call.path)
    for method, pattern, type_, names in ROUTES:
        found = pattern.fullmatch(path.path)
        if method == call.method and found:
            wanted = dict(zip(names, found.groups(), strict=True)) | (call.body or {})
            wanted |= {name: values[0] for name, values in parse_qs(path.query).items()}
            if type_ == "RegisterDoctor" and "id" in wanted:
                wanted["doctor_id"] = wanted.pop("id")
            if type_ == "BookAppointment" and call.actor != STAFF:
                wanted["patient_id"] = call.actor
            return type_ == command.type and _has(command, wanted)
    return False


def _has(command: Command, wanted: dict[str, Any]) -> bool:
    # Encrypted text is only known to be present or absent.
    sealed = set() if command.type == "CancelAppointment" else SEALED
    for name in sealed | OPTIONAL | wanted.keys():
        actual, value = command.data.get(name), wanted.get(name)
        if name in sealed or value is None:
            if name in sealed | OPTIONAL and (actual is None) != (value is None):
                return False
        elif not _covers(actual, value):
            return False
    return True


def _covers(actual: Any, wanted: Any) -> bool:
    """Whether the actual value has everything that is wanted; it may have defaults as well."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return all(_covers(actual.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list):
        return len(wanted) == len(actual) and all(map(_covers, actual, wanted))
    if isinstance(wanted, str) and isinstance(actual, str) and actual != wanted:
        return _instant(actual) is not None and _instant(actual) == _instant(wanted)
    return bool(actual == wanted)


def _instant(text: str) -> datetime | None:
    try:
        return instant(text)
    except ValueError:
        return None
