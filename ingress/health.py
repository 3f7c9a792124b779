"""Liveness and readiness."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ingress.openapi import problems
from ingress.problems import Code
from ingress.resources import Resources, resources

CHECK_TIMEOUT_S = 2.0

router = APIRouter(tags=["operation"])


class Live(BaseModel):
    """The process serves requests."""

    status: Literal["live"]


class Ready(BaseModel):
    """Whether the parts that the ingress needs answer."""

    status: Literal["ready", "not_ready"]
    parts: dict[Literal["postgres", "kafka", "redis"], Literal["up", "down"]]


@router.get(
    "/health/live",
    response_model=Live,
    summary="The process serves requests",
    responses=problems(Code.INTERNAL_ERROR),
)
async def live() -> Response:
    """Answering is the progress of an ingress."""
    return Response('{"status": "live"}', media_type="application/json")


@router.get(
    "/health/ready",
    response_model=Ready,
    summary="The parts that the ingress needs",
    responses={
        503: {"model": Ready, "description": "Postgres or Kafka does not answer."},
        **problems(Code.INTERNAL_ERROR),
    },
)
async def ready(request: Request) -> Response:
    """200 while Postgres and Kafka answer. Redis may be away: the ingress only waits less cleverly then."""
    here = resources(request)
    postgres, kafka, redis = await asyncio.gather(
        _check(here.pool.fetchval("SELECT 1")), _check(here.log.ping()), _check(_ping_redis(here))
    )
    parts = {"postgres": postgres, "kafka": kafka, "redis": redis}
    well = postgres == "up" and kafka == "up"
    body = json.dumps({"status": "ready" if well else "not_ready", "parts": parts})
    return Response(body, 200 if well else 503, media_type="application/json")


async def _ping_redis(here: Resources) -> None:
    await here.redis.ping()


async def _check(question: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await question
    except Exception:
        return "down"
    return "up"
