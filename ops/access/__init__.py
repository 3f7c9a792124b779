"""`clinic access`: what each service may do on servers that it shares with the others.

Rights on tables come with the schema (`migrations/`), users of Valkey with a file (`ops.access.valkey`).
"""

import asyncio
from urllib.parse import unquote, urlsplit

from infra.crypto.credentials import SECRETS
from infra.settings import Settings
from ops.access.kafka import grant_topics
from ops.connections import database

SERVICES = tuple(service for service in SECRETS if service != "operator")
OPERATOR = "operator"


def grant(settings: Settings) -> list[str]:
    """Give each service its password of Postgres, as in its address, and its rights on Kafka. Idempotent.

    Returns a line for each service. A service whose `CLINIC_POSTGRES_DSN_…` is not set keeps its password.

    Raises:
        ClinicError: a server does not answer, or refuses.
    """
    return asyncio.run(_grant(settings))


async def _grant(settings: Settings) -> list[str]:
    with_password = await _set_passwords(settings)
    counts = await grant_topics(settings, SERVICES)
    return [
        f"{service}: {'password set' if service in with_password else 'password kept'}, "
        f"{counts[service]} rights on Kafka"
        for service in SERVICES
    ]


async def _set_passwords(settings: Settings) -> set[str]:
    done = set()
    async with (
        database(settings.postgres_dsn.get_secret_value(), "clinic-access", connections_max=1) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        for service in SERVICES:
            dsn = getattr(settings, f"postgres_dsn_{service}")
            address = urlsplit(dsn.get_secret_value() if dsn else "")
            if address.username and address.password:
                # The statement takes no parameters.
                statement = await connection.fetchval(
                    "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)",
                    unquote(address.username),
                    unquote(address.password),
                )
                await connection.execute(statement)
                done.add(service)
    return done
