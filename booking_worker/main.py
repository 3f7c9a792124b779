"""The booking worker: settings → resources → consumer."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import structlog
import uvloop
from faststream.kafka import KafkaBroker

from booking_worker.all_caught_up import AllCaughtUp
from booking_worker.catch_up import CatchUp
from booking_worker.consumer import CommandConsumer
from booking_worker.dead_letters import DeadLetters
from booking_worker.decider import Decider
from booking_worker.partition import OwnedPartition
from booking_worker.publisher import EventPublisher
from booking_worker.same_topic import SameTopic
from booking_worker.sql import SESSION
from booking_worker.wake_up import WakeUps
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS
from infra.background import running
from infra.garbage import collect_rarely
from infra.kafka import faststream_connection, start_producer, topic_ids, topic_name
from infra.metrics import serve_metrics
from infra.postgres import open_pool
from infra.redis import connect, decided_channel
from infra.settings import Settings
from infra.telemetry import configure_logging

# A transaction per partition side by side, and some for publishers.
CONNECTIONS_MAX = COMMANDS.partitions + 4
STOP_TIMEOUT_S = 3.0

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[None]:
    """Decide commands while inside.

    Raises:
        ClinicError: a part is away or misconfigured.
    """
    name = settings.instance or "worker"
    commands, events = topic_name(settings, COMMANDS), topic_name(settings, EVENTS)
    async with contextlib.AsyncExitStack() as exits:
        ids = await topic_ids(settings, [commands])
        pool = await open_pool(
            settings.worker_dsn, name, connections_max=CONNECTIONS_MAX, server_settings=SESSION
        )
        exits.push_async_callback(pool.close)
        producer = await start_producer(settings, name)
        exits.push_async_callback(producer.stop)
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        wake_ups = WakeUps(redis, decided_channel(settings))
        dead_letters = DeadLetters(settings, name, topic_name(settings, DEAD_LETTERS), ids[commands])
        exits.push_async_callback(dead_letters.close)
        decider = Decider(pool, commands, dead_letters, wake_ups.send)

        same_topic = SameTopic(settings, commands, ids[commands], _give_up)
        caught_up = AllCaughtUp(CatchUp(settings, name, pool, commands, ids[commands]))

        def take(partition: int) -> OwnedPartition:
            publisher = EventPublisher(producer, events, partition, pool, commands, _give_up)
            return OwnedPartition(commands, ids[commands], partition, publisher)

        broker = KafkaBroker(
            **faststream_connection(settings),
            client_id=name,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=STOP_TIMEOUT_S,
            logger=None,
        )
        consumer = CommandConsumer(
            broker=broker,
            topic=commands,
            group_id=f"{settings.namespace}booking-worker",
            instance=settings.instance,
            session_timeout_ms=settings.session_timeout_ms,
            pool=pool,
            decider=decider,
            take=take,
            give_up=_give_up,
            same_topic=same_topic,
            caught_up=caught_up,
        )
        await exits.enter_async_context(
            running(
                wake_ups.run(),
                consumer.keep_committing(),
                same_topic.keep_checking(),
                caught_up.run(),
            )
        )
        exits.push_async_callback(consumer.release)
        await broker.start()
        exits.push_async_callback(broker.stop)
        yield


def _give_up(error: Exception) -> None:
    # A new process begins at the position; and an idempotent producer that lost count needs a new id.
    _log.critical("restarting", exc_info=error)
    signal.raise_signal(signal.SIGTERM)


def main(settings: Settings) -> None:
    """Decide until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, settings.instance or "worker")
    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    async with running_worker(settings):
        serve_metrics(settings)
        collect_rarely()
        _log.info("deciding")
        await stop.wait()
