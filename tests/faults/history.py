"""What the clients asked and what they were told, each call with its beginning and its end."""

import json
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

STAFF = "staff"


@dataclass
class Call:
    """One request over HTTP. A write has a `key`; repeats of a write have the same one.

    `started` and `ended` are monotonic seconds of the clients' process; `at` is the time of day at the start,
    in seconds since 1970. `ended` is None, and `error` says why, where no answer came: then what was asked
    may have happened or may not. `headers` are the answer's, names in lower case.
    """

    client: int
    number: int
    started: float
    ended: float | None
    method: str
    path: str
    body: Any
    key: str | None
    actor: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    answer: Any = None
    error: str | None = None
    at: float = 0.0

    @property
    def name(self) -> str:
        """How a person finds it in the history."""
        return f"call {self.client}.{self.number} ({self.method} {self.path[:80]})"


class History:
    """Calls, in the order in which they began.

    `settled` is when all that was ever asked had been decided, by the clients' clock; infinite if that was
    never waited for.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.settled = inf

    def save(self, path: Path) -> None:
        """Write one line of JSON per call, behind one with the rest."""
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"settled": self.settled}))
            file.write("\n")
            for call in self.calls:
                file.write(json.dumps(asdict(call), ensure_ascii=False))
                file.write("\n")

    @classmethod
    def load(cls, path: Path) -> "History":
        """What `save` wrote."""
        history = cls()
        with path.open(encoding="utf-8") as file:
            history.settled = json.loads(next(file))["settled"]
            history.calls = [Call(**json.loads(line)) for line in file]
        return history
