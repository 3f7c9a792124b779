"""`clinic up`: the embedded stack and all services, in the foreground."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from infra.crypto.production import refuse_in_production
from infra.errors import ClinicError, MisconfiguredError
from infra.settings import Settings
from ops import probes
from ops.embedded import Child, EmbeddedStack
from ops.embedded.process import die_with_parent
from ops.embedded.supervisor import Supervisor

# With the time-outs of the servers (8 s, concurrently) this stays below the 15 s that a stop may take.
SERVICE_STOP_TIMEOUT_S = 5.0
ROTATION_INTERVAL_S = 6 * 3600.0
DEMO_STAFF = "staff@example.com"
STAFF_FILE = "staff-login.txt"


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    data_dir: Path
    port: int
    workers: int
    seed: bool
    with_parent: bool
    tls: bool = False


def up(options: Options) -> None:
    """Run the clinic until SIGINT, SIGTERM or SIGHUP, then stop it in order.

    Raises:
        ClinicError: it cannot run. All its processes have been stopped.
    """
    refuse_in_production(Settings(), "clinic up")
    if options.with_parent:
        die_with_parent(signal.SIGTERM)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run_until_signal(options))


def say(line: str) -> None:
    """Print a line for the operator. The clinic continues if standard output is closed."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


async def _run_until_signal(options: Options) -> None:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    stopping = False

    def stop() -> None:
        # Once only: a second Ctrl-C must not interrupt the orderly stop.
        nonlocal stopping
        if not stopping:
            stopping = True
            say("stopping …")
            task.cancel()

    for signal_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signal_, stop)
    try:
        async with _clinic(options):
            await asyncio.Event().wait()
    finally:
        if stopping:
            say("stopped")


@contextlib.asynccontextmanager
async def _clinic(options: Options) -> AsyncIterator[None]:
    say("starting Kafka, Postgres, Valkey and the mail sink …")
    async with contextlib.AsyncExitStack() as exits:
        workers = [f"worker-{number}" for number in range(1, options.workers + 1)]
        stack = await exits.enter_async_context(
            EmbeddedStack(
                options.data_dir,
                http_port=options.port,
                consumers=(*workers, "auditor", "notifier"),
                with_tls=options.tls,
            )
        )
        services = _services(stack)
        exits.push_async_callback(_stop, services)
        supervisor = Supervisor(say)
        exits.push_async_callback(
            supervisor.close
        )  # runs first, so that nothing is restarted during the stop
        await _prepare(stack)
        rotating = asyncio.create_task(_rotate_storage_keys(stack))
        exits.callback(rotating.cancel)
        say(f"starting {', '.join(service.name for service in services)} …")
        await asyncio.gather(*(service.start() for service in services))
        for child in (*stack.processes.values(), *services):
            supervisor.watch(child)
        await _seed_on_first_start(stack, options.seed)
        _print_addresses(stack)
        yield


async def _prepare(stack: EmbeddedStack) -> None:
    from ops.access import SERVICES
    from ops.access.kafka import grant_topics
    from ops.keys.storage import rotate_storage
    from ops.migrate import migrate
    from ops.topics import ensure_topics

    say("bringing the database schema and the topics up to date …")
    await asyncio.to_thread(migrate, stack.settings)
    await ensure_topics(stack.settings)
    await grant_topics(stack.settings, SERVICES)
    await rotate_storage(stack.settings)


async def _rotate_storage_keys(stack: EmbeddedStack) -> None:
    from ops.keys.storage import rotate_storage

    while True:
        await asyncio.sleep(ROTATION_INTERVAL_S)
        try:
            await rotate_storage(stack.settings)
        except ClinicError as error:
            say(f"The storage keys were not replaced: {error}")


def _services(stack: EmbeddedStack) -> list[Child]:
    ca_file = stack.settings.ca_file
    ingress = _service(
        stack, "ingress-1", partial(probes.ingress, stack.settings.url, ca_file), metrics_port=0
    )
    consumers = (
        _service(
            stack, name, partial(probes.consumer, stack.monitoring_url(name), ca_file), metrics_port=port
        )
        for name, port in stack.metrics_ports.items()
    )
    return [ingress, *consumers]


def _service(stack: EmbeddedStack, name: str, probe: probes.Probe, *, metrics_port: int) -> Child:
    data_dir, kind = stack.folder.path, name.partition("-")[0]
    return Child(
        name,
        # Not the data folder itself: its `stack.env` has the owner's password.
        [sys.executable, "-m", "ops.cli", "run", kind, "--data", data_dir / "run" / kind],
        data_dir=data_dir,
        probe=probe,
        env={
            **stack.environment(kind),
            "CLINIC_INSTANCE": name,
            "CLINIC_METRICS_PORT": str(metrics_port),
        },
        stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
    )


async def _stop(services: list[Child]) -> None:
    await asyncio.gather(*(service.stop() for service in services))


async def _seed_on_first_start(stack: EmbeddedStack, wanted: bool) -> None:
    # Written after seeding, so that an interrupted one is continued. --no-seed disables it permanently.
    done = stack.folder.path / "seeded"
    if done.exists():
        return
    if wanted:
        from ops.seed.demo import seed_demo

        say("sending the demo data …")
        await seed_demo(stack.settings, say)
        await _make_demo_staff(stack)
    done.touch()


async def _make_demo_staff(stack: EmbeddedStack) -> None:
    """An account to log in with, whose credentials stay readable: it is for trying the demo."""
    from infra.tokens import Role
    from ops.keys import write_private
    from ops.staff.accounts import add, disable
    from ops.staff.credentials import lines

    with contextlib.suppress(MisconfiguredError):
        await disable(stack.settings, DEMO_STAFF)  # of a first start that was interrupted
    made = await add(stack.settings, DEMO_STAFF, Role.ADMIN, enrolled=True)
    command = f"{sys.executable} -c \"import pyotp; print(pyotp.TOTP('{made.seed}').now())\""
    text = [*lines(made), f"a code          {command}"]
    write_private(stack.folder.path / STAFF_FILE, "".join(f"{line}\n" for line in text).encode())
    say("an account of staff, to log in by POST /v1/auth/tokens with email, password and totp:")
    for line in text:
        say(f"  {line}")


def _print_addresses(stack: EmbeddedStack) -> None:
    settings, data_dir = stack.settings, stack.folder.path
    for name, address in {
        "pages": f"{settings.url}/",
        "HTTP": settings.url,
        "Swagger UI": f"{settings.url}/docs",
        "Kafka": settings.kafka_bootstrap,
        "Postgres": _without_login(settings.postgres_dsn),
        "Valkey": _without_login(settings.redis_url),
        "data": f"{data_dir} (settings and passwords: {data_dir / 'stack.env'})",
    }.items():
        say(f"  {name:<13}{address}")
    if settings.ca_file:
        say(f"  {'CA':<13}{settings.ca_file} (its certificate: clients have to trust it)")
    if (data_dir / STAFF_FILE).exists():
        say(f"  {'staff login':<13}{data_dir / STAFF_FILE}")
    say("ready")


def _without_login(address: SecretStr) -> str:
    parts = urlsplit(address.get_secret_value())
    return f"{parts.hostname}:{parts.port}{parts.path}"
