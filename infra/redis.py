"""Redis: its data may be lost at any time, and no request waits long for it."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.settings import Settings

TIMEOUT_S = 1.0
# Redis is unavailable. uvloop raises RuntimeError if a connection was closed by the server.
REDIS_OUTAGES = (RedisError, OSError, RuntimeError)


def connect(settings: Settings) -> "Redis":
    """A client; connections are opened when they are needed."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )


def decided_channel(settings: Settings) -> str:
    """The channel on which workers announce decisions, after the commit."""
    return f"{settings.namespace}booking.decided"
