"""The comparison of schemas: the changes that it accepts and those that it reports."""

from typing import Any

import pytest

from tests.unit.contracts.compatibility import Schema, breaking_changes, unreadable

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NULL: Schema = {"type": "null"}


def record(required: tuple[str, ...] = (), closed: bool = False, **fields: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": fields, "required": list(required)}
    return schema | {"additionalProperties": False} if closed else schema


def optional(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL], "default": None}


def shared(definition: Schema) -> Schema:
    """A record whose field refers to a definition."""
    return record(("a",), a={"$ref": "#/$defs/A"}) | {"$defs": {"A": definition}}


def text(**limits: Any) -> Schema:
    return record(a=TEXT | limits)


def whole(**limits: Any) -> Schema:
    return record(a=WHOLE | limits)


BASE = record(("a",), a=TEXT)

COMPATIBLE = {
    "nothing changed": (BASE, BASE),
    "a new optional field": (BASE, record(("a",), a=TEXT, b=TEXT)),
    "a new optional field that may be null": (BASE, record(("a",), a=TEXT, b=optional(TEXT))),
    "a required field that may be left out now": (BASE, record(a=TEXT)),
    "a field that may be null now": (record(("a",), a=TEXT), record(("a",), a=optional(TEXT))),
    "a new enum value": (text(enum=["x"]), text(enum=["x", "y"])),
    "free text instead of some values": (text(enum=["x"]), text()),
    "a constant among more values": (text(const="x"), text(enum=["x", "y"])),
    "whole numbers among numbers": (record(a=WHOLE), record(a={"type": "number"})),
    "more types": (record(a=TEXT), record(a={"type": ["string", "null"]})),
    "any type": (record(a=TEXT), record(a={})),
    "wider limits": (whole(minimum=1, maximum=5), whole(minimum=0, maximum=9)),
    "no limits": (whole(minimum=1, maximum=5), whole()),
    "a pattern that fits all values of before": (text(enum=["x"]), text(pattern="^[a-z]$")),
    "no pattern": (text(pattern="^a$"), text()),
    "no format": (text(format="uuid"), text()),
    "a format that was none": (text(format="wall-time"), text()),
    "an opened object": (record(closed=True, a=TEXT), record(a=TEXT)),
    "longer lists": (record(a={"items": TEXT, "maxItems": 1}), record(a={"items": TEXT, "maxItems": 2})),
    "other words in a description": (BASE | {"description": "x"}, BASE | {"description": "y", "title": "A"}),
    "another default": (record(a=WHOLE | {"default": 1}), record(a=WHOLE | {"default": 2})),
    "a definition written out": (shared(TEXT), record(("a",), a=TEXT)),
    "a definition renamed": (
        shared(TEXT),
        record(("a",), a={"$ref": "#/$defs/B"}) | {"$defs": {"B": TEXT}},
    ),
}


