"""Connections to Kafka: addresses, TLS and SASL, and connecting a client."""

import asyncio
import re
import ssl
from collections.abc import Coroutine
from typing import Any

from aiokafka.errors import KafkaError
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts.topics import Topic
from infra.errors import TransientError
from infra.kafka import aiokafka_fixes
from infra.settings import Settings

REQUEST_TIMEOUT_MS = 10_000
CUT_OFF_AFTER_S = 1.0
# An address in aiokafka's messages.
_ADDRESS = re.compile(r"\('([^']*)', (\d+), <AddressFamily\.\w+: \d+>\)")

aiokafka_fixes.use()


def topic_name(settings: Settings, topic: Topic) -> str:
    """The topic's name on the servers: the contract's, after the clinic's namespace."""
    return f"{settings.namespace}{topic.name}"


def no_answer(error: KafkaError | OSError) -> TransientError:
    """The error of ours for one of a client's."""
    return TransientError("Kafka does not answer: " + _ADDRESS.sub(r"\1:\2", str(error)))


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments of every aiokafka client: addresses, TLS, SASL."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol in ("SSL", "SASL_SSL"):
        arguments["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return arguments


def faststream_connection(settings: Settings) -> dict[str, Any]:
    """The same for a FastStream broker, which wraps TLS and SASL in its own objects."""
    arguments = connection(settings)
    tls = arguments.get("ssl_context")
    security: BaseSecurity = BaseSecurity(ssl_context=tls)
    if "sasl_mechanism" in arguments:
        kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        security = kinds[arguments["sasl_mechanism"]](
            arguments["sasl_plain_username"] or "", arguments["sasl_plain_password"] or "", ssl_context=tls
        )
    return {"bootstrap_servers": settings.kafka_bootstrap, "security": security}


async def connect(start: Coroutine[Any, Any, None]) -> None:
    """Await the `start()` or `bootstrap()` of an aiokafka client.

    If that is cancelled midway, aiokafka leaks a connection that it has opened. So a cancellation waits for
    its end, at most a second. The caller has to stop the client in any case.
    """
    connecting = asyncio.create_task(start)
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await asyncio.wait([connecting], timeout=CUT_OFF_AFTER_S)
        connecting.cancel()
        raise
