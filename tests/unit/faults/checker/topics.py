"""Writes a story to topics and a history, so that each part of it can be changed."""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from tests.faults.checker import Followers, Poison, Record, check
from tests.faults.workload.history import STAFF, Call, History

Data = dict[str, Any]
Facts = Sequence[tuple[str, Data]]

ADA, BEN, CAM, PAT, SAM, STAFF_ID = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "123456")
PARTITIONS = {ADA: 0, BEN: 1, CAM: 2}
BEGIN = datetime(2030, 1, 7, 8, tzinfo=UTC)


class Ask(NamedTuple):
    """A write as a client sends it. `actor` is `STAFF` or a patient."""

    actor: str
    method: str
    path: str
    body: Data | None = None


@dataclass
class Message:
    """A record that can still be changed. `raw` replaces its value, if it is not `data`."""

    position: tuple[int, int]
    at: datetime
    key: bytes | None
    headers: dict[str, bytes | None]
    data: Data
    raw: bytes | None = None

    def record(self) -> Record:
        """The record on its topic."""
        value = json.dumps(self.data).encode() if self.raw is None else self.raw
        sent_ms = int(self.at.timestamp() * 1000)
        return Record(*self.position, sent_ms, self.key, value, list(self.headers.items()))


@dataclass
class Deed:
    """A command, its decision's events, its request, and the answer after the decision."""

    command: Message
    events: list[Message]
    call: Call
    outcome: Data

    def pending(self) -> "Deed":
        """The client was only told that it was accepted."""
        undecided = {"state": "pending", "decided_at": None, "refusal": None}
        self.call.status, self.call.answer = 202, self.outcome | undecided
        self.call.headers["retry-after"] = "1"
        return self

    def unanswered(self, status: int | None = None, code: str | None = None) -> "Deed":
        """No answer came; or, with a status, one that does not tell the outcome."""
        self.call.status, self.call.answer = status, {"code": code} if code else None
        self.call.headers = {"retry-after": "1"} if status else {}
        self.call.ended = self.call.ended if status else None
        return self


def text(when: datetime) -> str:
    """The instant in the contract's format."""
    return when.isoformat().replace("+00:00", "Z")


def append(topic: list[Message], message: Message) -> Message:
    """Append the same record again, at the end of its partition."""
    again, partition = copy.deepcopy(message), message.position[0]
    again.position = partition, sum(earlier.position[0] == partition for earlier in topic)
    topic.append(again)
    return again


