"""Changes of a JSON Schema that would stop one release from reading the other's messages.

It errs on the safe side: a keyword that it does not know may not change at all.
"""

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

NOTES = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"}
LOWER_LIMITS = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
UPPER_LIMITS = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
CLOSED = {"pattern", "format", "multipleOf", "uniqueItems", "contentEncoding"}
"""Keywords that narrow by being there: they may go, but neither come nor change."""

UNREGISTERED_FORMATS = {"wall-time"}
"""Formats of earlier schemas that mean nothing to anybody (JSON Schema 2020-12, section 7.2.3)."""

JUDGED = {
    "$ref", "anyOf", "type", "enum", "const", "properties", "required", "additionalProperties", "items",
    *LOWER_LIMITS, *UPPER_LIMITS, *CLOSED,
}  # fmt: skip


def unreadable(writer: Schema, reader: Schema, *, may_ignore: bool = False) -> list[str]:
    """Values that a writer may write and a reader does not accept, each as `/path: why`.

    `may_ignore`: the reader is the older one, which ignores unknown fields.
    """
    comparison = _Comparison(writer.get("$defs", {}), reader.get("$defs", {}), may_ignore)
    return list(comparison.of(writer, reader, ""))


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Changes that stop today's reader of yesterday's messages, or yesterday's reader of today's."""
    return [
        *(f"today's reader: {change}" for change in unreadable(old, new)),
        *(f"yesterday's reader: {change}" for change in unreadable(new, old, may_ignore=True)),
    ]


class _Comparison:
    """Compares two documents, each with its own definitions. Neither the models nor this are recursive."""

    def __init__(self, writers: Schema, readers: Schema, may_ignore: bool) -> None:
        self._writers = writers
        self._readers = readers
        self._may_ignore = may_ignore

    def of(self, writer: Schema, reader: Schema, path: str) -> Iterator[str]:
        writer, reader = _resolved(writer, self._writers), _resolved(reader, self._readers)
        if "anyOf" in writer or "anyOf" in reader:
            yield from self._alternatives(writer, reader, path)
            return
        yield from _types(writer, reader, path)
        yield from _values(writer, reader, path)
        yield from _limits(writer, reader, path)
        yield from self._fields(writer, reader, path)
        yield from self._items(writer, reader, path)
        for keyword in sorted((writer.keys() | reader.keys()) - NOTES - JUDGED):
            if writer.get(keyword) != reader.get(keyword):
                yield f"{path or '/'}: {keyword} changed, which is not known to be safe"

    def _alternatives(self, writer: Schema, reader: Schema, path: str) -> Iterator[str]:
        accepted = reader.get("anyOf", [reader])
        for alternative in writer.get("anyOf", [writer]):
            tries = [list(self.of(alternative, choice, path)) for choice in accepted]
            if all(tries):
                yield from min(tries, key=len)

    def _fields(self, writer: Schema, reader: Schema, path: str) -> Iterator[str]:
        written, read = writer.get("properties", {}), reader.get("properties", {})
        for name in sorted(set(reader.get("required", [])) - set(writer.get("required", []))):
            yield f"{path}/{name}: is required"
        for name in sorted(written.keys() - read.keys()):
            if not (self._may_ignore and _open(reader)):
                yield f"{path}/{name}: is not read"
        for name in sorted(written.keys() & read.keys()):
            yield from self.of(written[name], read[name], f"{path}/{name}")
        if _open(writer) and not _open(reader):
            yield f"{path or '/'}: unknown fields are refused"

    def _items(self, writer: Schema, reader: Schema, path: str) -> Iterator[str]:
        if "items" in reader:
            yield from self.of(writer.get("items", {}), reader["items"], f"{path}/*")


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}
    return schema


def _open(schema: Schema) -> bool:
    return bool(schema.get("additionalProperties", True))


def _types(writer: Schema, reader: Schema, path: str) -> Iterator[str]:
    if "type" not in reader:
        return
    written, read = _named(writer.get("type", "anything")), _named(reader["type"])
    if "number" in read:
        read = read | {"integer"}
    if gone := written - read:
        yield f"{path or '/'}: {' or '.join(sorted(gone))} is not accepted"


def _named(types: str | list[str]) -> set[str]:
    return {types} if isinstance(types, str) else set(types)


def _values(writer: Schema, reader: Schema, path: str) -> Iterator[str]:
    written, read = _choices(writer), _choices(reader)
    if read is None:
        return
    if written is None:
        yield f"{path or '/'}: only some values are accepted"
        return
    for value in written:
        if value not in read:
            yield f"{path or '/'}: the value {value!r} is not accepted"


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _all_fit(values: list[Any] | None, pattern: str | None) -> bool:
    return values is not None and all(re.search(pattern or "", str(value)) for value in values)


def _limits(writer: Schema, reader: Schema, path: str) -> Iterator[str]:
    for keyword in LOWER_LIMITS:
        if keyword in reader and (keyword not in writer or reader[keyword] > writer[keyword]):
            yield f"{path or '/'}: {keyword} is tighter"
    for keyword in UPPER_LIMITS:
        if keyword in reader and (keyword not in writer or reader[keyword] < writer[keyword]):
            yield f"{path or '/'}: {keyword} is tighter"
    for keyword in sorted(CLOSED):
        if keyword == "pattern" and _all_fit(_choices(writer), reader.get("pattern")):
            continue
        if keyword == "format" and reader.get(keyword) in UNREGISTERED_FORMATS:
            continue
        if keyword in reader and reader[keyword] != writer.get(keyword):
            yield f"{path or '/'}: {keyword} is another"
