"""The notifier: settings → resources → planners and senders."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import get_args
from zoneinfo import ZoneInfoNotFoundError

import asyncpg
import structlog
import uvloop

from contracts.challenges import LoginChallenge
from contracts.envelope import Event
from contracts.topics import EVENTS, LOGIN_CHALLENGES
from infra.background import running
from infra.errors import MisconfiguredError
from infra.event_consumer import EventConsumer
from infra.garbage import collect_rarely
from infra.keys import Keys
from infra.metrics import serve_metrics
from infra.postgres import open_pool
from infra.redis import connect
from infra.settings import Settings
from infra.telemetry import configure_logging
from notifier.channels import Channel
from notifier.codes import Codes
from notifier.content import Clinic
from notifier.letters import Letters
from notifier.line import Line
from notifier.outbox import Lane, Outbox
from notifier.pace import Pace
from notifier.planner import Planner, decode, decode_code, sequence_of, terms
from notifier.sender import Claimer, stop
from notifier.sms import SmsChannel
from notifier.smtp import SmtpChannel
from notifier.waking import listen

GROUP = "notifier"
SCHEMA = "notify"
SMS_WORKERS = 4
# A transaction per partition side by side; the senders' claims (two lanes, two channels) and marks; one that
# listens.
CONNECTIONS_MAX = EVENTS.partitions + LOGIN_CHALLENGES.partitions + 8
# Whoever freezes inside its transaction must not keep the next owner of the partition from going on.
SESSION = {"idle_in_transaction_session_timeout": "5s"}

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running_notifier(settings: Settings) -> AsyncIterator[None]:
    """Plan and deliver letters while inside.

    Raises:
        ClinicError: a part is away or misconfigured.
    """
    name = settings.instance or GROUP
    keys = Keys.load(settings.master_key_file)
    lease = timedelta(seconds=settings.notify_lease_s)
    async with contextlib.AsyncExitStack() as exits:
        pool = await open_pool(
            settings.notifier_dsn, name, connections_max=CONNECTIONS_MAX, server_settings=SESSION
        )
        await exits.enter_async_context(pool)
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        outbox = Outbox(pool, lease)
        claimers: list[Claimer] = []

        def wake() -> None:
            for claimer in claimers:
                claimer.wake()

        lines = _lines(settings, keys, outbox, lease, wake)
        letters, codes = Letters(keys), Codes(redis, keys, settings.namespace)
        lanes: tuple[Lane, ...] = get_args(Lane)
        claimers += [
            Claimer(lane, channel, outbox, letters, codes, lines, lease)
            for channel in lines
            for lane in lanes
        ]
        events, challenges = _consumers(settings, pool, Planner(await terms(settings, pool)))
        await exits.enter_async_context(
            running(
                *(line.run() for line in lines.values()),
                *(claimer.run() for claimer in claimers),
                listen(pool, wake),
                events.run(),
                challenges.run(),
            )
        )
        exits.push_async_callback(stop, claimers, list(lines.values()))
        yield


def _consumers(
    settings: Settings, pool: asyncpg.Pool, planner: Planner
) -> tuple[EventConsumer[Event], EventConsumer[LoginChallenge]]:
    events = EventConsumer[Event](
        settings,
        EVENTS,
        pool,
        group=GROUP,
        schema=SCHEMA,
        decode=decode,
        apply=planner.plan,
        sequence_of=sequence_of,
    )
    challenges = EventConsumer[LoginChallenge](
        settings,
        LOGIN_CHALLENGES,
        pool,
        group=f"{GROUP}-codes",
        schema=SCHEMA,
        decode=decode_code,
        apply=planner.plan_codes,
        expiring=True,
    )
    return events, challenges


def _lines(
    settings: Settings, keys: Keys, outbox: Outbox, lease: timedelta, wake: Callable[[], None]
) -> dict[str, Line]:
    clinic = _clinic(settings, keys)
    return {
        channel.name: Line(
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
        return Clinic(settings.name, settings.time_zone, settings.url, settings.mail_sender, keys)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise MisconfiguredError(f"No letter could be written in the clinic's name: {error}.") from None


def _channels(settings: Settings) -> list[tuple[Channel, float, int]]:
    channels: list[tuple[Channel, float, int]] = [
        (SmtpChannel(settings), settings.smtp_rate_per_s, settings.smtp_connections)
    ]
    if settings.sms_url is not None:
        channels.append((SmsChannel(settings), settings.sms_rate_per_s, SMS_WORKERS))
    return channels


def main(settings: Settings) -> None:
    """Plan and deliver until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, settings.instance or GROUP)
    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    stopped = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stopped.set)
    async with running_notifier(settings):
        serve_metrics(settings)
        collect_rarely()
        _log.info("planning and delivering")
        await stopped.wait()