class Topics:
    """Writes commands to the topics and the history; one second passes with each."""

    def __init__(self) -> None:
        self.commands: list[Message] = []
        self.events: list[Message] = []
        self.letters: list[Record] = []
        self.poison: list[Poison] = []
        self.followers: Followers | None = None
        self.history = History()
        self.passed = timedelta()
        self._numbers = count(1)

    def finds(self, *patterns: str) -> None:
        """Asserts that the checker finds exactly these, each given by its beginning."""
        commands, events = ([message.record() for message in topic] for topic in (self.commands, self.events))
        findings = check(
            self.history,
            events,
            commands,
            self.letters,
            poison=self.poison,
            followers=self.followers,
        )
        found = [f"{finding.invariant}: {finding.text}" for finding in findings]
        assert len(found) == len(patterns), found
        for pattern, finding in zip(patterns, found, strict=True):
            assert re.match(pattern, finding), finding

    def new_id(self) -> str:
        """A new id."""
        return f"{next(self._numbers):08x}-0000-4000-8000-00000000000a"

    def act(
        self, type_: str, ask: Ask, data: Data, facts: Facts, doctor: str = ADA, refused: str | None = None
    ) -> Deed:
        """A request, its decision, and the answer to the waiting client."""
        self.passed += timedelta(seconds=1)
        person = ("staff", STAFF_ID) if ask.actor == STAFF else ("patient", ask.actor)
        who = dict(zip(("kind", "id"), person, strict=True))
        id_, doctors = self.new_id(), {"doctor_id": doctor}
        common = {"command_id": id_, "fingerprint": f"of {id_}", "actor": who}
        command = self.put(self.commands, doctor, type_, id_, common | data | doctors)
        if refused is not None:
            facts = [("CommandRefused", {**data, "reason": refused})]
        source = dict(zip(("partition", "offset"), command.position, strict=True))
        common |= {"command_type": type_, "decided_at": text(command.at), "source": source}
        events = [
            self.put(self.events, doctor, fact, self.new_id(), doctors | fields | common)
            for fact, fields in facts
        ]
        ids = {name: data.get(name) for name in ("appointment_id", "time_off_id")}
        outcome = {"command_id": id_, "type": type_, **doctors, **ids}
        outcome |= {"submitted_at": text(command.at), "decided_at": text(command.at)}
        outcome |= {"state": "refused" if refused else "confirmed"}
        outcome |= {"refusal": {"reason": refused, "detail": "why"} if refused else None}
        call = self.say(ask, 200, copy.deepcopy(outcome), f"key-{id_}", location=f"/v1/commands/{id_}")
        return Deed(command, events, call, outcome)

    def say(self, ask: Ask, status: int | None, answer: Any, key: str | None = None, **headers: str) -> Call:
        """A call that begins now and is answered half a second later."""
        started, at_ = self.passed.total_seconds(), (BEGIN + self.passed).timestamp()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = (ask.method, ask.path, ask.body, key, ask.actor)
        number = len(self.history.calls)
        call = Call(1, number, started, started + 0.5, *asked, status, names, answer, at=at_)
        self.history.calls.append(call)
        return call

    def again(self, deed: Deed, **changes: Any) -> Call:
        """The same request again, after the decision."""
        self.passed += timedelta(seconds=1)
        first = deed.call
        ask = Ask(first.actor, first.method, first.path, first.body)
        return self.say(ask, 200, deed.outcome | changes, first.key, idempotency_replayed="true")

    def status(self, deed: Deed, **changes: Any) -> Call:
        """A read of the command's status, after the decision."""
        path = f"/v1/commands/{deed.outcome['command_id']}"
        return self.read(path, deed.outcome | changes, actor=deed.call.actor)

    def read(self, path: str, answer: Any, status: int = 200, actor: str = STAFF, **headers: str) -> Call:
        """A read."""
        self.passed += timedelta(seconds=1)
        return self.say(Ask(actor, "GET", path), status, answer, None, **headers)

    def spoil(self, deed: Deed, reason: str, raw: bytes | None = b"{") -> Deed:
        """Make the command undecidable: it fails, is set aside, and belongs to no client."""
        deed.command.raw = raw
        self.poison.append(Poison(*deed.command.position, reason))
        self.history.calls.remove(deed.call)
        failed = deed.events[0]
        failed.data |= {"reason": reason}
        failed.headers["ce_type"] = b"clinic.booking.CommandFailed.v1"
        origin = dict(zip(("partition", "offset"), deed.command.position, strict=True))
        added = {"topic": "clinic.booking.commands.v1", **origin, "reason": reason}
        record = deed.command.record()
        headers = [*record.headers, *((f"dlq_{name}", str(value).encode()) for name, value in added.items())]
        self.letters.append(replace(record, offset=len(self.letters), headers=headers))
        return deed

    def settle(self) -> None:
        """Mark the time from which everything is decided."""
        self.passed += timedelta(seconds=1)
        self.history.settled = self.passed.total_seconds()

    def put(self, topic: list[Message], doctor: str, type_: str, id_: str, data: Data) -> Message:
        """Append to the doctor's partition of a topic."""
        partition, now = PARTITIONS[doctor], BEGIN + self.passed
        offset = sum(earlier.position[0] == partition for earlier in topic)
        attributes = {
            "specversion": "1.0",
            "id": id_,
            "type": f"clinic.booking.{type_}.v1",
            "time": text(now),
        }
        if topic is self.events:
            attributes["sequence"] = str(offset + 1)
        headers: dict[str, bytes | None] = {
            f"ce_{name}": value.encode() for name, value in attributes.items()
        }
        headers["content-type"] = b"application/json"
        topic.append(Message((partition, offset), now, doctor.encode(), headers, copy.deepcopy(data)))
        return topic[-1]
