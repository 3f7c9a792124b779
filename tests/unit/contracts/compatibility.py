"""Which changes of a JSON Schema would stop today's code from reading what yesterday's wrote.

It errs on the safe side: a keyword that it does not know may not change at all.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

NOTES = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"}
LOWER_LIMITS = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
UPPER_LIMITS = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
CLOSED = {"pattern", "format", "multipleOf", "uniqueItems", "contentEncoding"}
"""Keywords that narrow by being there: they may go, but neither come nor change."""

JUDGED = {
    *("$ref", "anyOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items"),
    *(*LOWER_LIMITS, *UPPER_LIMITS, *CLOSED),
}


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What stands in the way, each as `/path: what changed`."""
    return list(_Comparison(old.get("$defs", {}), new.get("$defs", {})).of(old, new, ""))


class _Comparison:
    """Of two documents, each with its own definitions. The models are not recursive, so neither is this."""

    def __init__(self, old_definitions: Schema, new_definitions: Schema) -> None:
        self._old = old_definitions
        self._new = new_definitions

    def of(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, path)
            return
        yield from _types(old, new, path)
        yield from _values(old, new, path)
        yield from _limits(old, new, path)
        yield from self._fields(old, new, path)
        yield from self._items(old, new, path)
        for keyword in sorted((old.keys() | new.keys()) - NOTES - JUDGED):
            if old.get(keyword) != new.get(keyword):
                yield f"{path or '/'}: {keyword} changed, which is not known to be safe"

    def _alternatives(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        accepted = new.get("anyOf", [new])
        for alternative in old.get("anyOf", [old]):
            tries = [list(self.of(alternative, choice, path)) for choice in accepted]
            if all(tries):
                yield from min(tries, key=len)

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", [])) - set(old.get("required", []))):
            yield f"{path}/{name}: is now required"
        for name in sorted(before.keys() - after.keys()):
            yield f"{path}/{name}: is not read any more"
        for name in sorted(before.keys() & after.keys()):
            yield from self.of(before[name], after[name], f"{path}/{name}")
        if _open(old) and not _open(new):
            yield f"{path or '/'}: unknown fields are refused now"

    def _items(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        if "items" in new:
            yield from self.of(old.get("items", {}), new["items"], f"{path}/*")


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}
    return schema


def _open(schema: Schema) -> bool:
    return bool(schema.get("additionalProperties", True))


def _types(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "type" not in new:
        return
    before, after = _named(old.get("type", "anything")), _named(new["type"])
    if "number" in after:
        after = after | {"integer"}
    if gone := before - after:
        yield f"{path or '/'}: {' or '.join(sorted(gone))} is not accepted any more"


def _named(types: str | list[str]) -> set[str]:
    return {types} if isinstance(types, str) else set(types)


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = _choices(old), _choices(new)
    if after is None:
        return
    if before is None:
        yield f"{path or '/'}: only some values are accepted now"
        return
    for value in before:
        if value not in after:
            yield f"{path or '/'}: the value {value!r} is not accepted any more"


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _limits(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keyword in LOWER_LIMITS:
        if keyword in new and (keyword not in old or new[keyword] > old[keyword]):
            yield f"{path or '/'}: {keyword} is tighter"
    for keyword in UPPER_LIMITS:
        if keyword in new and (keyword not in old or new[keyword] < old[keyword]):
            yield f"{path or '/'}: {keyword} is tighter"
    for keyword in sorted(CLOSED):
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{path or '/'}: {keyword} is another"
