"""Services of both releases in one clinic."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from infra.settings import Settings
from ops.embedded import Child
from tests.clinic import free_port
from tests.releases.release import service_of

OLD, NEW = "old", "new"
Sources = Mapping[str, Path]
"""The folder of each release's sources."""


class Services:
    """The services of both releases in one clinic."""

    def __init__(self, settings: Settings, sources: Sources, directory: Path) -> None:
        self._settings = settings
        self._sources = sources
        self._directory = directory
        self.started: list[Child] = []
        self.http: list[httpx.AsyncClient] = []

    async def start(self, kind: str, release: str) -> Child:
        """Start one; an ingress also gets a client."""
        settings = self._settings
        if kind == "ingress":
            port = free_port()
            settings = settings.model_copy(update={"port": port, "url": f"http://127.0.0.1:{port}"})
            self.http.append(httpx.AsyncClient(base_url=settings.url, timeout=30, trust_env=False))
        child = service_of(self._sources[release], kind, self._directory, settings, release)
        self.started.append(child)
        await child.start()
        return child

    async def share_partitions(self) -> bool:
        """Whether both workers have been assigned partitions."""
        workers = [child for child in self.started if child.name.startswith("worker")]
        return all("partitions assigned" in child.log_path.read_text() for child in workers)

    async def stop(self) -> None:
        """Stop all that run."""
        await asyncio.gather(*(http.aclose() for http in self.http))
        await asyncio.gather(*(child.stop() for child in self.started if child.running))


@contextlib.asynccontextmanager
async def running(settings: Settings, sources: Sources, folder: Path) -> AsyncIterator[Services]:
    """Services that are started one by one, and stopped at the end."""
    services = Services(settings, sources, folder / "data")
    try:
        yield services
    finally:
        await services.stop()
