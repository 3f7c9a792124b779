"""The clinic that is broken on purpose: two ingresses and three workers, each behind proxies of its own."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from infra.settings import Settings
from ops import probes
from ops.embedded import Child
from ops.embedded.process import PartFailedError
from ops.embedded.supervisor import Supervisor
from tests.faults.checker import Finding
from tests.faults.clock import JumpingClock
from tests.faults.history import History
from tests.faults.recovery import Recoveries
from tests.faults.servers import Servers, free_port
from tests.faults.source import python_from
from tests.processes import environment

WORKERS = ("worker-1", "worker-2", "worker-3")
INGRESSES = ("ingress-1", "ingress-2")
SERVICES = WORKERS + INGRESSES
START_TRIES_MAX = 5
# The one whose clock jumps.
JUMPING = WORKERS[0]


class Machine:
    """The running services, and what faults need to reach.

    Attributes:
        services: the processes by name, restarted by a supervisor when they end.
        settings: as the services have them, without proxies.
        urls: the ingresses' addresses.
        clock: that of the worker `JUMPING`; None where clocks are right.
        history: every call that was made, by clients and by the machine.
        findings: what the faults themselves found.
        said: what the supervisor said.
    """

    def __init__(self, servers: Servers, settings: Settings, directory: Path, source: Path) -> None:
        """`source` is the folder that the services' code comes from; logs and the like go to `directory`."""
        self.servers = servers
        self.settings = settings
        self.clock: JumpingClock | None = None
        self.services: dict[str, Child] = {}
        self.findings: list[Finding] = []
        self.said: list[str] = []
        self.history = History()
        self.recoveries = Recoveries(self.history, self.findings)
        self._directory = directory
        self._source = source
        self._supervisor = Supervisor(self.said.append)
        taken: set[int] = set()
        self._ports = {name: free_port(taken) for name in INGRESSES}
        self.urls = [_url(port) for port in self._ports.values()]

    def child(self, name: str, like: str | None = None) -> Child:
        """A service's process, not started yet.

        One that has no proxies of its own uses those of the service it is `like`.
        """
        settings = self.servers.behind_proxies(self.settings, like or name)
        kind = name.partition("-")[0]
        probe = None
        if kind == "ingress":
            port = self._ports[name]
            settings = settings.model_copy(update={"port": port, "url": _url(port)})
            probe = partial(probes.ingress, settings.url)
        for folder in ("run", "logs"):
            (self._directory / folder).mkdir(parents=True, exist_ok=True)
        python, variables = python_from(self._source)
        variables |= {**environment(settings), "CLINIC_INSTANCE": name}
        if self.clock is not None and name == JUMPING:
            variables |= self.clock.environment
        argv = [*python, "-m", "ops.cli", "run", kind, "--data", self._directory]
        return Child(name, [*map(str, argv)], data_dir=self._directory, env=variables, probe=probe)

    async def start(self, names: Sequence[str] = SERVICES) -> None:
        """Start the services and keep them running. Returns when the ingresses answer."""
        for name in names:
            self.services.setdefault(name, self.child(name))
        await asyncio.gather(*(self._start_one(self.services[name]) for name in names))
        for name in names:
            self._supervisor.watch(self.services[name])

    async def _start_one(self, child: Child) -> None:
        # A fault may meet it while it starts.
        for _ in range(START_TRIES_MAX):
            try:
                await child.start()
            except PartFailedError as error:
                self.said.append(str(error).partition(" while")[0])
            else:
                return
        raise PartFailedError(f"{child.name} does not start")

    def ended_by_themselves(self) -> Counter[str]:
        """Which services gave up, and how: nobody killed them, and the supervisor started them again."""
        ends = (line.partition(";")[0] for line in self.said)
        return Counter(end for end in ends if "stopped with status" in end)

    async def stop(self) -> None:
        """Stop all services, in their orderly way."""
        await self._supervisor.close()
        self._supervisor = Supervisor(self.said.append)
        await asyncio.gather(*(child.stop() for child in self.services.values()))


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextlib.asynccontextmanager
async def machine(
    servers: Servers, settings: Settings, directory: Path, *, source: Path, clock: bool = False
) -> AsyncIterator[Machine]:
    """Services on servers that run, with schema and topics that are there, while inside.

    `source` is the folder that their code comes from; `clock`: one worker's clock can be made to jump.
    """
    running = Machine(servers, settings, directory, source)
    if clock:
        running.clock = JumpingClock(directory / "clock")
    async with contextlib.AsyncExitStack() as exits:
        exits.push_async_callback(running.stop)
        await running.start()
        await exits.enter_async_context(running.recoveries.watching(running.settings, running.urls))
        yield running
