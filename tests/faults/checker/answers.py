"""What clients were told is what was decided, the same for ever; and nothing is decided unasked."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.checker.messages import CONFIRMED, Command, Decision, instant
from tests.faults.checker.records import Finding
from tests.faults.checker.rules import NOTHING_CHANGED
from tests.faults.checker.world import World
from tests.faults.checker.writes import ACCEPTED, OK, REUSED, Keyed, Request, Writes, asks, code
from tests.faults.history import STAFF, Call

PENDING = "pending"
IDS = ("type", "appointment_id", "doctor_id", "time_off_id")
STATES = {CONFIRMED: "confirmed", NOTHING_CHANGED: "confirmed", "failed": "failed"}


def check_answers(world: World, writes: Writes) -> list[Finding]:
    """I1, I3, I4 and I7 for every key that was used."""
    commands: dict[str, list[Command]] = defaultdict(list)
    for command in world.log.commands.values():
        commands[command.id].append(command)
    findings: list[Finding] = []
    for keyed in writes.keyed.values():
        findings += _check_key(world, keyed, commands)
    findings += _of_nobody(writes, commands)
    for call in writes.unknown_receipts:
        findings.append(Finding("I7", f"{call.name} asks for a receipt that nobody was given"))
    return findings


def _check_key(world: World, keyed: Keyed, commands: dict[str, list[Command]]) -> Iterator[Finding]:
    ids = sorted(keyed.ids())
    if not ids:
        return
    if len(ids) > 1:
        yield Finding("I3", f"key {keyed.key} of {keyed.actor} names the commands {', '.join(ids)}")
    told = _first(keyed)
    for command in commands[ids[0]]:
        if not any(asks(request.first, command) for request in keyed.requests.values()):
            yield Finding("I4", f"{command.place} is not what was asked with key {keyed.key}: {told.name}")
    yield from _check_fingerprints(keyed, commands[ids[0]])
    decision = world.log.decided.get(ids[0])
    if decision is None:
        where = "not decided" if commands[ids[0]] else "not on the log"
        yield Finding("I1", f"{told.name} was told of command {ids[0]}, which is {where}")
        return
    times = {command.at for command in commands[ids[0]]}
    for request in keyed.requests.values():
        right = decision.command is None or asks(request.first, decision.command)
        for call, answer in request.resources():
            yield from _check_resource(call, answer, decision, right)
            if instant(answer["submitted_at"]) not in times:
                yield Finding(
                    "I1", f"{call.name} says it was on the log at {answer['submitted_at']}; it was not"
                )
        yield from _check_sameness(request)
        yield from _check_repeats(keyed, request, right)


def _first(keyed: Keyed) -> Call:
    return next(call for one in keyed.requests.values() for call, _ in one.resources())


def _check_fingerprints(keyed: Keyed, commands: list[Command]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for command in commands:
        for text, request in keyed.requests.items():
            if asks(request.first, command) and seen.setdefault(command.fingerprint, text) != text:
                yield Finding("I3", f"{command.place} has the fingerprint of another body of key {keyed.key}")


def _check_resource(call: Call, answer: dict[str, Any], decision: Decision, right: bool) -> Iterator[Finding]:
    state, reason = answer["state"], (answer.get("refusal") or {}).get("reason")
    if call.key is not None and (state == PENDING) != (call.status == ACCEPTED):
        yield Finding("I1", f"{call.name} was answered {call.status} with the state {state}")
    if state == PENDING:
        if answer.get("decided_at") is not None or reason is not None:
            yield Finding("I7", f"{call.name} is pending, and yet decided at {answer.get('decided_at')}")
        return
    told = reason or state
    if not right:
        if told != REUSED:
            text = f"{call.name} was told {told}; its key was used for another body"
            yield Finding("I3", f"{text}: {decision} is {decision.outcome}")
        return
    expected = STATES.get(decision.outcome, "refused")
    if state != expected or (state == "refused" and reason != decision.outcome):
        yield Finding("I1", f"{call.name} was told {told}; {decision} is {decision.outcome}")
    at = decision.events[0].data["decided_at"]
    if answer.get("decided_at") is None or instant(answer["decided_at"]) != instant(at):
        yield Finding(
            "I1", f"{call.name} was told that it was decided at {answer.get('decided_at')}, not {at}"
        )
    count = decision.events[0].data.get("count")
    if state == "refused" and count is not None and str(count) not in answer["refusal"].get("detail", ""):
        yield Finding("I1", f"{call.name} was not told the count {count}: {answer['refusal']}")


def _check_sameness(request: Request) -> Iterator[Finding]:
    first: tuple[Call, dict[str, Any]] | None = None
    for call, answer in request.resources():
        first = first or (call, answer)
        for name in IDS:
            if answer.get(name) != first[1].get(name):
                text = f"{call.name} was told {name} {answer.get(name)}"
                yield Finding("I3", f"{text}, {first[0].name} {first[1].get(name)}")


def _check_repeats(keyed: Keyed, request: Request, right: bool) -> Iterator[Finding]:
    seen = min(
        (
            call.ended
            for one in keyed.requests.values()
            for call, answer in one.resources()
            if answer["state"] != PENDING and call.ended is not None
        ),
        default=float("inf"),
    )
    for call, answer in request.resources():
        if call.started > seen and answer["state"] == PENDING:
            yield Finding("I7", f"{call.name} was told pending, after another was told the decision")
    for call in request.calls:
        if right and code(call) == REUSED:
            yield Finding("I3", f"{call.name} was refused {REUSED}, and is what was decided with its key")
        if call.started <= seen or call.status not in (OK, ACCEPTED):
            continue
        if not right:
            yield Finding("I3", f"{call.name} repeats the key of a decided command, and was not refused")
        elif call.status == OK and call.headers.get("idempotency-replayed") != "true":
            yield Finding("I3", f"{call.name} repeats a decided command, and was not told so")


def _of_nobody(writes: Writes, commands: dict[str, list[Command]]) -> Iterator[Finding]:
    """Commands in the name of those who asked, that they did not ask for."""
    claimed = {id_ for keyed in writes.keyed.values() for id_ in keyed.ids()}
    ours = {command.actor for id_ in claimed for command in commands[id_]}
    ours |= {("patient", keyed.actor) for keyed in writes.keyed.values() if keyed.actor != STAFF}
    unclear = [
        request.first
        for keyed in writes.keyed.values()
        if keyed.unclear and not keyed.ids()
        for request in keyed.requests.values()
    ]
    for id_, some in commands.items():
        if id_ in claimed or some[0].actor not in ours:
            continue
        for command in some:
            if not any(asks(call, command) for call in unclear):
                yield Finding("I4", f"{command.place} ({command.type} {id_}) was accepted from nobody")
