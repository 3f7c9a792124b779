"""The notifier: settings → resources → planners and senders."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import get_args
from zoneinfo import ZoneInfoNotFoundError

import asyncpg

from contracts.challenges import LoginChallenge
from contracts.cloudevents import Event, UnknownEvent, decode_challenge, decode_event
from contracts.envelope import sequence_of
from contracts.topics import EVENTS_TOPIC, LOGIN_CHALLENGES_TOPIC
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.kafka.event_consumer import EventConsumer
from infra.kafka.tracing import traced_event
from infra.keys import Keys
from infra.postgres import open_pool
from infra.priority import give_way
from infra.redis import connect
from infra.service import Service, run
from infra.settings import Settings
from notifier.channels.base import Channel
from notifier.channels.mail import SmtpChannel
from notifier.channels.sms import SmsChannel
from notifier.content import Clinic
from notifier.deliver.builder import Builder
from notifier.deliver.claimer import Claimer, stop
from notifier.deliver.codes import Codes
from notifier.deliver.delivery_queue import DeliveryQueue
from notifier.deliver.outbox import Lane, Outbox
from notifier.deliver.pace import Pace
from notifier.deliver.waking import listen
from notifier.plan.planner import Planner, terms
from storage.authentic_events import AuthenticEvents

GROUP = "notifier"
SCHEMA = "notify"
SMS_WORKERS = 4
# One transaction for each partition, the claims (two lanes, two channels) and updates of the senders, and one
# that listens.
CONNECTIONS_MAX = EVENTS_TOPIC.partitions + LOGIN_CHALLENGES_TOPIC.partitions + 8
# A process that freezes inside a transaction must not block the next owner of the partition.
# Generic plans: planning the claim each time takes longer than running it.
SESSION = {"idle_in_transaction_session_timeout": "5s", "plan_cache_mode": "force_generic_plan"}
# The events of this long are planned together; login codes are planned at once.
EVENTS_BATCH_MS = 500


@contextlib.asynccontextmanager
async def running_notifier(settings: Settings, service: Service | None = None) -> AsyncIterator[None]:
    """Plan and deliver notifications while inside.

    Raises:
        ClinicError: a dependency is unavailable or misconfigured.
    """
    service = service or Service()
    name = settings.instance or GROUP
    keys = Keys.load(settings)
    lease = timedelta(seconds=settings.notify_lease_s)
    async with contextlib.AsyncExitStack() as exits:
        pool = await open_pool(
            settings.notifier_dsn,
            name,
            connections_max=CONNECTIONS_MAX,
            server_settings=SESSION,
            for_service=True,
        )
        await exits.enter_async_context(pool)
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        outbox = Outbox(pool, lease)
        claimers: list[Claimer] = []

        def wake() -> None:
            for claimer in claimers:
                claimer.wake()

        queues = _queues(settings, keys, outbox, lease, wake)
        builder, codes = Builder(keys), Codes(redis, keys, settings.namespace)
        lanes: tuple[Lane, ...] = get_args(Lane)
        claimers += [
            Claimer(lane, channel, outbox, builder, codes, queues, lease)
            for channel in queues
            for lane in lanes
        ]
        events, challenges = _consumers(settings, service, pool, Planner(await terms(settings, pool), keys))
        await exits.enter_async_context(
            service.running(
                *(queue.run() for queue in queues.values()),
                *(claimer.run() for claimer in claimers),
                listen(pool, wake),
                events.run(),
                challenges.run(),
            )
        )
        try:
            yield
        finally:
            service.stopping = True
            await stop(claimers, list(queues.values()))


def _consumers(
    settings: Settings, service: Service, pool: asyncpg.Pool, planner: Planner
) -> tuple[EventConsumer[Event | UnknownEvent], EventConsumer[LoginChallenge]]:
    events = EventConsumer[Event | UnknownEvent](
        settings,
        EVENTS_TOPIC,
        pool,
        group=GROUP,
        schema=SCHEMA,
        decode=decode_event,
        apply=planner.plan,
        service=service,
        sequence_of=sequence_of,
        authentic=AuthenticEvents(EventMac.load(settings)),
        traced=lambda received: traced_event(received.message, received.record),
        batch_ms=EVENTS_BATCH_MS,
    )
    challenges = EventConsumer[LoginChallenge](
        settings,
        LOGIN_CHALLENGES_TOPIC,
        pool,
        group=f"{GROUP}-codes",
        schema=SCHEMA,
        decode=decode_challenge,
        apply=planner.plan_codes,
        service=service,
        expiring=True,
    )
    return events, challenges


def _queues(
    settings: Settings, keys: Keys, outbox: Outbox, lease: timedelta, wake: Callable[[], None]
) -> dict[str, DeliveryQueue]:
    clinic = _clinic(settings, keys)
    return {
        channel.name: DeliveryQueue(
            channel,
            Pace(channel.name, rate_per_s),
            clinic,
            outbox,
            workers=workers,
            lease=lease,
            wake=wake,
        )
        for channel, rate_per_s, workers in _channels(settings)
    }


def _clinic(settings: Settings, keys: Keys) -> Clinic:
    try:
        return Clinic(
            settings.name,
            settings.time_zone,
            settings.url,
            settings.mail_sender,
            keys,
            settings.page_languages,
        )
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise MisconfiguredError(
            f"Notifications cannot be written with the clinic's settings: {error}."
        ) from None


def _channels(settings: Settings) -> list[tuple[Channel, float, int]]:
    channels: list[tuple[Channel, float, int]] = [
        (SmtpChannel(settings), settings.smtp_rate_per_s, settings.smtp_connections)
    ]
    if settings.sms_url is not None:
        channels.append((SmsChannel(settings), settings.sms_rate_per_s, SMS_WORKERS))
    return channels


def main(settings: Settings) -> None:
    """Plan and deliver until SIGTERM or SIGINT."""
    give_way()
    run(settings, GROUP, running_notifier)
