"""One way to run a service: signals, background jobs, health, exit status.

A process ends with status 0 after SIGTERM or SIGINT, and with status 1 and a critical log line when one of
its parts fails. Either way it ends within `STOP_DEADLINE_S`; whatever has not finished by then is aborted.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager

import structlog
import uvloop

from infra import telemetry
from infra.crypto.production import check_production
from infra.errors import ClinicError, JobEndedError
from infra.logs import configure_logging
from infra.metrics import serve_monitoring
from infra.settings import Settings

STOP_DEADLINE_S = 10.0
# Some libraries swallow a cancellation at an unlucky moment, so it is repeated.
CANCEL_AGAIN_S = 1.0

_log = structlog.get_logger(__name__)

Check = Callable[[], str | None]


class Service:
    """The parts of one running process: its background jobs, and whether it is live and ready.

    Live: nothing has failed and everything makes progress. A process that is not live should be restarted.
    Ready: it also has everything that its work needs. Restarting a process that is not ready would not help.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.started = False
        # Set at the beginning of an orderly stop: from then on, jobs may return.
        self.stopping = False
        self._failed = asyncio.Event()
        self._live_checks: list[Check] = []
        self._ready_checks: list[Check] = []
        self._on_failure: list[Callable[[], None]] = []

    def fail(self, error: BaseException) -> None:
        """End the process with status 1. May be called from any task; later failures change nothing."""
        if self.failure is not None:
            return
        self.failure = error
        _log.critical("a part of the service failed, the process ends", exc_info=error)
        self._failed.set()
        for callback in self._on_failure:
            callback()

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call this once when something fails. It must not block."""
        self._on_failure.append(callback)

    def add_checks(self, *, live: Check | None = None, ready: Check | None = None) -> None:
        """Ask these for the reason why the process is not live or ready; None means that it is.

        They are called from another thread and must not block.
        """
        self._live_checks += [live] if live else []
        self._ready_checks += [ready] if ready else []

    def not_live(self) -> str | None:
        """The reason why this process should be restarted, if there is one."""
        if self.failure is not None:
            return f"a part failed: {self.failure!r}"
        return _first(self._live_checks)

    def not_ready(self) -> str | None:
        """The reason why this process cannot do its work, if there is one."""
        return self.not_live() or (None if self.started else "starting") or _first(self._ready_checks)

    @contextlib.asynccontextmanager
    async def running(self, *jobs: Coroutine[object, object, None]) -> AsyncIterator[None]:
        """Run the jobs while inside. One that fails or returns ends the block with its error."""

        async def run(job: Coroutine[object, object, None]) -> None:
            try:
                await job
                if not self.stopping:
                    raise JobEndedError(f"{job!r} has returned")
            except Exception as error:
                self.fail(error)
                raise

        jobs = (*jobs, self._raise_failure())
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(run(job)) for job in jobs}
            try:
                yield
            finally:
                self.stopping = True
                while tasks:
                    for task in tasks:
                        task.cancel()
                    _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)
                for job in jobs:
                    job.close()  # in case it was cancelled before it began

    async def _raise_failure(self) -> None:
        await self._failed.wait()
        assert self.failure is not None, "it is set before the event"
        raise self.failure


def _first(checks: list[Check]) -> str | None:
    return next((reason for check in checks if (reason := check()) is not None), None)


Running = Callable[[Settings, Service], AbstractAsyncContextManager[object]]


def run(settings: Settings, name: str, running: Running) -> None:
    """Run a service until SIGTERM or SIGINT, or until a part of it fails; then end the process.

    `name` is the service's, which the instance's name, if set, replaces in its logs.

    Raises:
        ClinicError: it could not start.
        SystemExit: status 1, a part failed.
    """
    configure_logging(settings.log_level, settings.instance or name)
    deadline = _Deadline()
    try:
        check_production(settings, name)
        telemetry.begin(settings, name)
        uvloop.run(_run(settings, running, deadline))
    except ClinicError as error:
        _log.critical("the service cannot run", error=str(error))
        raise
    except Exception as error:
        _log.critical("the process ends with status 1", error=repr(error))
        sys.exit(1)
    finally:
        telemetry.end()


async def _run(settings: Settings, running: Running, deadline: "_Deadline") -> None:
    service = Service()
    service.on_failure(deadline.start)
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main is not None, "a coroutine runs in a task"
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            main.cancel()

    def on_signal(*_: object) -> None:
        deadline.start()
        loop.call_soon_threadsafe(stop)

    # Not through the loop: the deadline has to start even if the loop is blocked.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    serve_monitoring(settings, service.not_live, service.not_ready)
    try:
        async with running(settings, service):
            _collect_garbage_rarely()
            service.started = True
            _log.info("started")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not stopping:
            raise
    if service.failure is not None:
        raise service.failure


def allow_open_files(count: int) -> int:
    """Raise this process's limit of open files to `count` if the host lets it. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return count if soft == resource.RLIM_INFINITY else soft


def _collect_garbage_rarely() -> None:
    # A full collection would pause the service for 0.1 s. Existing objects are permanent, so they are exempt.
    # Garbage of requests and commands is freed by reference counting, as it has few cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _Deadline:
    """Aborts the process if it has not ended within `STOP_DEADLINE_S` after `start`."""

    def __init__(self) -> None:
        # A pipe, as a signal handler may interrupt a thread that holds any lock.
        self._reader, self._writer = os.pipe()
        threading.Thread(target=self._wait, name="stop deadline", daemon=True).start()

    def start(self) -> None:
        os.write(self._writer, b"!")

    def _wait(self) -> None:
        os.read(self._reader, 1)
        time.sleep(STOP_DEADLINE_S)
        _log.critical("the process did not stop in time and is aborted", seconds=STOP_DEADLINE_S)
        sys.stdout.flush()
        os._exit(1)
