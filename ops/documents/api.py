"""The outline of the HTTP API, made from the OpenAPI document and the table of who may do what."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from infra.tokens import Role
from ingress.app import create_app
from ingress.http.access import ACCESS, Reach
from ingress.openapi.document import document

Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
_HEAD = """# The HTTP API, in outline

Made by `make documents` from the OpenAPI document, which a running clinic serves whole at `/openapi.json`,
with examples at `/docs`; topics and messages are at `/asyncapi.json`. Errors are `application/problem+json`
(RFC 9457).

For Postman, import `deploy/clinic.postman_collection.json` and `deploy/clinic.postman_environment.json`:
every operation, in an order that can be run, with tests of the answers. Or with newman, as a patient:

    newman run deploy/clinic.postman_collection.json -e deploy/clinic.postman_environment.json \\
        --env-var staff_token="$(.venv/bin/clinic token staff)" \\
        --env-var patient_token="$(.venv/bin/clinic token patient ada@example.org)"

*Who*: a patient reaches what is their own, staff what is everybody's, unless it says otherwise.
"""


def openapi() -> Json:
    """The document, with examples in a fixed week, so that what is made from it stays the same."""
    return document(create_app(), date(2026, 1, 5), ZoneInfo("UTC"), "{{url}}")


def operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method and operation of each, in the order of the document."""
    for path, methods in found["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method.upper(), methods[method]


def outline() -> str:
    """The page, in Markdown."""
    found = openapi()
    lines = [_HEAD]
    for tag in found["tags"]:
        rows = [
            f"| `{method} {path}` | {_who(operation)} | {_summary(operation)} | {_statuses(operation)} |"
            for path, method, operation in operations(found)
            if operation["tags"] == [tag["name"]]
        ]
        if rows:
            lines += [f"## {tag['name'].capitalize()}\n", f"{tag['description']}\n"]
            lines += ["| operation | who | does | answers |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _who(operation: Json) -> str:
    row = ACCESS.get(operation["operationId"])
    if row is None:
        return "anyone"
    if set(row) == set(Role) and set(row.values()) == {Reach.OWN}:
        return "each their own"
    return ", ".join(role.value for role in Role if role in row and role is not Role.ADMIN)


def _summary(operation: Json) -> str:
    said = operation.get("description") or operation.get("summary", "")
    first: str = said.split("\n\n")[0].replace("\n", " ").partition(". ")[0]
    return first.rstrip(".").replace("|", "\\|")


def _statuses(operation: Json) -> str:
    return ", ".join(sorted(operation["responses"]))
