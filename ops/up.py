"""`clinic up`: the embedded stack and all services, in the foreground."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ops import probes
from ops.embedded import Child, EmbeddedStack
from ops.embedded.process import die_with_parent
from ops.embedded.supervisor import Supervisor

# With the servers' own time-outs (8 s, side by side) this stays below the 15 s that a stop may take.
SERVICE_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    data_dir: Path
    port: int
    workers: int
    seed: bool
    with_parent: bool


def up(options: Options) -> None:
    """Run the clinic until SIGINT, SIGTERM or SIGHUP, then stop it in order.

    Raises:
        ClinicError: it cannot run; the message is for the operator, and nothing is left running.
    """
    if options.with_parent:
        die_with_parent(signal.SIGTERM)
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run_until_signal(options))


def say(line: str) -> None:
    """One line for the operator. The clinic goes on when nobody reads it any more."""
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
        stack = await exits.enter_async_context(EmbeddedStack(options.data_dir, http_port=options.port))
        services = _services(stack, options.workers)
        exits.push_async_callback(_stop, services)
        supervisor = Supervisor(say)
        exits.push_async_callback(supervisor.close)  # runs first: nothing is restarted while all is stopped
        await _prepare(stack)
        say(f"starting {', '.join(service.name for service in services)} …")
        await asyncio.gather(*(service.start() for service in services))
        for child in (*stack.processes.values(), *services):
            supervisor.watch(child)
        await _seed_on_first_start(stack, options.seed)
        _print_addresses(stack)
        yield


async def _prepare(stack: EmbeddedStack) -> None:
    from ops.migrate import migrate
    from ops.topics import ensure_topics

    say("bringing the database schema and the topics up to date …")
    await asyncio.to_thread(migrate, stack.settings)
    await ensure_topics(stack.settings)


def _services(stack: EmbeddedStack, workers: int) -> list[Child]:
    ready = partial(probes.ingress, stack.settings.url)
    return [
        *(_service(stack, "worker", number, None) for number in range(1, workers + 1)),
        _service(stack, "ingress", 1, ready),
        _service(stack, "auditor", None, None),
        _service(stack, "notifier", None, None),
    ]


def _service(stack: EmbeddedStack, kind: str, number: int | None, probe: probes.Probe | None) -> Child:
    name = kind if number is None else f"{kind}-{number}"
    data_dir = stack.folder.path
    return Child(
        name,
        [sys.executable, "-m", "ops.cli", "run", kind, "--data", data_dir],
        data_dir=data_dir,
        probe=probe,
        env={**stack.environment, "CLINIC_INSTANCE": name},
        stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
    )


async def _stop(services: list[Child]) -> None:
    await asyncio.gather(*(service.stop() for service in services))


async def _seed_on_first_start(stack: EmbeddedStack, wanted: bool) -> None:
    # Written after the seeding, so that an interrupted one is taken up again. --no-seed settles it for good.
    done = stack.folder.path / "seeded"
    if done.exists():
        return
    if wanted:
        from ops.seed import seed_demo

        say("sending the demo data …")
        await seed_demo(stack.settings, say)
    done.touch()


def _print_addresses(stack: EmbeddedStack) -> None:
    settings, data_dir = stack.settings, stack.folder.path
    for name, address in {
        "HTTP": settings.url,
        "Swagger UI": f"{settings.url}/docs",
        "Kafka": settings.kafka_bootstrap,
        "Postgres": settings.postgres_dsn.get_secret_value().rpartition("@")[2],
        "Valkey": settings.redis_url.get_secret_value().rpartition("@")[2],
        "data": f"{data_dir} (settings and passwords: {data_dir / 'stack.env'})",
    }.items():
        say(f"  {name:<11}{address}")
    say("ready")
