"""The OpenAPI document and Swagger UI: what FastAPI finds in the routes, completed by what it cannot know.

Routers say what an operation can end in (`ingress.openapi`); examples and links are found by the names of
schemas and operations (`ingress.examples`, `ingress.links`).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from infra import clock
from ingress import examples
from ingress.links import LINKS
from ingress.openapi import SCHEMA_PREFIX, Json, ProblemBody
from ingress.resources import resources

ASSETS = "/docs/assets"
DESCRIPTION = """\
A clinic's appointment book. Every write to the book is a command: it is put on a log, and answered **202**
with a receipt to ask about, or, with `Prefer: wait=10`, **200** with the decision. A refusal is an answer,
not an error. Every write has an `Idempotency-Key`: when no answer came, repeat it with the same key.

Get a token with `clinic token staff` or `clinic token patient EMAIL`. The examples work on the demo data.
"""
TAGS = [
    {"name": "appointments", "description": "Book, move, cancel and read appointments."},
    {"name": "doctors", "description": "Doctors, their hours, their time off, and their free slots."},
    {"name": "commands", "description": "What became of a write."},
    {"name": "patients", "description": "The patients' directory."},
    {"name": "staff", "description": "The day at a glance, and live."},
    {"name": "operation", "description": "For operators."},
]

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def get_document(request: Request) -> Response:
    """The document. Its examples are about next week, so it is made anew when the week is over."""
    zone = ZoneInfo(resources(request).settings.time_zone)
    today = clock.now().astimezone(zone).date()
    monday = today + timedelta(days=8 - today.isoweekday())
    made_for, content = getattr(request.app.state, "openapi", (None, b""))
    if made_for != monday:
        content = json.dumps(document(request.app, monday, zone)).encode()
        request.app.state.openapi = (monday, content)
    return Response(content, media_type="application/json")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """Swagger UI, from files of our own: a clinic may have no internet."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Clinic",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters={"docExpansion": "list", "persistAuthorization": True, "validatorUrl": None},
    )


def install(app: FastAPI) -> None:
    """Serve the document, and Swagger UI to read it."""
    app.include_router(router)
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))


def document(app: FastAPI, monday: date, zone: ZoneInfo) -> Json:
    """The document, with examples in the week that begins on `monday`."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components = found["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schemas = components["schemas"]
    problem = ProblemBody.model_json_schema(ref_template=SCHEMA_PREFIX + "{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        _tell_formats(schema)
    for path in found["paths"].values():
        for operation in path.values():
            _complete(operation, examples.bodies(monday, zone), examples.parameters(monday))
    return found


def _complete(operation: Json, bodies: Mapping[str, Json], parameters: Mapping[str, Any]) -> None:
    answered = operation["responses"]
    if "application/json" in answered.get("422", {}).get("content", {}):
        del answered["422"]  # FastAPI's own, which is never sent
    for status, media in _media({"request": operation.get("requestBody", {}), **answered}):
        shown = bodies.get(media.get("schema", {}).get("$ref", "").removeprefix(SCHEMA_PREFIX))
        if shown and "202" in answered and status != "request":
            # A write: not decided yet, or decided.
            shown = {name: value for name, value in shown.items() if (name == "pending") == (status == "202")}
        if shown:
            media["examples"] = shown
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in parameters:
            parameter["example"] = parameters[parameter["name"]]
    for status in ("200", "201", "202"):
        links = LINKS.get(operation["operationId"])
        if links and status in answered:
            answered[status]["links"] = links


def _media(parts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name, part in parts.items():
        for media in part.get("content", {}).values():
            yield name, media


def _tell_formats(schema: Json) -> None:
    """Views hold instants and dates as finished text; their names tell which is which."""
    for name, value in schema.get("properties", {}).items():
        format_ = "date-time" if name.endswith("_at") or name == "at" else "date" if name == "date" else None
        for option in (value, *value.get("anyOf", ())):
            if format_ and option.get("type") == "string":
                option["format"] = format_
