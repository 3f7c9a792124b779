"""The OpenAPI document and Swagger UI: FastAPI finds most of it in the routes; the rest is added.

Routers declare how an operation can end (`responses`); examples belong to models and links to operations
(`examples`, `links`).
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid5
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from infra import clock
from ingress.http.problems import Code
from ingress.openapi import examples
from ingress.openapi.links import LINKS
from ingress.openapi.responses import IDEMPOTENCY_KEY, SCHEMA_PREFIX, Json, ProblemBody
from ingress.resources import resources

ASSETS = "/docs/assets"
DESCRIPTION = """\
A clinic's appointment book. Every write to the book is a command. It is appended to a log and answered with
**202** and the URL of its status or, with `Prefer: wait=10`, with **200** and the decision. A refusal is a
decision, not an error. Every write needs an `Idempotency-Key`: if you get no answer, retry with the same key.

Instants are RFC 3339 with an offset, dates YYYY-MM-DD, both in the years 1900 to 2199. Requests with fields
that are not described are refused. Answers may have more, and codes may be added (`x-extensible-enum`).

Each patient, each member of staff, and each network of those who are not logged in has more units a minute
than people spend; `RateLimit` and `RateLimit-Policy` in the answers say how many are left
(draft-ietf-httpapi-ratelimit-headers). A request costs one; free slots that nobody has asked for before,
long calendars and utilisation cost more. With none left, the answer is **429** `rate_limited` with
`Retry-After`.

Get a token, valid for 15 minutes, with `clinic token staff` or `clinic token patient EMAIL`.
The examples work with the demo data.
"""
TAGS = [
    {"name": "clinic", "description": "How to reach the clinic, and what its pages look like."},
    {"name": "appointments", "description": "Book, reschedule, cancel and read appointments."},
    {"name": "doctors", "description": "Doctors, their weekly hours, time off and free slots."},
    {"name": "commands", "description": "Status of writes."},
    {"name": "login", "description": "Log in, stay logged in, log out."},
    {"name": "patients", "description": "The patient directory."},
    {"name": "staff", "description": "Calendars, live events, figures and the audit trail."},
    {"name": "operation", "description": "For operators."},
]

router = APIRouter(include_in_schema=False)
pages_router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def get_document(request: Request) -> Response:
    """The document. Its examples are about next week, so it is made anew when the week is over."""
    settings = resources(request).settings
    zone = ZoneInfo(settings.time_zone)
    today = clock.now().astimezone(zone).date()
    monday = today + timedelta(days=8 - today.isoweekday())
    made_for, content = getattr(request.app.state, "openapi", (None, b""))
    if made_for != monday:
        content = json.dumps(document(request.app, monday, zone, settings.url)).encode()
        request.app.state.openapi = (monday, content)
    return Response(content, media_type="application/json")


@pages_router.get("/docs")
async def get_docs() -> HTMLResponse:
    """Swagger UI, from files of this server: a clinic may have no internet access."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Clinic",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"docExpansion": "list", "persistAuthorization": True, "validatorUrl": None},
    )


def install(app: FastAPI, *, pages: bool) -> None:
    """Serve the document and, with `pages`, Swagger UI to read it."""
    app.router.routes.extend(router.routes)
    if pages:
        app.router.routes.extend(pages_router.routes)
        app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))


def document(app: FastAPI, monday: date, zone: ZoneInfo, url: str = "/") -> Json:
    """The document, with examples in the week that begins on `monday`. `url` is where the clinic answers."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": url}],
    )
    components = found["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schemas = components["schemas"]
    problem = ProblemBody.model_json_schema(ref_template=SCHEMA_PREFIX + "{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem, "Code": _enumeration(Code)}
    for schema in list(schemas.values()):
        for field in schema.get("properties", {}).values():
            _open(field, schemas)
            if isinstance(field.get("default"), dict):
                del field["default"]  # which generators write down as a literal of a class
    for path in found["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _plain(parameter["schema"], schemas)
            _complete(operation, examples.bodies(monday, zone), examples.parameters(monday))
    _drop_unused(found, schemas)
    return found


def _enumeration(kind: type[StrEnum]) -> Json:
    return {"type": "string", "enum": list(kind), "title": kind.__name__, "description": inspect.getdoc(kind)}


def _open(field: Json, schemas: Json) -> None:
    """`OrNewer`: a string whose known values are listed, so that clients do not fail on one that is added."""
    options = field.get("anyOf", [])
    names = [option.get("$ref", "").removeprefix(SCHEMA_PREFIX) for option in options]
    known = [schemas[name]["enum"] for name in names if "enum" in schemas.get(name, {})]
    if not known or not any("pattern" in option for option in options):
        return
    del field["anyOf"]
    is_null = {"type": "null"} in options
    field |= {"type": ["string", "null"] if is_null else "string", "x-extensible-enum": known[0]}


def _plain(schema: Json, schemas: Json) -> Json:
    """The schema of a parameter, which is left out and never null, and whose few values stand in place."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        schema = options[0] | {name: value for name, value in schema.items() if name != "anyOf"}
    reference = schema.pop("$ref", "").removeprefix(SCHEMA_PREFIX)
    return schemas[reference] | schema if reference else schema


def _drop_unused(found: Json, schemas: Json) -> None:
    def unused() -> list[str]:
        text = json.dumps(found)
        return [name for name in schemas if name != "Code" and f'"{SCHEMA_PREFIX}{name}"' not in text]

    while names := unused():
        for name in names:
            del schemas[name]


def _complete(operation: Json, bodies: Mapping[str, Json], parameters: Mapping[str, Any]) -> None:
    operation.setdefault("security", [])
    answered = operation["responses"]
    if "application/json" in answered.get("422", {}).get("content", {}):
        del answered["422"]  # FastAPI's own, which is never sent
    for status, media in _media({"request": operation.get("requestBody", {}), **answered}):
        # A body that may be left out is not null.
        options = [option for option in media.get("schema", {}).get("anyOf", ()) if "$ref" in option]
        if status == "request" and len(options) == 1:
            [media["schema"]] = options
        schema = media.get("schema", {})
        models = [
            option.get("$ref", "").removeprefix(SCHEMA_PREFIX) for option in schema.get("oneOf", [schema])
        ]
        shown = {name: value for model in models for name, value in bodies.get(model, {}).items()}
        if shown and {"200", "202"} <= answered.keys() and status != "request":
            # A write: not decided yet, or decided.
            shown = {name: value for name, value in shown.items() if (name == "pending") == (status == "202")}
        if shown:
            media["examples"] = shown
    for number, parameter in enumerate(operation.get("parameters", ())):
        name = parameter["name"]
        if name == IDEMPOTENCY_KEY["name"]:
            # A key belongs to one request: those who try the examples one after the other need several.
            key = str(uuid5(examples.KEYS, operation["operationId"]))
            operation["parameters"][number] = parameter | {"example": key}
        if name in parameters:
            is_list = parameter["schema"].get("type") == "array"
            parameter["example"] = [parameters[name]] if is_list else parameters[name]
        if parameter["in"] == "path":
            parameter.setdefault("description", examples.PATH_PARAMETERS.get(name, ""))
    for status in ("200", "201", "202"):
        links = LINKS.get(operation["operationId"])
        if links and status in answered:
            answered[status]["links"] = links


def _media(parts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name, part in parts.items():
        for media in part.get("content", {}).values():
            yield name, media
