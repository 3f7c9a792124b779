"""What the ingress is made of once it runs: opened by `ingress.main`, used by every endpoint."""

from dataclasses import dataclass

import asyncpg
from fastapi import Request
from redis.asyncio import Redis

from infra.keys import Keys
from infra.settings import Settings
from infra.tokens import TokenChecker
from ingress.availability_cache import AvailabilityCache
from ingress.decisions import Decisions
from ingress.event_feed import EventFeed
from ingress.log import CommandLog
from ingress.patients import Patients
from ingress.refused_access import RefusedAccess
from ingress.security import SecurityLog


@dataclass(frozen=True)
class Resources:
    """Everything an endpoint may use."""

    settings: Settings
    keys: Keys
    tokens: TokenChecker
    pool: asyncpg.Pool
    redis: Redis
    log: CommandLog
    security: SecurityLog
    refused_access: RefusedAccess
    decisions: Decisions
    patients: Patients
    availability: AvailabilityCache
    feed: EventFeed


def resources(request: Request) -> Resources:
    """The application's resources."""
    found = request.app.state.resources
    assert isinstance(found, Resources), "ingress.main put them there"
    return found
