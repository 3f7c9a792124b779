"""Redis: whatever it holds may vanish, and nothing waits for it long."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.settings import Settings

TIMEOUT_S = 1.0
# Redis is away. uvloop says RuntimeError where a connection was closed behind the client's back.
REDIS_OUTAGES = (RedisError, OSError, RuntimeError)


def connect(settings: Settings) -> "Redis":
    """A client; connections are opened when they are needed."""
    return Redis.from_url(
        settings.redis_url.get_secret_value(), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )


def decided_channel(settings: Settings) -> str:
    """Where workers say what they have decided, after the commit."""
    return f"{settings.namespace}booking.decided"
