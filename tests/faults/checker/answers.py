"""Clients are always told what was decided, and nothing is decided that was not requested."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.checker.messages import CONFIRMED, Command, Decision, instant
from tests.faults.checker.records import Finding
from tests.faults.checker.rules import NOTHING_CHANGED
from tests.faults.checker.world import World
from tests.faults.checker.writes import ACCEPTED, OK, REUSED, Keyed, Request, Writes, asks, code
from tests.faults.workload.history import STAFF, Call

PENDING = "pending"
IDS = ("type", "appointment_id", "doctor_id", "time_off_id")
Key = tuple[str, str]
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
    first = _first(keyed)
    for command in commands[ids[0]]:
        if not any(asks(request.first, command) for request in keyed.requests.values()):
            yield Finding(
                "I4", f"{command.position} is not what was asked with key {keyed.key}: {first.name}"
            )
    yield from _check_fingerprints(keyed, commands[ids[0]])
    decision = world.log.decided.get(ids[0])
    if decision is None:
        where = "not decided" if commands[ids[0]] else "not on the log"
        yield Finding("I1", f"{first.name} was told of command {ids[0]}, which is {where}")
        return
    times = {command.at for command in commands[ids[0]]}
    for request in keyed.requests.values():
        yield from _check_ids(request, commands[ids[0]])
        right = decision.command is None or asks(request.first, decision.command)
        for call, answer in request.resources():
            yield from _check_resource(call, answer, decision, right)
            if instant(answer["submitted_at"]) not in times:
                yield Finding(
                    "I1", f"{call.name} says it was on the log at {answer['submitted_at']}; it was not"
                )
        yield from _check_repeats(keyed, request, right)


def _first(keyed: Keyed) -> Call:
    return next(call for request in keyed.requests.values() for call, _ in request.resources())


def _check_fingerprints(keyed: Keyed, commands: list[Command]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for command in commands:
        for text, request in keyed.requests.items():
            if asks(request.first, command) and seen.setdefault(command.fingerprint, text) != text:
                yield Finding(
                    "I3", f"{command.position} has the fingerprint of another body of key {keyed.key}"
                )


def _check_resource(call: Call, answer: dict[str, Any], decision: Decision, right: bool) -> Iterator[Finding]:
    state, refusal = answer["state"], answer.get("refusal") or {}
    reason = refusal.get("reason")
    if call.key is not None and (state == PENDING) != (call.status == ACCEPTED):
        yield Finding("I1", f"{call.name} was answered {call.status} with the state {state}")
    if state == PENDING:
        if answer.get("decided_at") is not None or reason is not None:
            yield Finding("I7", f"{call.name} is pending, and yet decided at {answer.get('decided_at')}")
        return
    answered = f"{state} and {reason}" if reason and state != "refused" else reason or state
    if not right:
        if answered != REUSED:
            text = f"{call.name} was told {answered}; its key was used for another body"
            yield Finding("I3", f"{text}: {decision} is {decision.outcome}")
        return
    expected = STATES.get(decision.outcome, "refused")
    if (state, reason) != (expected, decision.outcome if expected == "refused" else None):
        yield Finding("I1", f"{call.name} was told {answered}; {decision} is {decision.outcome}")
    at = decision.events[0].data["decided_at"]
    if answer.get("decided_at") is None or instant(answer["decided_at"]) != instant(at):
        yield Finding(
            "I1", f"{call.name} was told that it was decided at {answer.get('decided_at')}, not {at}"
        )
    count = decision.events[0].data.get("count")
    if state == "refused" and count is not None and str(count) not in refusal.get("detail", ""):
        yield Finding("I1", f"{call.name} was not told the count {count}: {refusal}")


def _check_ids(request: Request, commands: list[Command]) -> Iterator[Finding]:
    """The first answer has the ids of the command; all others have those of the first."""
    answers = list(request.resources())
    if not answers:
        return
    first, first_answer = answers[0]
    # There may be several: each request to reschedule goes to the doctor that the visit then has.
    true = [_ids(command) for command in commands if asks(request.first, command)]
    if true and not any(all(first_answer.get(name) == ids[name] for name in IDS) for ids in true):
        shown = {name: first_answer.get(name) for name in IDS}
        yield Finding("I1", f"{first.name} was told {shown}; on the log is {' or '.join(map(str, true))}")
    for call, answer in answers[1:]:
        for name in IDS:
            if answer.get(name) != first_answer.get(name):
                text = f"{call.name} was told {name} {answer.get(name)}"
                yield Finding("I3", f"{text}, {first.name} {first_answer.get(name)}")


def _ids(command: Command) -> dict[str, Any]:
    return {name: command.data.get(name) for name in IDS} | {"type": command.type}


def _check_repeats(keyed: Keyed, request: Request, right: bool) -> Iterator[Finding]:
    seen = min(
        (
            call.ended
            for earlier in keyed.requests.values()
            for call, answer in earlier.resources()
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
    """Commands in the name of these clients that they did not send."""
    claimed = {id_ for keyed in writes.keyed.values() for id_ in keyed.ids()}
    ours = {command.actor for id_ in claimed for command in commands[id_]}
    ours |= {("patient", keyed.actor) for keyed in writes.keyed.values() if keyed.actor != STAFF}
    unclear = {
        name: [request.first for request in keyed.requests.values() if request.unclear]
        for name, keyed in writes.keyed.items()
        if not keyed.ids()
    }
    keys = {
        id_: [
            name
            for name, calls in unclear.items()
            if all(any(asks(call, command) for call in calls) for command in sent)
        ]
        for id_, sent in commands.items()
        if id_ not in claimed and sent[0].actor in ours
    }
    owners: dict[Key, str] = {}
    for id_ in keys:
        if not _find_key(id_, keys, owners, set()):
            first = commands[id_][0]
            yield Finding("I4", f"{first.position} ({first.type} {id_}) was accepted from nobody")


def _find_key(id_: str, keys: dict[str, list[Key]], owners: dict[Key, str], tried: set[Key]) -> bool:
    """Whether one key can be assigned to each id; another id may have to take another key."""
    for key in keys[id_]:
        if key not in tried:
            tried.add(key)
            if key not in owners or _find_key(owners[key], keys, owners, tried):
                owners[key] = id_
                return True
    return False
