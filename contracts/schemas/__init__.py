"""JSON Schemas (draft 2020-12) of every message on the log, generated from the models into this folder.

`python -m contracts.schemas` writes them. They describe what the current code reads; an event's schema merges
its context and its fact, as in the message.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts.cloudevents import BOOKING_PREFIX, SECURITY_PREFIX
from contracts.commands import COMMAND_TYPES
from contracts.envelope import VERSION_SUFFIX
from contracts.events import FACT_TYPES, Context
from contracts.security import SECURITY_TYPES

Schema = dict[str, Any]

FOLDER = Path(__file__).parent
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def message_schemas() -> dict[str, Schema]:
    """The schema of every message by file name, such as `BookAppointment.v1.json`."""
    commands = {model.__name__: model.model_json_schema() for model in COMMAND_TYPES}
    events = {model.__name__: _event_schema(model) for model in FACT_TYPES}
    security = {model.__name__: model.model_json_schema() for model in SECURITY_TYPES}
    return {
        f"{name}{VERSION_SUFFIX}.json": _titled(f"{prefix}{name}{VERSION_SUFFIX}", schema)
        for prefix, messages in ((BOOKING_PREFIX, commands | events), (SECURITY_PREFIX, security))
        for name, schema in messages.items()
    }


def written(schema: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_all(folder: Path = FOLDER) -> None:
    """Make the folder contain exactly the schemas of the current messages."""
    schemas = message_schemas()
    for path in folder.glob("*.json"):
        if path.name not in schemas:
            path.unlink()
    for name, schema in schemas.items():
        (folder / name).write_text(written(schema), encoding="utf-8")


def _event_schema(fact: type[BaseModel]) -> Schema:
    context, fact_schema = Context.model_json_schema(), fact.model_json_schema()
    both = context["properties"].keys() & fact_schema["properties"].keys()
    assert not both, f"{fact.__name__} and the context both have {both}"
    return {
        **fact_schema,
        "$defs": context.get("$defs", {}) | fact_schema.get("$defs", {}),
        "properties": context["properties"] | fact_schema["properties"],
        "required": [*context["required"], *fact_schema.get("required", [])],
    }


def _titled(title: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, **schema, "title": title}