@pytest.mark.parametrize(("old", "new"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_change_that_keeps_the_log_readable_passes(old: Schema, new: Schema) -> None:
    assert unreadable(old, new) == []


BREAKING = {
    "a new required field": (BASE, record(("a", "b"), a=TEXT, b=TEXT), "/b: is required"),
    "an optional field made required": (record(a=TEXT), BASE, "/a: is required"),
    "a field removed": (BASE, record(), "/a: is not read"),
    "null refused": (record(a=optional(TEXT)), record(a=TEXT), "/a: null is not accepted"),
    "another type": (record(a=TEXT), record(a=WHOLE), "/a: string is not accepted"),
    "a narrower type": (
        record(a={"type": "number"}),
        record(a=WHOLE),
        "/a: number is not accepted",
    ),
    "a type where there was any": (record(a={}), record(a=TEXT), "/a: anything is not accepted"),
    "one of several types gone": (
        record(a={"type": ["string", "null"]}),
        record(a=TEXT),
        "/a: null is not accepted",
    ),
    "an enum value removed": (
        text(enum=["x", "y"]),
        text(enum=["x"]),
        "/a: the value 'y' is not accepted",
    ),
    "another constant": (text(const="x"), text(const="y"), "/a: the value 'x' is not accepted"),
    "only some values": (text(), text(enum=["x"]), "/a: only some values are accepted"),
    "a pattern that does not fit a value": (
        text(enum=["x", "Y"]),
        text(pattern="^[a-z]$"),
        "/a: pattern is another",
    ),
    "a new pattern": (text(), text(pattern="^a$"), "/a: pattern is another"),
    "another pattern": (text(pattern="^a*$"), text(pattern="^a+$"), "/a: pattern is another"),
    "a new format": (text(), text(format="uuid"), "/a: format is another"),
    "a lower maximum": (whole(maximum=9), whole(maximum=5), "/a: maximum is tighter"),
    "a higher minimum": (whole(minimum=0), whole(minimum=1), "/a: minimum is tighter"),
    "a new maximum": (whole(), whole(maximum=5), "/a: maximum is tighter"),
    "a shorter text": (text(maxLength=200), text(maxLength=100), "/a: maxLength is tighter"),
    "a text that must not be empty": (text(), text(minLength=1), "/a: minLength is tighter"),
    "shorter lists": (record(a={"maxItems": 2}), record(a={"maxItems": 1}), "/a: maxItems is tighter"),
    "other items": (
        record(a={"items": TEXT}),
        record(a={"items": WHOLE}),
        "/a/*: string is not accepted",
    ),
    "items where there were any": (
        record(a={}),
        record(a={"items": TEXT}),
        "/a/*: anything is not accepted",
    ),
    "different items": (record(a={}), record(a={"uniqueItems": True}), "/a: uniqueItems is another"),
    "a closed object": (record(a=TEXT), record(closed=True, a=TEXT), "/: unknown fields are refused"),
    "a definition's field required": (
        shared(record(x=TEXT)),
        shared(record(("x",), x=TEXT)),
        "/a/x: is required",
    ),
    "deep down": (
        record(a=optional(record(b={"items": record(c=text(maxLength=2))}))),
        record(a=optional(record(b={"items": record(c=text(maxLength=1))}))),
        "/a/b/*/c/a: maxLength is tighter",
    ),
    "a keyword that nobody knows": (
        BASE,
        BASE | {"not": {}},
        "/: not changed, which is not known to be safe",
    ),
}


@pytest.mark.parametrize(("old", "new", "change"), BREAKING.values(), ids=BREAKING)
def test_a_change_that_breaks_the_log_is_listed(old: Schema, new: Schema, change: str) -> None:
    assert unreadable(old, new) == [change]


def test_every_change_is_listed() -> None:
    old = record(a=TEXT | {"enum": ["x", "y"]}, b=WHOLE)
    new = record(("c",), a=TEXT | {"enum": []}, c=TEXT)

    assert unreadable(old, new) == [
        "/c: is required",
        "/b: is not read",
        "/a: the value 'x' is not accepted",
        "/a: the value 'y' is not accepted",
    ]


def coded(*known: str) -> Schema:
    """A record with a code that is carried even if only a newer release knows it."""
    return record(("a",), a={"anyOf": [TEXT | {"enum": list(known)}, TEXT | {"pattern": "^[a-z]+$"}]})


SAFE_BOTH_WAYS = {
    "a new optional field": (BASE, record(("a",), a=TEXT, b=TEXT)),
    "a new field that is always written": (record(), record(a=TEXT)),
    "a new code": (coded("x"), coded("x", "y")),
    "a code that nobody writes any more": (coded("x", "y"), coded("x")),
    "another default": (record(a=WHOLE | {"default": 1}), record(a=WHOLE | {"default": 2})),
}


@pytest.mark.parametrize(("old", "new"), SAFE_BOTH_WAYS.values(), ids=SAFE_BOTH_WAYS)
def test_a_change_that_both_releases_can_read_passes(old: Schema, new: Schema) -> None:
    assert breaking_changes(old, new) == []


STOPS_THE_OLDER = {
    "a field that may be left out now": (BASE, record(a=TEXT), "/a: is required"),
    "null": (record(("a",), a=TEXT), record(("a",), a=optional(TEXT)), "/a: null is not accepted"),
    "a new value of a closed list": (
        text(enum=["x"]),
        text(enum=["x", "y"]),
        "/a: the value 'y' is not accepted",
    ),
    "any code instead of a closed list": (
        text(enum=["x"]),
        text(pattern="^[a-z]$"),
        "/a: only some values are accepted",
    ),
    "a higher maximum": (whole(maximum=5), whole(maximum=9), "/a: maximum is tighter"),
    "a longer text": (text(maxLength=100), text(maxLength=200), "/a: maxLength is tighter"),
    "another type": (record(a=WHOLE), record(a={"type": "number"}), "/a: number is not accepted"),
    "a new field of a closed object": (
        record(closed=True, a=TEXT),
        record(closed=True, a=TEXT, b=TEXT),
        "/b: is not read",
    ),
    "deep down": (
        record(a=optional(record(b={"items": record(c=text(enum=["x"]))}))),
        record(a=optional(record(b={"items": record(c=text(enum=["x", "y"]))}))),
        "/a/b/*/c/a: the value 'y' is not accepted",
    ),
}


@pytest.mark.parametrize(("old", "new", "change"), STOPS_THE_OLDER.values(), ids=STOPS_THE_OLDER)
def test_a_change_that_stops_the_older_release_is_listed(old: Schema, new: Schema, change: str) -> None:
    assert change in [item.partition("reader: ")[2] for item in breaking_changes(old, new)]
