"""The ingress: settings → resources → application."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from contracts.topics import COMMANDS_TOPIC, SECURITY_EVENTS_TOPIC
from infra.crypto.tls import serving_context
from infra.errors import JobEndedError, MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.keys import Keys
from infra.postgres import open_pool
from infra.redis import connect, decided_channel
from infra.service import Service, allow_open_files, run
from infra.settings import Settings
from infra.signing_keys import SigningKeys
from infra.tokens import TokenChecker
from ingress.app import create_app
from ingress.audit.refused_access import RefusedAccess
from ingress.audit.security_log import SecurityLog
from ingress.availability.cache import AvailabilityCache
from ingress.commands.backpressure import Backlog
from ingress.commands.command_log import CommandLog
from ingress.commands.daily_cap import DailyCap
from ingress.commands.decisions import Decisions
from ingress.commands.known_positions import KnownPositions
from ingress.event_stream.feed import EventFeed
from ingress.event_stream.places import StreamPlaces
from ingress.http.protocol import protocol
from ingress.login.challenges import Challenges
from ingress.login.limits import LoginLimits
from ingress.login.passkeys.challenges import PasskeyChallenges
from ingress.login.passkeys.relying_party import RelyingParty
from ingress.login.revoked import Revoked
from ingress.pages.clinic import clinic_view
from ingress.pages.files import Pages
from ingress.patients.forgetting import Forgetting
from ingress.patients.indexing import index_patients
from ingress.patients.retention import Retention
from ingress.request_limits.budgets import RequestLimits
from ingress.request_limits.turns import Turns
from ingress.resources import Resources
from storage.login.calendar_links import CalendarLinks
from storage.login.passkeys import Passkeys
from storage.login.sessions import Sessions
from storage.login.staff import StaffLogins
from storage.notes import Notes
from storage.patient_finder import PatientFinder
from storage.patients import Patients
from storage.zone_data import warn_of_other_zone_data

CONNECTIONS_MAX = 10
# Decisions, events and positions are read on, whatever requests wait for.
JOBS_CONNECTIONS_MAX = 4
ACQUIRE_TIMEOUT_S = 5.0
OTHER_FILES = 100
STOP_TIMEOUT_S = 4
# Plans are made while tables may still be empty, and kept: none may scan a table from end to end.
# A table that somebody has locked costs each request a second, not the whole pool until it is free.
# Those that read much: figures of many appointments leave connections for everybody else.
FIGURES_AT_ONCE = 2
SESSION = {"enable_seqscan": "off", "lock_timeout": "1000"}


@contextlib.asynccontextmanager
async def open_resources(settings: Settings, service: Service) -> AsyncIterator[Resources]:
    """Connect to everything and run the background jobs; disconnect at the end.

    Raises:
        ClinicError: a dependency is unavailable or misconfigured.
    """
    keys = Keys.load(settings)
    signing_keys = SigningKeys.load(settings.signing_key_file)
    name = settings.instance or "ingress"
    async with contextlib.AsyncExitStack() as exits:
        commands = topic_name(settings, COMMANDS_TOPIC)
        known = KnownPositions(commands)
        pool, jobs_pool = [
            await open_pool(
                settings.ingress_dsn,
                name,
                connections_max=connections_max,
                server_settings=SESSION,
                for_service=True,
                admit=known.admit,
                acquire_timeout_s=ACQUIRE_TIMEOUT_S,
            )
            for connections_max in (CONNECTIONS_MAX, JOBS_CONNECTIONS_MAX)
        ]
        for opened in (pool, jobs_pool):
            exits.push_async_callback(opened.close)
        await warn_of_other_zone_data(pool, commands)
        redis = connect(settings)
        exits.push_async_callback(redis.aclose)
        producer = await start_producer(settings, name)
        exits.push_async_callback(producer.stop)
        ack_timeout_ms = settings.kafka_ack_timeout_ms
        security = SecurityLog(
            producer, topic_name(settings, SECURITY_EVENTS_TOPIC), ack_timeout_ms, service.fail
        )
        exits.push_async_callback(security.drain)
        feed = EventFeed(jobs_pool)
        backlog = Backlog(jobs_pool, known, settings.busy_after_s)
        log = CommandLog(producer, commands, ack_timeout_ms, backlog, service.fail)
        forgetting = Forgetting(settings, jobs_pool, keys, log)
        sessions = Sessions(pool)
        patients = Patients(pool, keys, settings.language, smtputf8=settings.smtp_utf8)
        retention = Retention(
            settings, jobs_pool, Patients(jobs_pool, keys, settings.language), security, forgetting
        )
        revoked = Revoked(Sessions(jobs_pool))
        request_limits, turns = RequestLimits(settings, redis), Turns()
        decisions = Decisions(jobs_pool, redis, decided_channel(settings), feed.poke, known)
        await exits.enter_async_context(
            service.running(
                decisions.listen(),
                decisions.look_up(),
                feed.run(),
                backlog.watch(),
                security.run(),
                forgetting.run(),
                retention.run(),
                index_patients(PatientFinder(jobs_pool, keys)),
                revoked.run(),
                request_limits.run(),
                signing_keys.watch(settings.signing_key_file),
            )
        )
        yield Resources(
            settings=settings,
            service=service,
            keys=keys,
            signing_keys=signing_keys,
            tokens=TokenChecker(signing_keys),
            pool=pool,
            redis=redis,
            request_limits=request_limits,
            turns=turns,
            figures=asyncio.Semaphore(FIGURES_AT_ONCE),
            log=log,
            daily_cap=DailyCap(settings, redis),
            security=security,
            refused_access=RefusedAccess(security),
            decisions=decisions,
            sessions=sessions,
            staff_logins=StaffLogins(pool, keys),
            revoked=revoked,
            challenges=Challenges(settings, redis, producer, keys, service),
            login_limits=LoginLimits(settings, redis),
            patients=patients,
            patient_finder=PatientFinder(pool, keys),
            notes=Notes(pool, patients),
            passkeys=Passkeys(pool, keys, patients),
            calendar_links=CalendarLinks(pool, keys),
            passkey_challenges=PasskeyChallenges(settings, redis, keys),
            relying_party=RelyingParty.of(settings),
            availability=AvailabilityCache(pool, settings.availability_cache_bytes, turns),
            feed=feed,
            stream_places=StreamPlaces(settings.streams_per_person_max, settings.streams_max),
            open_stream_places=StreamPlaces(settings.streams_per_network_max, settings.streams_max),
            forgetting=forgetting,
            pages=Pages(clinic_view(settings)),
        )


@contextlib.asynccontextmanager
async def running_ingress(settings: Settings, service: Service | None = None) -> AsyncIterator[Resources]:
    """Serve HTTP while inside. At the end, requests that wait for a decision are answered first.

    Raises:
        ClinicError: a dependency is unavailable or misconfigured.
    """
    service = service or Service()
    # Other files: connections to Postgres, Kafka and Redis, logs.
    files = allow_open_files(settings.http_connections_max + OTHER_FILES)
    connections_max = min(settings.http_connections_max, files - OTHER_FILES)
    async with open_resources(settings, service) as resources:
        app = create_app(production=settings.production)
        app.state.resources = resources
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=protocol(settings.model_copy(update={"http_connections_max": connections_max})),
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
            forwarded_allow_ips=settings.http_proxies,
            ssl_context_factory=(lambda *_: tls) if (tls := serving_context(settings.tls_file)) else None,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve([_bound(config)]))

        def ended(serving: asyncio.Task[None]) -> None:
            if not server.should_exit:
                service.fail(JobEndedError("the HTTP server has ended"))

        serving.add_done_callback(ended)
        try:
            yield resources
        finally:
            resources.decisions.stop_waiting()
            server.should_exit = True
            await serving


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    run(settings, "ingress", running_ingress)


def _bound(config: uvicorn.Config) -> socket.socket:
    try:
        listening = config.bind_socket()
    except SystemExit:
        raise MisconfiguredError(f"Port {config.port} of {config.host} cannot be used.") from None
    # Connections inherit it. uvloop would see to it; under asyncio an answer's body waited 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # infra.service handles them
