"""A Postman collection (format 2.1) with every operation of the API and an example of its body."""

import json
import re
from typing import Any
from urllib.parse import quote

from ops.documents.api import Json, openapi, operations

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection() -> str:
    """The collection, as JSON. Its variables: the clinic's address, a token, and ids that no example has."""
    found = openapi()
    by_tag: dict[str, list[Json]] = {tag["name"]: [] for tag in found["tags"]}
    for path, method, operation in operations(found):
        by_tag[operation["tags"][0]].append(_item(path, method, operation, found))
    unknown = sorted(set(re.findall(r"{{(\w+)}}", json.dumps(by_tag))) - {"url", "token"})
    written = {
        "info": {"name": found["info"]["title"], "schema": _SCHEMA, "version": found["info"]["version"]},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [
            {"key": "url", "value": "http://127.0.0.1:8000"},
            *({"key": name, "value": ""} for name in ("token", *unknown)),
        ],
        "item": [{"name": tag, "item": items} for tag, items in by_tag.items() if items],
    }
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def _item(path: str, method: str, operation: Json, found: Json) -> Json:
    parameters = operation.get("parameters", [])
    header = [_pair(it) for it in parameters if it["in"] == "header" and it.get("required")]
    request: Json = {
        "method": method,
        "header": header,
        "url": _url(path, [it for it in parameters if it["in"] == "path"], parameters),
    }
    if not operation.get("security"):
        request["auth"] = {"type": "noauth"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        header.append({"key": "Content-Type", "value": "application/json"})
        request["body"] = {"mode": "raw", "raw": json.dumps(_example(body, found), indent=1)}
    return {"name": operation["operationId"].replace("_", " "), "request": request}


def _url(path: str, of_path: list[Json], parameters: list[Json]) -> Json:
    for parameter in of_path:
        value = quote(str(parameter.get("example", f"{{{{{parameter['name']}}}}}")), safe="{}")
        path = path.replace(f"{{{parameter['name']}}}", value)
    query = [_pair(it) for it in parameters if it["in"] == "query" and it.get("required")]
    raw = "{{url}}" + path + ("?" + "&".join(f"{it['key']}={it['value']}" for it in query) if query else "")
    return {"raw": raw, "host": ["{{url}}"], "path": path.strip("/").split("/"), "query": query}


def _pair(parameter: Json) -> Json:
    # A key belongs to one request; Postman makes a new one for each.
    value = "{{$guid}}" if parameter["name"] == "Idempotency-Key" else parameter.get("example", "")
    return {"key": parameter["name"], "value": str(value)}


def _example(media: Json, found: Json) -> Any:
    for example in media.get("examples", {}).values():
        return example["value"]
    schema = media.get("schema", {})
    named = found["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    for example in named.get("examples", []):
        return example
    return {}
