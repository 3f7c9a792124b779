"""A Postman collection (format 2.1) of every operation of the API, with tests: it runs from top to bottom."""

import json
import re
from typing import Any

from infra.tokens import Role
from ingress.http.access import ACCESS
from ops.documents.api import Json, openapi, operations
from ops.documents.postman_story import DEFAULTS, GIVEN, STORY, Told

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_ABOUT = """Every operation of the API, in an order that can be run; each request tests its answer.

`staff_token` is what `clinic token staff` prints. For a patient: run *begin login*, give `code` the code \
from the mail, and run *log in*; or give `patient_token` what `clinic token patient EMAIL` prints."""
# A key belongs to one request: Postman makes a new one for each.
_HEADERS = {
    "Idempotency-Key": {"key": "Idempotency-Key", "value": "{{$guid}}"},
    "Prefer": {"key": "Prefer", "value": "wait=10"},
}
# Of all answers: errors are problem details (RFC 9457).
_PROBLEM = """if (pm.response.code >= 400) {
    pm.test("says what is wrong", () => {
        pm.expect(pm.response.headers.get("Content-Type")).to.include("application/problem+json");
        const problem = pm.response.json();
        pm.expect(problem).to.include.all.keys("type", "title", "status", "code", "detail");
        pm.expect(problem.status).to.equal(pm.response.code);
    });
}"""


def collection() -> str:
    """The collection, as JSON."""
    found = openapi()
    by_id = {
        operation["operationId"]: (path, method, operation) for path, method, operation in operations(found)
    }
    items = [
        {"name": folder, "item": [_item(step, *by_id[step.operation], found) for step in steps]}
        for folder, steps in STORY.items()
    ]
    first = GIVEN | DEFAULTS
    unknown = sorted(set(re.findall(r"{{(\w+)}}", json.dumps(items))) - first.keys())
    variables = first | dict.fromkeys(unknown, "")
    info = found["info"]
    written = {
        "info": {
            "name": info["title"],
            "description": _ABOUT,
            "schema": _SCHEMA,
            "version": info["version"],
        },
        "auth": _bearer("patient_token"),
        "event": [_script("test", _PROBLEM)],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
        "item": items,
    }
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def environment() -> str:
    """The environment that goes with it, as JSON: what somebody fills in."""
    values = [
        {
            "key": key,
            "value": value,
            "type": "secret" if key.endswith("token") else "default",
            "enabled": True,
        }
        for key, value in GIVEN.items()
        if key != "patient_token"  # an empty one would hide that of `log in`
    ]
    return (
        json.dumps({"name": "A clinic", "values": values, "_postman_variable_scope": "environment"}, indent=1)
        + "\n"
    )


def _item(step: Told, path: str, method: str, operation: Json, found: Json) -> Json:
    parameters = operation.get("parameters", [])
    header = [_HEADERS[it["name"]] for it in parameters if it["name"] in _HEADERS]
    request: Json = {"method": method, "header": header, "url": _url(path, parameters)}
    if not operation.get("security"):
        request["auth"] = {"type": "noauth"}
    elif step.as_staff or Role.PATIENT not in ACCESS[step.operation]:
        request["auth"] = _bearer("staff_token")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        header.append({"key": "Content-Type", "value": "application/json"})
        raw = json.dumps(_example(body, found) | step.body, indent=1)
        request["body"] = {"mode": "raw", "raw": raw}
    request["description"] = "\n\n".join(filter(None, (operation.get("description", ""), step.note)))
    events = [_script("test", _tests(step, operation, found))]
    if step.only_if:
        skip = f'if (pm.variables.get("{step.only_if}") !== "yes") pm.execution.skipRequest();'
        events.insert(0, _script("prerequest", skip))
    return {"name": step.operation.replace("_", " "), "event": events, "request": request}


def _tests(step: Told, operation: Json, found: Json) -> str:
    """What is checked of an answer and kept from it, as JavaScript."""
    answers = {int(status): it for status, it in operation["responses"].items() if status.startswith("2")}
    is_command = 202 in answers and len(answers) == 2
    if is_command:
        del answers[202]  # `Prefer` waits for the decision
    statuses = sorted(answers) + ([step.otherwise] if step.otherwise else [])
    words = " or ".join(map(str, statuses))
    lines = [
        f'pm.test("answers {words}", () => pm.expect(pm.response.code).to.be.oneOf({statuses}));',
        "if (pm.response.code < 300) {",
    ]
    media, content = next(iter(next(iter(answers.values())).get("content", {"": {}}).items()))
    if media and media != "application/json":
        content_type = 'pm.response.headers.get("Content-Type")'
        lines.append(f'    pm.test("is {media}", () => pm.expect({content_type}).to.include("{media}"));')
    elif media:
        lines.append("    const body = pm.response.json();")
        lines += _fields("body", content["schema"], found)
    if is_command:
        lines.append(f'    pm.test("is {step.state}", () => pm.expect(body.state).to.equal("{step.state}"));')
    lines += [f'    pm.collectionVariables.set("{name}", {value});' for name, value in step.keeps.items()]
    return "\n".join([*lines, "}"]) if len(lines) > 2 else lines[0]


def _fields(value: str, schema: Json, found: Json) -> list[str]:
    """Tests that a value has the fields of its schema, and the first item of a list those of the items."""
    name = schema.get("$ref", "").rpartition("/")[2]
    described = found["components"]["schemas"].get(name, schema)
    required = described.get("required", [])
    lines = []
    if required:
        keys = ", ".join(json.dumps(key) for key in required)
        lines.append(f'    pm.test("is of {name}", () => pm.expect({value}).to.include.all.keys({keys}));')
    items = described.get("properties", {}).get("items", {}).get("items")
    if items:
        lines += [
            f"    {line.strip()}".replace("    pm.test", "    if (body.items.length) pm.test")
            for line in _fields("body.items[0]", items, found)
        ]
    return lines


def _url(path: str, parameters: list[Json]) -> Json:
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", f"{{{{{parameter['name']}}}}}")
    names = [it["name"] for it in parameters if it["in"] == "query" and it.get("required")]
    query = [{"key": name, "value": f"{{{{patient_{name}}}}}"} for name in names]
    raw = "{{url}}" + path + ("?" + "&".join(f"{it['key']}={it['value']}" for it in query) if query else "")
    return {"raw": raw, "host": ["{{url}}"], "path": path.strip("/").split("/"), "query": query}


def _bearer(variable: str) -> Json:
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}


def _script(listen: str, source: str) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": source.split("\n")}}


def _example(media: Json, found: Json) -> Any:
    for example in media.get("examples", {}).values():
        return example["value"]
    schema = media.get("schema", {})
    named = found["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    for example in named.get("examples", []):
        return example
    return {}
