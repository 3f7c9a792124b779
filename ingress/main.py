"""The ingress: settings → resources → application."""

import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI

from contracts.topics import COMMANDS, SECURITY_EVENTS
from infra.background import running
from infra.garbage import collect_rarely
from infra.kafka import start_producer, topic_name
from infra.keys import Keys
from infra.postgres import open_pool
from infra.redis import connect, decided_channel
from infra.settings import Settings
from infra.telemetry import configure_logging
from infra.tokens import TokenChecker, load_signing_key
from ingress.app import create_app
from ingress.availability_cache import AvailabilityCache
from ingress.backlog import Backlog
from ingress.decisions import Decisions
from ingress.event_feed import EventFeed
from ingress.log import CommandLog
from ingress.patients import Patients
from ingress.refused_access import RefusedAccess
from ingress.resources import Resources
from ingress.security import SecurityLog

CONNECTIONS_MAX = 10
STOP_TIMEOUT_S = 4
# As uvicorn ends by itself where the application cannot start.
STARTUP_FAILURE = 3
# Statements are planned when the tables may still be empty, and kept: never to read them whole.
SESSION = {"enable_seqscan": "off"}


@contextlib.asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Connect to everything; disconnect at the end.

    Raises:
        ClinicError: a part is away or misconfigured.
    """
    keys = Keys.load(settings.master_key_file)
    tokens = TokenChecker(load_signing_key(settings.signing_key_file).public_key())
    name = settings.instance or "ingress"
    async with contextlib.AsyncExitStack() as exits:
        pool = await open_pool(
            settings.ingress_dsn, name, connections_max=CONNECTIONS_MAX, server_settings=SESSION
        )
        exits.push_async_callback(pool.close)
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        producer = await start_producer(settings, name)
        exits.push_async_callback(producer.stop)
        ack_timeout_ms = settings.kafka_ack_timeout_ms
        security = SecurityLog(producer, topic_name(settings, SECURITY_EVENTS), ack_timeout_ms)
        exits.push_async_callback(security.drain)
        feed = EventFeed(pool)
        commands = topic_name(settings, COMMANDS)
        backlog = Backlog(pool, commands, settings.busy_after_s)
        decisions = Decisions(pool, redis, decided_channel(settings), feed.poke)
        await exits.enter_async_context(
            running(decisions.listen(), decisions.look_up(), feed.run(), backlog.watch(), security.run())
        )
        yield Resources(
            settings=settings,
            keys=keys,
            tokens=tokens,
            pool=pool,
            redis=redis,
            log=CommandLog(producer, commands, ack_timeout_ms, backlog),
            security=security,
            refused_access=RefusedAccess(security),
            decisions=decisions,
            patients=Patients(pool, keys, settings.language),
            availability=AvailabilityCache(pool),
            feed=feed,
        )


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, settings.instance or "ingress")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_resources(settings) as resources:
            app.state.resources = resources
            collect_rarely()
            yield

    app = create_app(lifespan)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    server = _Server(config, app)
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """Answers those who wait for a decision before it stops, rather than cancel them."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.resources.decisions.stop_waiting()
        await super().shutdown(sockets)
