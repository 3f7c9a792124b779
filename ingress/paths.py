"""Ids in paths: what is not even an id names nothing, so it is 404, not 422."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from contracts.fields import Id
from ingress.problems import not_found

_ID: TypeAdapter[UUID] = TypeAdapter(Id)


def _id(value: Any) -> UUID:
    try:
        return _ID.validate_python(value)
    except ValidationError:
        raise not_found() from None


PathId = Annotated[UUID, Path(), BeforeValidator(_id)]
