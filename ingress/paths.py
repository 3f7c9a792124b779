"""Ids in paths: what is not even an id names nothing, so it is 404, not 422."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BeforeValidator

from ingress.problems import not_found


def _id(value: Any) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise not_found() from None


PathId = Annotated[UUID, Path(), BeforeValidator(_id)]
