"""Liveness and readiness."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from redis.asyncio import Redis

from ingress.http.problems import Code
from ingress.openapi.responses import problems
from ingress.resources import resources

CHECK_TIMEOUT_S = 2.0

router = APIRouter(tags=["operation"])


class Live(BaseModel):
    """The process serves requests; `reason` says why it should be restarted, if it should."""

    status: Literal["live", "not_live"]
    reason: str | None = None


class Ready(BaseModel):
    """Availability of the dependencies of the ingress."""

    status: Literal["ready", "not_ready"]
    parts: dict[Literal["postgres", "kafka", "redis"], Literal["up", "down"]]


@router.get(
    "/health/live",
    response_model=Live,
    summary="Liveness",
    responses={
        503: {"model": Live, "description": "A part of this process has failed: restart it."},
        **problems(Code.INTERNAL_ERROR),
    },
)
async def live(request: Request) -> Response:
    """200 while the process answers and all its background jobs run."""
    reason = resources(request).service.not_live()
    body = {"status": "live"} if reason is None else {"status": "not_live", "reason": reason}
    return Response(json.dumps(body), 200 if reason is None else 503, media_type="application/json")


@router.get(
    "/health/ready",
    response_model=Ready,
    summary="Readiness",
    responses={
        503: {"model": Ready, "description": "Postgres or Kafka does not answer."},
        **problems(Code.INTERNAL_ERROR),
    },
)
async def ready(request: Request) -> Response:
    """200 while Postgres and Kafka answer. Without Redis, decisions are polled instead of pushed."""
    app = resources(request)
    postgres, kafka, redis = await asyncio.gather(
        _check(app.pool.fetchval("SELECT 1")), _check(app.log.ping()), _check(_ping_redis(app.redis))
    )
    parts = {"postgres": postgres, "kafka": kafka, "redis": redis}
    is_ready = postgres == "up" and kafka == "up"
    body = json.dumps({"status": "ready" if is_ready else "not_ready", "parts": parts})
    return Response(body, 200 if is_ready else 503, media_type="application/json")


async def _ping_redis(redis: Redis) -> None:
    await redis.ping()


async def _check(ping: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await ping
    except Exception:
        return "down"
    return "up"
