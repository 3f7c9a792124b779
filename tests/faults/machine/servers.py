"""Kafka, Postgres and Valkey that can be killed, each behind one proxy per service.

A Kafka client connects to the address that the broker advertises. So the broker has a listener per service
and advertises the port of that service's proxy on it.
"""

import contextlib
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from pydantic import SecretStr

from infra.settings import Settings
from ops.embedded import Child, EmbeddedStack
from ops.embedded.folder import PORT_RANGE, port_is_free
from tests.faults.machine.disk import SmallDisk, UnavailableError
from tests.faults.machine.proxy import HOST, Proxy

SERVERS = ("kafka", "postgres", "valkey")
PORT_TRIES_MAX = 1_000
# Keeps the write-ahead log small enough for a small disk.
SMALL_WAL = ("--max_wal_size=96MB", "--min_wal_size=32MB")


class Servers:
    """An embedded stack for the named services. `small_disk` puts Postgres on one that can be filled.

    Attributes:
        disk: the small disk; None where none was wanted, or where this machine does not allow it.
        no_disk_because: why not.
    """

    def __init__(self, directory: Path, services: Iterable[str], *, small_disk: bool = False) -> None:
        self._stack = EmbeddedStack(directory)
        self._proxies = {service: {server: Proxy() for server in SERVERS} for service in services}
        self._exits = contextlib.AsyncExitStack()
        self.disk = SmallDisk(directory / "postgres") if small_disk else None
        self.no_disk_because = "none was wanted"

    async def __aenter__(self) -> "Servers":
        try:
            await self._exits.enter_async_context(self._stack)
            for proxy in self.proxies():
                await proxy.start()
                self._exits.push_async_callback(proxy.close)
            await self._kafka_behind_proxies()
            if self.disk is not None:
                self._exits.push_async_callback(self._without_disk, self.disk)
                await self._postgres_on(self.disk)
        except BaseException:
            await self._exits.aclose()
            raise
        for server, port in self._ports().items():
            if server != "kafka":
                for proxy in self.proxies(server=server):
                    proxy.forward_to(port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    @property
    def settings(self) -> Settings:
        """The servers' own addresses, bypassing the proxies."""
        return self._stack.settings

    def __getitem__(self, server: str) -> Child:
        """The server's process."""
        return self._stack.processes[server]

    def proxies(self, service: str | None = None, server: str | None = None) -> list[Proxy]:
        """The proxies of the service, to the server or to all servers."""
        return [
            proxy
            for of, by_server in self._proxies.items()
            for to, proxy in by_server.items()
            if service in (None, of) and server in (None, to)
        ]

    def behind_proxies(self, settings: Settings, service: str) -> Settings:
        """The settings with the addresses of the service's proxies."""
        ports = self._ports()
        [kafka, postgres, valkey] = [self._proxies[service][server].port for server in SERVERS]
        addresses: dict[str, str | SecretStr] = {"kafka_bootstrap": f"{HOST}:{kafka}"}
        for name, value in settings:
            if isinstance(value, SecretStr) and name.startswith("postgres_dsn"):
                addresses[name] = _at_port(value, ports["postgres"], postgres)
        addresses["redis_url"] = _at_port(settings.redis_url, ports["valkey"], valkey)
        # Few patients send very much.
        return settings.model_copy(update={**addresses, "patient_commands_per_day": 1_000_000})

    def _ports(self) -> dict[str, int]:
        texts = {
            "kafka": self.settings.kafka_bootstrap,
            "postgres": self.settings.postgres_dsn.get_secret_value().rpartition("/")[0],
            "valkey": self.settings.redis_url.get_secret_value().rpartition("/")[0],
        }
        return {server: int(text.rpartition(":")[2]) for server, text in texts.items()}

    async def _kafka_behind_proxies(self) -> None:
        kafka = self["kafka"]
        await kafka.stop()
        additions: dict[str, list[str]] = {
            name: [] for name in ("listeners", "advertised.listeners", "listener.security.protocol.map")
        }
        taken: set[int] = set()
        for number, by_server in enumerate(self._proxies.values(), 1):
            port = free_port(taken)
            by_server["kafka"].forward_to(port)
            additions["listeners"].append(f"SERVICE{number}://{HOST}:{port}")
            additions["advertised.listeners"].append(f"SERVICE{number}://{HOST}:{by_server['kafka'].port}")
            additions["listener.security.protocol.map"].append(f"SERVICE{number}:PLAINTEXT")
        _add_values(Path(kafka.argv[-1]), additions)
        await kafka.start()

    async def _postgres_on(self, disk: SmallDisk) -> None:
        postgres = self["postgres"]
        await postgres.stop()
        try:
            disk.mount()
            postgres.argv += SMALL_WAL
        except UnavailableError as error:
            self.disk, self.no_disk_because = None, str(error)
        await postgres.start()

    async def _without_disk(self, disk: SmallDisk) -> None:
        await self["postgres"].stop()
        disk.unmount()


def _add_values(properties: Path, additions: Mapping[str, list[str]]) -> None:
    lines = properties.read_text().splitlines()
    with_more = [",".join([line, *additions.get(line.partition("=")[0], [])]) for line in lines]
    properties.write_text("".join(f"{line}\n" for line in with_more))


def _at_port(address: SecretStr, port: int, other: int) -> SecretStr:
    text = address.get_secret_value()
    assert f":{port}/" in text, "the port stands in the address"
    return SecretStr(text.replace(f":{port}/", f":{other}/"))


def free_port(taken: set[int]) -> int:
    """A port without a listener, outside the range of outgoing connections; it is added to `taken`."""
    for _ in range(PORT_TRIES_MAX):
        port = random.SystemRandom().choice(PORT_RANGE)
        if port not in taken and port_is_free(port):
            taken.add(port)
            return port
    raise AssertionError("no port is free")
