"""The messages between `clinic load` and its generator: a job, and a line for each action."""

import json
from dataclasses import asdict, dataclass

from ops.load.mix import Action
from ops.load.scene import Scene
from ops.load.tokens import TokenSource

BEGUN = "begun"
"""The generator's first line: the warm-up begins."""


@dataclass(frozen=True)
class Sample:
    """An action. `at_s`: when it was due, from the end of the warm-up; negative if before.

    `latency_ms` counts from then until the response, or for a command until it was decided. `ok` is false for
    errors; a refusal is none, and `outcome` says which.
    """

    at_s: float
    action: Action
    latency_ms: float
    outcome: str
    ok: bool

    def to_line(self) -> str:
        """A JSON array."""
        values = [round(self.at_s, 4), self.action, round(self.latency_ms, 3), self.outcome, self.ok]
        return json.dumps(values)

    @classmethod
    def from_line(cls, line: str) -> "Sample":
        """The sample that `to_line` wrote."""
        at_s, action, latency_ms, outcome, ok = json.loads(line)
        return cls(at_s, Action(action), latency_ms, outcome, ok)


@dataclass(frozen=True)
class Job:
    """A constant rate of actions for some time. `clients` is how many can be under way at once."""

    url: str
    tokens: TokenSource
    per_s: float
    seconds: float
    warm_up_s: float
    clients: int
    seed: int
    scene: Scene

    def to_json(self) -> str:
        """The job as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        fields["tokens"] = TokenSource(**fields["tokens"])
        fields["scene"] = Scene(**fields["scene"])
        return cls(**fields)
