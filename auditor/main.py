"""The auditor: settings → resources → consumers."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import structlog
import uvloop

from auditor import security
from auditor.ends import EndError
from auditor.entries import Entry, booking_entry
from auditor.events import decode, sequence_of
from auditor.heads import sign_what_is_new
from auditor.months import Months
from auditor.retention import RetentionError, retain
from auditor.signing import Signer
from auditor.trail import Trail
from contracts.audit import Chain
from contracts.envelope import Event
from contracts.security import SecurityEvent
from contracts.topics import COMMANDS, EVENTS, SECURITY_EVENTS
from infra import clock
from infra.background import running
from infra.event_consumer import EventConsumer, Received
from infra.garbage import collect_rarely
from infra.kafka import topic_name
from infra.metrics import serve_metrics
from infra.postgres import CONFLICTS, OUTAGES, open_pool
from infra.settings import Settings
from infra.telemetry import configure_logging

GROUP = "auditor"
SCHEMA = "audit"
# A transaction per partition side by side, one that makes months, and the jobs by time.
CONNECTIONS_MAX = EVENTS.partitions + SECURITY_EVENTS.partitions + 3
# Whoever freezes inside its transaction must not keep the next owner of the partition from going on.
SESSION = {"idle_in_transaction_session_timeout": "5s"}
DAILY_S = 24 * 60 * 60.0
RETRY_INTERVAL_S = 5.0

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running_auditor(settings: Settings) -> AsyncIterator[None]:
    """Keep the trail while inside.

    Raises:
        ClinicError: a part is away or misconfigured.
    """
    name = settings.instance or GROUP
    signer = Signer.load(settings.audit_key_file)
    pool = await open_pool(
        settings.auditor_dsn, name, connections_max=CONNECTIONS_MAX, server_settings=SESSION
    )
    async with pool:
        if await pool.fetchval("SELECT has_table_privilege('audit.entries', 'UPDATE')"):
            _log.warning("the auditor's database role may change the trail: name CLINIC_POSTGRES_DSN_AUDITOR")
        months = Months(pool)

        async def daily() -> None:
            await months.ensure_ahead(clock.now())
            await retain(pool, signer, settings.audit_retention_years)

        async def sign() -> None:
            await sign_what_is_new(pool, signer, signer.public())

        async with running(
            _booking(settings, pool, months, signer).run(),
            _security(settings, pool, months, signer).run(),
            _repeating(sign, settings.audit_head_interval_s),
            _repeating(daily, DAILY_S),
        ):
            yield


def _booking(settings: Settings, pool: asyncpg.Pool, months: Months, signer: Signer) -> EventConsumer[Event]:
    commands = topic_name(settings, COMMANDS)

    def entry_of(received: Received[Event]) -> Entry:
        return booking_entry(received.message, received.record, commands)

    head_entries = settings.audit_head_entries
    trail = Trail(Chain.BOOKING, entry_of, months=months, signer=signer, head_entries=head_entries)
    return EventConsumer(
        settings,
        EVENTS,
        pool,
        group=GROUP,
        schema=SCHEMA,
        decode=decode,
        apply=trail.keep,
        sequence_of=sequence_of,
    )


def _security(
    settings: Settings, pool: asyncpg.Pool, months: Months, signer: Signer
) -> EventConsumer[SecurityEvent]:
    def entry_of(received: Received[SecurityEvent]) -> Entry:
        return security.security_entry(received.message, received.record)

    head_entries = settings.audit_head_entries
    trail = Trail(Chain.SECURITY, entry_of, months=months, signer=signer, head_entries=head_entries)
    return EventConsumer(
        settings,
        SECURITY_EVENTS,
        pool,
        group=f"{GROUP}-security",
        schema=SCHEMA,
        decode=security.decode,
        apply=trail.keep,
    )


async def _repeating(job: Callable[[], Awaitable[None]], interval_s: float) -> None:
    """Do the job now and then again and again; what is in the way for a while is waited out."""
    while True:
        try:
            await job()
        except (RetentionError, EndError) as error:
            _log.critical("the trail does not fit: run `clinic audit verify`", error=str(error))
        except (*CONFLICTS, *OUTAGES) as error:
            _log.warning("trying again", error=repr(error))
            await asyncio.sleep(min(RETRY_INTERVAL_S, interval_s))
            continue
        await asyncio.sleep(interval_s)


def main(settings: Settings) -> None:
    """Keep the trail until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, settings.instance or GROUP)
    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    async with running_auditor(settings):
        serve_metrics(settings)
        collect_rarely()
        _log.info("keeping the trail")
        await stop.wait()
