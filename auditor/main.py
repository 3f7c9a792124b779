"""The auditor: settings → resources → consumers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import structlog

from auditor.chain.ends import EndError
from auditor.chain.heads import sign_new_heads
from auditor.chain.signing import Signer
from auditor.entries import security
from auditor.entries.booking import Entry, booking_entry
from auditor.entries.skipped import skipped_entry
from auditor.months import Months
from auditor.retention import RetentionError, retain
from auditor.trail import Trail
from auditor.witness import Witness
from contracts.audit import Chain
from contracts.cloudevents import Event, UnknownEvent, decode_event, decode_security_event
from contracts.envelope import sequence_of
from contracts.security import SecurityEvent, UnknownSecurityEvent
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, SECURITY_EVENTS_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.event_consumer import EventConsumer, ReceivedMessage
from infra.kafka.skipping import SkippedRecord
from infra.kafka.tracing import TracedRecord, traced_event
from infra.postgres import CONFLICTS, is_outage, is_systems_fault, open_pool
from infra.priority import give_way
from infra.service import Service, run
from infra.settings import Settings
from storage.authentic_events import AuthenticEvents

GROUP = "auditor"
SECURITY_GROUP = "auditor-security"
SCHEMA = "audit"
# One transaction for each partition, one that creates months, and three for the periodic jobs.
CONNECTIONS_MAX = EVENTS_TOPIC.partitions + SECURITY_EVENTS_TOPIC.partitions + 4
# A process that freezes inside a transaction must not block the next owner of the partition.
SESSION = {"idle_in_transaction_session_timeout": "5s"}
# The events of this long share one transaction and one signature.
BATCH_MS = 1_000
DAILY_S = 24 * 60 * 60.0
RETRY_INTERVAL_S = 5.0

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running_auditor(settings: Settings, service: Service | None = None) -> AsyncIterator[None]:
    """Write the trail while inside.

    Raises:
        ClinicError: a dependency is unavailable or misconfigured.
    """
    service = service or Service()
    name = settings.instance or GROUP
    signer = Signer.load(settings.audit_key_file)
    pool = await open_pool(
        settings.auditor_dsn,
        name,
        connections_max=CONNECTIONS_MAX,
        server_settings=SESSION,
        for_service=True,
    )
    async with pool:
        months = Months(pool)

        async def daily() -> None:
            await months.ensure_ahead(clock.now())
            await retain(pool, signer, settings.audit_retention_years)

        async def sign() -> None:
            await sign_new_heads(pool, signer, signer.public())

        witness = []
        if settings.audit_witness_url is not None:
            witness = [_repeating(Witness(settings, pool).send, settings.audit_witness_interval_s)]
        async with service.running(
            _booking(settings, service, pool, months, signer).run(),
            _security(settings, service, pool, months, signer).run(),
            _repeating(sign, settings.audit_head_interval_s),
            _repeating(daily, DAILY_S),
            *witness,
        ):
            yield


def _booking(
    settings: Settings, service: Service, pool: asyncpg.Pool, months: Months, signer: Signer
) -> EventConsumer[Event | UnknownEvent | SkippedRecord]:
    commands = topic_name(settings, COMMANDS_TOPIC)

    def entry_of(received: ReceivedMessage[Event | UnknownEvent | SkippedRecord]) -> Entry:
        if isinstance(received.message, SkippedRecord):
            return skipped_entry(received.message, received, GROUP)
        return booking_entry(received.message, received.record, commands)

    head_entries = settings.audit_head_entries
    trail = Trail(Chain.BOOKING, entry_of, months=months, signer=signer, head_entries=head_entries)
    return EventConsumer(
        settings,
        EVENTS_TOPIC,
        pool,
        group=GROUP,
        schema=SCHEMA,
        decode=decode_event,
        apply=trail.append,
        service=service,
        sequence_of=sequence_of,
        authentic=AuthenticEvents(EventMac.load(settings)),
        keeps_skipped=True,
        traced=_traced,
        batch_ms=BATCH_MS,
    )


def _traced(received: ReceivedMessage[Event | UnknownEvent | SkippedRecord]) -> TracedRecord | None:
    event = received.message
    return None if isinstance(event, SkippedRecord) else traced_event(event, received.record)


def _security(
    settings: Settings, service: Service, pool: asyncpg.Pool, months: Months, signer: Signer
) -> EventConsumer[SecurityEvent | UnknownSecurityEvent | SkippedRecord]:
    def entry_of(received: ReceivedMessage[SecurityEvent | UnknownSecurityEvent | SkippedRecord]) -> Entry:
        if isinstance(received.message, SkippedRecord):
            return skipped_entry(received.message, received, SECURITY_GROUP)
        return security.security_entry(received.message, received.record)

    head_entries = settings.audit_head_entries
    trail = Trail(Chain.SECURITY, entry_of, months=months, signer=signer, head_entries=head_entries)
    return EventConsumer(
        settings,
        SECURITY_EVENTS_TOPIC,
        pool,
        group=SECURITY_GROUP,
        schema=SCHEMA,
        decode=decode_security_event,
        apply=trail.append,
        service=service,
        keeps_skipped=True,
        batch_ms=BATCH_MS,
    )


async def _repeating(job: Callable[[], Awaitable[None]], interval_s: float) -> None:
    """Do the job at every interval until cancelled. Outages and system faults are retried; any other error is
    raised and ends the auditor."""
    while True:
        try:
            await job()
        except (RetentionError, EndError) as error:
            _log.critical("the trail does not verify: run `clinic audit verify`", error=str(error))
        except Exception as error:
            if isinstance(error, CONFLICTS) or is_outage(error):
                _log.warning("a job failed, retrying", error=repr(error))
            elif is_systems_fault(error):
                # A revoked grant, a migration in progress, a month too recent by the database's clock.
                _log.error("Postgres refuses a job, retrying", error=repr(error))
            else:
                raise
            await asyncio.sleep(min(RETRY_INTERVAL_S, interval_s))
            continue
        await asyncio.sleep(interval_s)


def main(settings: Settings) -> None:
    """Write the trail until SIGTERM or SIGINT."""
    give_way()
    run(settings, GROUP, running_auditor)
