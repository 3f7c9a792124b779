"""The booking worker: settings → resources → consumer."""

import contextlib
from collections.abc import AsyncIterator

from booking_worker.decide.transaction_runner import Decider
from booking_worker.partition import OwnedPartition
from booking_worker.publish.dead_letters import DeadLetters
from booking_worker.publish.events import EventPublisher
from booking_worker.publish.wake_ups import WakeUps
from booking_worker.recovery.catch_up import CatchUp
from booking_worker.recovery.decided_log import DecidedLog
from booking_worker.recovery.gate import AllCaughtUp
from booking_worker.recovery.history import History
from booking_worker.recovery.topic_identity import SameTopic
from booking_worker.store.store import SESSION
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.consumer import Consumer
from infra.kafka.producer import start_producer
from infra.kafka.topic_id import ask_topic_ids
from infra.postgres import open_pool
from infra.redis import connect, decided_channel
from infra.service import Service, run
from infra.settings import Settings
from storage.authentic_events import AuthenticEvents
from storage.zone_data import warn_of_other_zone_data

# A transaction per partition side by side, and some for publishers.
CONNECTIONS_MAX = COMMANDS_TOPIC.partitions + 4
RECOVERY_CONNECTIONS_MAX = 4


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, service: Service | None = None) -> AsyncIterator[None]:
    """Decide commands while inside.

    Raises:
        ClinicError: a dependency is unavailable or misconfigured.
    """
    service = service or Service()
    name = settings.instance or "worker"
    mac = EventMac.load(settings)
    commands, events = topic_name(settings, COMMANDS_TOPIC), topic_name(settings, EVENTS_TOPIC)
    async with contextlib.AsyncExitStack() as exits:
        recovery_pool = await open_pool(
            settings.worker_dsn,
            f"{name} recovery",
            connections_max=RECOVERY_CONNECTIONS_MAX,
            server_settings=SESSION,
            for_service=True,
        )
        exits.push_async_callback(recovery_pool.close)
        await warn_of_other_zone_data(recovery_pool, commands)
        producer = await start_producer(settings, name)
        exits.push_async_callback(producer.stop)
        topic_id = (await ask_topic_ids(producer.client, [commands]))[commands]
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        wake_ups = WakeUps(redis, decided_channel(settings))
        dead_letters = DeadLetters(settings, name, topic_name(settings, DEAD_LETTERS_TOPIC), topic_id)
        exits.push_async_callback(dead_letters.close)
        catch_up = CatchUp(settings, name, recovery_pool, commands, topic_id, AuthenticEvents(mac))
        caught_up = AllCaughtUp(catch_up, recovery_pool, commands)
        pool = await open_pool(
            settings.worker_dsn,
            name,
            connections_max=CONNECTIONS_MAX,
            server_settings=SESSION,
            for_service=True,
            admit=caught_up.admit,
        )
        exits.push_async_callback(pool.close)
        decider = Decider(pool, commands, dead_letters, wake_ups.send)
        exits.push_async_callback(decider.close)
        same_topic = SameTopic(producer.client, commands, topic_id)
        decided_log = DecidedLog(settings, name, recovery_pool)
        await exits.enter_async_context(decided_log.connected())
        history = History(same_topic, caught_up, catch_up, decided_log)

        def own(partition: int) -> OwnedPartition:
            publisher = EventPublisher(producer, events, partition, pool, commands, service.fail, mac)
            owned = OwnedPartition(
                commands,
                topic_id,
                partition,
                publisher=publisher,
                pool=pool,
                decider=decider,
                history=history,
            )
            caught_up.own(owned)
            return owned

        consumer = Consumer(settings, COMMANDS_TOPIC, group="booking-worker", own=own, service=service)
        await exits.enter_async_context(
            service.running(wake_ups.run(), same_topic.keep_checking(), caught_up.run(), consumer.run())
        )
        yield


def main(settings: Settings) -> None:
    """Decide until SIGTERM or SIGINT."""
    run(settings, "worker", running_worker)
