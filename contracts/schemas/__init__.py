"""JSON Schemas (draft 2020-12) of every message on the log, made from the models and committed beside this.

`python -m contracts.schemas` writes them. They describe what today's code reads; an event's is its context
and its fact in one flat object, as it travels.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.commands import COMMANDS
from contracts.envelope import TYPE_PREFIX, VERSION_SUFFIX
from contracts.events import FACTS, Context
from contracts.security import SECURITY_MODELS
from contracts.security import TYPE_PREFIX as SECURITY_PREFIX

Schema = dict[str, Any]

FOLDER = Path(__file__).parent
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def message_schemas() -> dict[str, Schema]:
    """The schema of every message by its file's name, such as `BookAppointment.v1.json`."""
    commands = {model.__name__: model.model_json_schema() for model in COMMANDS}
    events = {model.__name__: _event_schema(model) for model in FACTS}
    security = {model.__name__: model.model_json_schema() for model in SECURITY_MODELS}
    return {
        f"{name}{VERSION_SUFFIX}.json": _titled(f"{prefix}{name}{VERSION_SUFFIX}", schema)
        for prefix, messages in ((TYPE_PREFIX, commands | events), (SECURITY_PREFIX, security))
        for name, schema in messages.items()
    }


def written(schema: Schema) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_all(folder: Path = FOLDER) -> None:
    """Make the folder hold exactly the schemas of today's messages."""
    schemas = message_schemas()
    for path in folder.glob("*.json"):
        if path.name not in schemas:
            path.unlink()
    for name, schema in schemas.items():
        (folder / name).write_text(written(schema), encoding="utf-8")


def _event_schema(fact: type[BaseModel]) -> Schema:
    context, told = Context.model_json_schema(), fact.model_json_schema()
    both = context["properties"].keys() & told["properties"].keys()
    assert not both, f"{fact.__name__} and the context both have {both}"
    return {
        **told,
        "$defs": context.get("$defs", {}) | told.get("$defs", {}),
        "properties": context["properties"] | told["properties"],
        "required": [*context["required"], *told.get("required", [])],
    }


def _titled(title: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, **schema, "title": title}
