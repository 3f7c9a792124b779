"""Tools for both documents: references, and JSON Schema inside a document."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

HERE = "urn:document"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in the document, and every operation that a link names by reference."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(document: Any, reference: str) -> Any:
    """The target of a local reference (RFC 6901); KeyError if it does not exist."""
    assert reference.startswith("#/"), reference
    found = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


class Schemas:
    """JSON Schemas (2020-12, formats asserted) that refer to each other within a document."""

    def __init__(self, document: Any) -> None:
        # The id makes `#/…` in a part of the document refer to the document.
        self._registry = jsonschema_rs.Registry([(HERE, {"$id": HERE, **document})])

    def errors(self, schema: Any, value: Any) -> list[str]:
        """The validation errors of the value."""
        within = {"$schema": DIALECT, **_absolute(schema)}
        jsonschema_rs.meta.validate(within)
        validator = jsonschema_rs.Draft202012Validator(within, registry=self._registry, validate_formats=True)
        return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]


def _absolute(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: f"{HERE}{value}" if name == "$ref" and value.startswith("#") else _absolute(value)
            for name, value in part.items()
        }
    return [_absolute(value) for value in part] if isinstance(part, list) else part
