"""Changed bytes and changed JSON, from good ones; and how long to go on with them."""

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import strategies as some

ROOT = Path(__file__).parents[2]
ROUND = 200
NUMBERS = (
    some.integers() | some.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400]) | some.floats(allow_nan=False)
)
TEXTS = some.text(some.characters(codec=None)) | some.sampled_from(
    ["\0", "\ud800", "\u202egnp.exe", "a\r\nSet-Cookie: x=y", "'; DROP TABLE people.patients; --", "{{7*7}}",
     "<script>alert(1)</script>", "../../etc/passwd", "=cmd|' /C calc'!A0", "0" * 5_000]
)  # fmt: skip
JUNK = some.recursive(
    some.none() | some.booleans() | NUMBERS | TEXTS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def is_ours(text: str) -> bool:
    """True for a word out of our own source: Hypothesis takes constants from there, and so do answers."""
    return text in _source()


@cache
def _source() -> str:
    packages = [found.parent for found in ROOT.glob("*/__init__.py")]
    return "".join(module.read_text() for package in packages for module in package.rglob("*.py"))


@some.composite
def changed_bytes(draw: some.DrawFn, samples: list[bytes]) -> bytes:
    """A sample of which parts were removed, replaced, repeated, or are those of another; or anything."""
    content = draw(some.sampled_from(samples) | some.binary(max_size=200))
    for _ in range(draw(some.integers(0, 4))):
        begin = draw(some.integers(0, len(content)))
        end = draw(some.integers(begin, min(len(content), begin + 30)))
        other = draw(some.sampled_from(samples))
        middle = draw(
            some.binary(max_size=8) | some.sampled_from([content[begin:end] * 3, other[begin:end], b""])
        )
        content = content[:begin] + middle + content[end:]
    return content


@some.composite
def changed_json(draw: some.DrawFn, sample: Any) -> Any:
    """A sample in which some values are others, some are missing, and some are new."""
    value = sample
    for _ in range(draw(some.integers(1, 3))):
        value = _changed(draw, value)
    return value


def _changed(draw: some.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(some.integers(0, 9)):
        name = draw(some.sampled_from(sorted(value)))
        match draw(some.integers(0, 7)):
            case 0:
                return {other: kept for other, kept in value.items() if other != name}
            case 1:
                return {**value, draw(TEXTS): draw(JUNK)}
            case _:
                return {**value, name: _changed(draw, value[name])}
    if isinstance(value, list) and value and draw(some.integers(0, 4)):
        index = draw(some.integers(0, len(value) - 1))
        return [*value[:index], _changed(draw, value[index]), *value[index:][:1], *value[index + 1 :]]
    if isinstance(value, str) and draw(some.booleans()):
        at = draw(some.integers(0, len(value)))
        return value[:at] + draw(TEXTS) + value[at + draw(some.integers(0, 2)) :]
    return draw(JUNK)


@some.composite
def changed_body(draw: some.DrawFn, sample: Any) -> tuple[Any, bytes]:
    """A changed JSON value, and the bytes of a body that has it; rarely those are changed as well."""
    value = draw(changed_json(sample))
    content = json.dumps(value).encode()
    return value, draw(changed_bytes([content])) if not draw(some.integers(0, 5)) else content


def go_on(
    check: Callable[[Any], None], strategy: some.SearchStrategy[Any], examples: int, seconds: float
) -> None:
    """Check so many examples, the same ones each time; or, for `seconds`, ever new ones.

    Fails with the smallest example that was found.
    """
    common: dict[str, Any] = {
        "deadline": None,
        "database": None,
        "suppress_health_check": list(hypothesis.HealthCheck),
    }
    ends, number, broken = time.monotonic() + seconds, time.time_ns(), False

    def once(example: Any) -> None:
        nonlocal broken
        if seconds and not broken and time.monotonic() > ends:
            return
        try:
            check(example)
        except Exception:
            broken = True  # from here on, the smallest example is looked for
            raise

    if not seconds:
        always_the_same = hypothesis.settings(max_examples=examples, derandomize=True, **common)
        always_the_same(hypothesis.given(strategy)(once))()
    while time.monotonic() < ends:
        round_ = hypothesis.given(strategy)(lambda example: once(example))
        hypothesis.seed(number)(hypothesis.settings(max_examples=ROUND, **common)(round_))()
        number += 1
