"""The operations of the OpenAPI document."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ingress.http.problems import MEDIA_TYPE


class Operation(NamedTuple):
    """An operation of the document."""

    label: str
    value: dict[str, Any]

    @property
    def id(self) -> str:
        name: str = self.value["operationId"]
        return name

    def parameters(self, location: str) -> dict[str, Any]:
        return {p["name"]: p for p in self.value.get("parameters", ()) if p["in"] == location}

    def codes(self) -> dict[str, list[str]]:
        """The problem codes, by status."""
        return {
            status: list(response["content"][MEDIA_TYPE]["examples"])
            for status, response in self.value["responses"].items()
            if MEDIA_TYPE in response.get("content", {})
        }

    def all_codes(self) -> set[str]:
        return {code for codes in self.codes().values() for code in codes}

    def headers(self, status: str) -> set[str]:
        return set(self.value["responses"][status].get("headers", {}))


def operations(document: Any) -> list[Operation]:
    return [
        Operation(f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def operation_of(document: Any, id_: str) -> Operation:
    return next(operation for operation in operations(document) if operation.id == id_)


def media(operation: Operation) -> Iterator[tuple[str, Any]]:
    """Every body of the operation, by its location."""
    parts = {"request": operation.value.get("requestBody", {}), **operation.value["responses"]}
    for where, part in parts.items():
        for value in part.get("content", {}).values():
            yield f"{operation.label} {where}", value
