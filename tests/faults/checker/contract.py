"""Answers that break the contract: wrong status, wrong code, missing header."""

import re
from collections.abc import Iterable, Iterator

from tests.faults.checker.reads.visibility import Reading
from tests.faults.checker.records import Finding
from tests.faults.checker.writes import (
    ACCEPTED,
    BUSY,
    OK,
    RECEIPT,
    REUSED,
    Writes,
    asked,
    code,
    resource,
)
from tests.faults.workload.history import STAFF, Call

NOT_MODIFIED, TOO_MANY, UNAVAILABLE = 304, 429, 503
AWAY = {"log_unavailable", "store_unavailable", BUSY}
ABOUT_AN_APPOINTMENT = re.compile(r"/v1/appointments/([0-9a-f-]{36})")


def check_contract(reading: Reading, writes: Writes, calls: Iterable[Call]) -> Iterator[Finding]:
    """Findings for each answer whose status or code the contract does not allow there."""
    for call in calls:
        if call.status is None:
            continue
        if call.status in (UNAVAILABLE, TOO_MANY):
            away = call.status == UNAVAILABLE and code(call) in AWAY
            if not away and code(call) != "rate_limited":
                yield Finding("API", f"{call.name} was answered {call.status} {code(call)}")
            if "retry-after" not in call.headers:
                yield Finding("API", f"{call.name} was answered {call.status} without Retry-After")
        elif RECEIPT.match(call.path) and call.status != OK:
            yield Finding("I7", f"{call.name} was answered {call.status} for a genuine receipt")
        elif not _is_fine(reading, writes, call):
            yield Finding("API", f"{call.name} was answered {call.status} {code(call) or ''}".rstrip())
        elif missing := list(_missing(call)):
            yield Finding("API", f"{call.name} was answered {call.status} without {', '.join(missing)}")


def _missing(call: Call) -> Iterator[str]:
    if call.status == ACCEPTED:
        if not RECEIPT.fullmatch(call.headers.get("location", "")):
            yield "Location of a receipt"
        if call.headers.get("retry-after") != "1":
            yield "Retry-After: 1"
    about_a_command = call.key is not None or RECEIPT.match(call.path)
    if about_a_command and call.status in (OK, ACCEPTED) and resource(call) is None:
        yield "a command resource"


def _is_fine(reading: Reading, writes: Writes, call: Call) -> bool:
    match call.status:
        case 200:
            return True
        case 202:
            return call.key is not None
        case 304:
            return call.key is None
        case 404:
            about = ABOUT_AN_APPOINTMENT.match(call.path)
            return about is not None and _may_be_unknown(reading, call, about[1])
        case 422:
            return code(call) == REUSED and _used_for_another(writes, call)
    return False


def _may_be_unknown(reading: Reading, call: Call, id_: str) -> bool:
    steps = reading.world.appointments.steps.get(id_)
    if not steps or call.actor not in (STAFF, steps[0].state.patient):
        return True
    return not reading.surely_before(steps[0].decision, call)


def _used_for_another(writes: Writes, call: Call) -> bool:
    keyed = writes.keyed.get((call.actor, call.key or ""))
    if keyed is None or len(keyed.requests) < 2:
        return False
    text, ended = asked(call), call.ended or call.started
    return any(other.first.started < ended for body, other in keyed.requests.items() if body != text)
