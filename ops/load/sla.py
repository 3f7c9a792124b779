"""The service levels of the seed document, and whether a run keeps them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from ops.load.job import Sample
from ops.load.mix import Action

READ_P95_MS_MAX = 200.0
WRITE_P95_MS_MAX = 500.0
"""From the request until the command is confirmed or refused, waiting and asking again included."""
ERRORS_MAX = 0.0


@dataclass(frozen=True)
class Line:
    """A service level, its limit and the value of a run. `value` is None if nothing was measured."""

    name: str
    unit: str
    limit: float
    value: float | None

    @property
    def met(self) -> bool:
        """True if the value is known and within the limit."""
        return self.value is not None and self.value <= self.limit

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{number(self.value)}{self.unit}"
        return f"{self.name}: {value}, limit {number(self.limit)}{self.unit}"


@dataclass(frozen=True)
class Figures:
    """Of one action: its share of all, latencies in ms from the time when it was due, and outcomes."""

    action: Action
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    errors: int
    refused: int


def judged(samples: Iterable[Sample]) -> list[Sample]:
    """Those behind the warm-up."""
    return [sample for sample in samples if sample.at_s >= 0]


def lines(samples: Sequence[Sample]) -> list[Line]:
    """The service levels, for samples behind the warm-up. Errors have latencies as well."""
    reads = [sample.latency_ms for sample in samples if not sample.action.is_write]
    writes = [sample.latency_ms for sample in samples if sample.action.is_write]
    errors = float(sum(not sample.ok for sample in samples)) if samples else None
    return [
        Line("read p95", " ms", READ_P95_MS_MAX, percentile(reads, 95)),
        Line("confirmed write p95", " ms", WRITE_P95_MS_MAX, percentile(writes, 95)),
        Line("errors", "", ERRORS_MAX, errors),
    ]


def figures(samples: Sequence[Sample]) -> list[Figures]:
    """Each action that occurred, in the order of the mix."""
    by_action = {action: [sample for sample in samples if sample.action is action] for action in Action}
    return [_figures(action, found) for action, found in by_action.items() if found]


def _figures(action: Action, samples: Sequence[Sample]) -> Figures:
    latencies = [sample.latency_ms for sample in samples]
    return Figures(
        action,
        count=len(samples),
        p50_ms=percentile(latencies, 50),
        p95_ms=percentile(latencies, 95),
        p99_ms=percentile(latencies, 99),
        max_ms=percentile(latencies, 100),
        errors=sum(not sample.ok for sample in samples),
        refused=sum(sample.outcome.startswith("refused") for sample in samples),
    )


def unusual(samples: Sequence[Sample]) -> list[tuple[str, int]]:
    """Errors and refusals by action and kind, the most frequent first."""
    usual = ("ok", "confirmed")
    counts = Counter(
        f"{sample.action}: {sample.outcome}" for sample in samples if sample.outcome not in usual
    )
    return counts.most_common()


def percentile(values: Sequence[float], rank: float) -> float | None:
    """By nearest rank; None of nothing."""
    return sorted(values)[max(ceil(len(values) * rank / 100), 1) - 1] if values else None


def number(value: float) -> str:
    """For people: three digits or so."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
