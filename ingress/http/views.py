"""Resources as clients see them. Fields may be added. Instants are shown in a zone, with its offset."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Response
from pydantic import ConfigDict, PlainSerializer, SerializationInfo, WithJsonSchema

from contracts.fields import Model, rfc3339


class View(Model):
    """A resource, made of an object's attributes or of a row's columns. Every field is always there."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


def local(instant: datetime, zone: ZoneInfo) -> str:
    """RFC 3339 in the zone, with its offset."""
    return rfc3339(instant.astimezone(zone))


def _local(instant: datetime, info: SerializationInfo) -> str:
    assert isinstance(info.context, ZoneInfo), "`answer` says which"
    return local(instant, info.context)


ZonedInstant = Annotated[
    datetime, PlainSerializer(_local), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An instant that is shown in the zone of the answer."""


def answer(
    view: View, zone: ZoneInfo | None = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The view as JSON; `zone` is that of its instants."""
    return Response(view.model_dump_json(context=zone), status, headers, "application/json")
