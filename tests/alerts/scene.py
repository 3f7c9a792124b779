"""A clinic whose four services are processes, each with its own metrics, and what surrounds them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.settings import Settings
from ops.embedded import Child, EmbeddedStack
from ops.embedded.supervisor import Supervisor
from tests.alerts.promtool import Samples, samples
from tests.clinic import Clinic, free_port, ingress_process
from tests.clinic import clinic as running_clinic
from tests.notify.channels.smtp_server import SmtpServer
from tests.processes import service
from tests.waiting import until_async

CONSUMERS = ("worker", "auditor", "notifier")
TIMEOUT_S = 90.0


@dataclass
class Scene:
    """The clinic; `smtp` is its mail server, `witness` the folder that the trail's heads are sent to."""

    clinic: Clinic
    stack: EmbeddedStack
    smtp: SmtpServer
    witness: Path
    consumers: dict[str, Child]
    ports: dict[str, int]

    async def scrape(self) -> Samples:
        """What Prometheus reads from all services, and who answers."""
        found: dict[str, float] = {}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            for instance, url in {"ingress": self.clinic.settings.url, **urls}.items():
                up = f'up{{instance="{instance}", job="clinic"}}'
                try:
                    found |= samples((await http.get(f"{url}/metrics")).text, instance)
                    found[up] = 1.0
                except httpx.TransportError:
                    found[up] = 0.0
        return found

    async def until(self, name: str, value: float, **labels: str) -> None:
        """Wait until a service tells at least this value of a metric with these labels."""
        wanted = [f'{label}="{text}"' for label, text in labels.items()]

        async def told() -> bool:
            return any(
                series.startswith(f"{name}{{") and found >= value and all(it in series for it in wanted)
                for series, found in (await self.scrape()).items()
            )

        await until_async(told, f"{name} {labels} is {value:g}", TIMEOUT_S)


@contextlib.asynccontextmanager
async def running_scene(
    stack: EmbeddedStack, settings: Settings, template: str, folder: Path, witness: Path
) -> AsyncIterator[Scene]:
    """Everything runs inside the block; the ingress is started again if it ends."""
    smtp = SmtpServer(folder)
    async with contextlib.AsyncExitStack() as exits:
        await smtp.process.start()
        exits.push_async_callback(smtp.process.stop)
        clinic = await exits.enter_async_context(
            running_clinic(smtp.settings(settings), template, worker=False, serve=False)
        )
        ports = {name: free_port() for name in CONSUMERS}
        consumers = {}
        for name, port in ports.items():
            own = clinic.settings.model_copy(update={"metrics_port": port})
            consumers[name] = service(name, folder, own, f"{name}-1")
        ingress = ingress_process(clinic.settings, folder)
        for child in (ingress, *consumers.values()):
            exits.push_async_callback(child.stop)
        await asyncio.gather(ingress.start(), *(child.start() for child in consumers.values()))
        supervisor = Supervisor(lambda _: None)
        exits.push_async_callback(supervisor.close)
        for child in (ingress, consumers["worker"], consumers["auditor"]):
            supervisor.watch(child)
        scene = Scene(clinic, stack, smtp, witness, consumers, ports)
        for name in CONSUMERS:
            await scene.until("up", 1, instance=name)
        yield scene
