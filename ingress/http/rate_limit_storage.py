"""Where counts of rate limits are kept that all ingresses share."""

from limits.aio.storage import RedisStorage
from redis.asyncio import Redis

from infra.settings import Settings


def rate_limit_storage(settings: Settings, redis: Redis, counted: str) -> RedisStorage:
    """Counts in Redis, over the connections of `redis`, under keys of this clinic for what is counted."""
    return RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=f"{settings.namespace}{counted}",
        connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # as its documentation says
    )
