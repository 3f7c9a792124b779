"""Probes: each checks one server or service.

Every probe returns the version, or raises `OSError`, `TimeoutError` or `TransientError`.
"""

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

import asyncpg
import httpx
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.crypto.tls import client_context
from infra.errors import TransientError
from infra.kafka.connection import connect, connection, no_answer
from infra.settings import Settings

CONNECT_TIMEOUT_S = 3.0

Probe = Callable[[], Awaitable[str]]


def clinic_version() -> str:
    """The version of this installation."""
    return version("clinic")


async def kafka(settings: Settings) -> str:
    """A broker answers a metadata request. Returns the number of brokers: the protocol has no version."""
    # aiokafka logs an error for each refused connection: a closed port is checked first.
    host, _, port = settings.kafka_bootstrap.split(",")[0].rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=int(CONNECT_TIMEOUT_S * 1000))
    try:
        await connect(client.bootstrap())
        brokers = client.cluster.brokers()
    except KafkaError as error:
        raise no_answer(error) from error
    finally:
        await client.close()
    if not brokers:
        raise TransientError("Kafka has no broker yet")
    return f"{len(brokers)} broker{'s' if len(brokers) > 1 else ''}"


async def postgres(dsn: str) -> str:
    """The server runs a query."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()
    except asyncpg.PostgresError as error:
        raise TransientError(f"Postgres does not answer: {error}") from error


async def redis(url: str) -> str:
    """The server answers PING."""
    client = Redis.from_url(url, socket_timeout=CONNECT_TIMEOUT_S, socket_connect_timeout=CONNECT_TIMEOUT_S)
    try:
        await client.ping()
        info = await client.info("server")
        return str(info.get("valkey_version") or info["redis_version"])
    except RedisError as error:
        raise TransientError("Redis does not answer") from error
    finally:
        await client.aclose()


async def mail(host: str, smtp_port: int, http_port: int, ca_file: Path | None = None) -> str:
    """The sinks for mails and text messages listen, and the mail sink sends its greeting.

    `ca_file`: by TLS, which these authorities prove.
    """
    tls = _trusted(ca_file) if ca_file else None
    reader, writer = await asyncio.open_connection(host, smtp_port, ssl=tls)
    try:
        greeting = await asyncio.wait_for(reader.readline(), CONNECT_TIMEOUT_S)
    finally:
        writer.close()
    if not greeting.startswith(b"220"):
        raise TransientError(f"The mail sink greets with {greeting[:80]!r}")
    _, writer = await asyncio.open_connection(host, http_port)
    writer.close()
    return version("aiosmtpd")


async def listening(*ports: int) -> str:
    """Somebody listens on these ports of this machine."""
    for port in ports:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    return clinic_version()


async def ingress(url: str, ca_file: Path | None = None) -> str:
    """`GET /health/ready` answers 200. `ca_file` holds the authorities; the system's by default."""
    return await _healthy(f"{url}/health/ready", ca_file)


async def not_ready(url: str, ca_file: Path | None = None) -> str | None:
    """The reason why a consumer cannot do its work, by its `/health/ready`; None if it can."""
    answer = await _get(f"{url}/health/ready", ca_file)
    return None if answer.status_code == httpx.codes.OK else str(answer.json().get("reason", answer.text))


async def consumer(url: str, ca_file: Path | None = None) -> str:
    """`GET /health/live` answers 200, at the `CLINIC_METRICS_URL_…` of a consumer."""
    return await _healthy(f"{url}/health/live", ca_file)


async def _get(url: str, ca_file: Path | None) -> httpx.Response:
    trusted = _trusted(ca_file)
    try:
        async with httpx.AsyncClient(timeout=CONNECT_TIMEOUT_S, trust_env=False, verify=trusted) as client:
            return await client.get(url)
    except httpx.HTTPError as error:
        raise TransientError(f"{url} does not answer") from error


async def _healthy(url: str, ca_file: Path | None) -> str:
    answer = await _get(url, ca_file)
    if answer.status_code != httpx.codes.OK:
        raise TransientError(f"{url}: {answer.status_code} {answer.text[:200]}")
    return clinic_version()


@functools.cache
def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    # Cached: it takes longer than a probe, and a starting service is probed many times a second.
    return client_context(ca_file)
