"""The clinic under test, each service behind proxies of its own.

Two ingresses, three workers, an auditor and a notifier, which sends to a mail server of the machine's own.
"""

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
from tests.faults.machine.clock import JumpingClock
from tests.faults.machine.servers import Servers, free_port
from tests.faults.machine.source import python_from
from tests.faults.monitors.logbook import tracebacks
from tests.faults.monitors.mailbox import Mailbox
from tests.faults.monitors.probes import Probes
from tests.faults.monitors.recovery import Recoveries
from tests.faults.monitors.silence import Silence
from tests.faults.results.archive import Archive
from tests.faults.workload.history import History
from tests.notify.channels.smtp_server import SmtpServer
from tests.processes import environment

WORKERS = ("worker-1", "worker-2", "worker-3")
INGRESSES = ("ingress-1", "ingress-2")
AUDITOR, NOTIFIER = FOLLOWERS = ("auditor-1", "notifier-1")
SERVICES = WORKERS + INGRESSES + FOLLOWERS
# Claims of a notifier that died expire after this time.
LEASE_S = 10.0
START_TRIES_MAX = 5
# The worker whose clock jumps.
JUMPING = WORKERS[0]


class Machine:
    """The running services, and what faults need to reach.

    Attributes:
        services: the processes by name, restarted by a supervisor when they end.
        settings: as the services have them, without proxies.
        urls: the ingresses' addresses.
        metrics: where the other services serve theirs, by name.
        smtp: the mail server that the notifier sends to.
        mailbox: what it has taken.
        restored_at: when the database was put back to an older state, Unix times.
        mail_may_repeat: when (Unix time) faults kept the notifier from knowing what had arrived.
        archive: what faults have deleted from the topics.
        clients_may_ask: cleared while the clients are to be quiet.
        directory: where logs and the like go.
        unfit: the clinic's own checks that can find nothing to check any more.
        source: the folder that the services' code comes from.
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
        self.directory = directory
        self._supervisor = Supervisor(self.said.append)
        taken: set[int] = set()
        self._ports = {name: free_port(taken) for name in SERVICES}
        self.urls = [_url(self._ports[name]) for name in INGRESSES]
        self.metrics = {
            name: f"{_url(port)}/metrics" for name, port in self._ports.items() if name not in INGRESSES
        }
        self.smtp = SmtpServer(directory / "mail")
        self.mailbox = Mailbox(directory / "mail" / "smtp" / "mails.ndjson")
        self.probes = Probes(self.recoveries, self.mailbox, self.findings)
        self.restored_at: list[float] = []
        self.mail_may_repeat: list[tuple[float, float]] = []
        self.archive = Archive()
        self.clients_may_ask = asyncio.Event()
        self.clients_may_ask.set()
        self.unfit: set[tuple[str, str]] = set()
        self.source = source

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
        elif name in self._ports:
            settings = settings.model_copy(update={"metrics_port": self._ports[name]})
        if kind == "notifier":
            settings = self.smtp.settings(settings, notify_lease_s=LEASE_S)
        for folder in ("run", "logs"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        python, variables = python_from(self.source)
        variables |= {**environment(settings), "CLINIC_INSTANCE": name}
        if self.clock is not None and name == JUMPING:
            variables |= self.clock.environment
        argv = [*python, "-m", "ops.cli", "run", kind, "--data", self.directory]
        return Child(name, [*map(str, argv)], data_dir=self.directory, env=variables, probe=probe)

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
        """Services that gave up, and how: nothing killed them, and the supervisor restarted them."""
        ends = (line.partition(";")[0] for line in self.said)
        return Counter(end for end in ends if "stopped with status" in end)

    def tracebacks(self) -> list[str]:
        """What the services' logs hold: the first of each kind."""
        return list(tracebacks(self.directory / "logs").values())

    async def stop(self) -> None:
        """Stop all services in an orderly way."""
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
        await running.smtp.process.start()
        exits.push_async_callback(running.smtp.process.stop)
        exits.push_async_callback(running.stop)
        await running.start()
        await exits.enter_async_context(running.recoveries.watching(running.settings, running.urls))
        await exits.enter_async_context(running.probes.watching(running.settings))
        silence = Silence(
            running.settings, running.services, running.metrics, running.findings, directory / "logs"
        )
        await exits.enter_async_context(silence.watching())
        yield running
