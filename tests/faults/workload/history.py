"""The requests of the clients and their answers, each call with its start and end."""

import json
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any

STAFF = "staff"


# The same answers are used several times in a row.
UNPACKED_MAX = 256


@dataclass(frozen=True)
class Packed:
    """Compressed JSON: a long run has hundreds of thousands of answers, each rarely used."""

    content: bytes

    @classmethod
    def of(cls, text: bytes) -> "Packed":
        """The text, which has to be JSON."""
        return cls(zlib.compress(text, 1))


@lru_cache(UNPACKED_MAX)
def _unpacked(packed: Packed) -> Any:
    return json.loads(zlib.decompress(packed.content))


@dataclass(slots=True)
class Call:
    """One request over HTTP. A write has a `key`; repeats have the same one.

    `started` and `ended` are monotonic seconds of the clients' process; `at` is the wall-clock time at the
    start, in seconds since 1970. `ended` is None, and `error` says why, if no answer came: then the request
    may or may not have had an effect. `headers` are the answer's, names in lower case; `content` is its body,
    plain or packed.
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
    content: Any = None
    error: str | None = None
    at: float = 0.0

    @property
    def answer(self) -> Any:
        """The answer's content, parsed; not to be changed where it is packed."""
        return _unpacked(self.content) if isinstance(self.content, Packed) else self.content

    @answer.setter
    def answer(self, content: Any) -> None:
        self.content = content

    @property
    def name(self) -> str:
        """A name by which a person finds it in the history."""
        return f"call {self.client}.{self.number} ({self.method} {self.path[:80]})"


class History:
    """Calls, in the order of their start.

    `settled` is when every command was decided, by the clients' clock; infinite if that was never waited for.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.settled = inf

    def save(self, path: Path) -> None:
        """Write a header line, then one line of JSON per call."""
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"settled": self.settled}))
            file.write("\n")
            for call in self.calls:
                values = {name: getattr(call, name) for name in call.__slots__}
                file.write(json.dumps(values | {"content": call.answer}, ensure_ascii=False))
                file.write("\n")

    @classmethod
    def load(cls, path: Path) -> "History":
        """Read what `save` wrote."""
        history = cls()
        with path.open(encoding="utf-8") as file:
            history.settled = json.loads(next(file))["settled"]
            history.calls = [Call(**json.loads(line)) for line in file]
        return history
