"""A child process with a log and a pid file, which ends with its parent.

A child never outlives the process that started it. On Linux the kernel ensures that, also after
`kill -9` (`PR_SET_PDEATHSIG`); elsewhere, `reap_leftovers` does at the next start.
"""

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from infra import clock
from infra.crypto.credentials import without_secrets
from infra.errors import ClinicError
from ops.keys import write_private
from ops.probes import Probe

LOG_BYTES_MAX = 8 * 1024 * 1024
POLL_INTERVAL_S = 0.05
PROBE_TIMEOUT_S = 5.0
LEFTOVER_STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class PartFailedError(ClinicError):
    """A part of the embedded stack did not start, or stopped while it was starting."""


def die_with_parent(death_signal: signal.Signals) -> None:
    """Ask the kernel to send this process `death_signal` when its parent dies. Does nothing outside Linux."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))


class Child:
    """A program that belongs to one data folder.

    Its command line must name the data folder, which distinguishes it from another process with a reused pid.
    `probe` checks the running program; `OSError`, `TimeoutError` or `ClinicError` mean "not yet".
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        data_dir: Path,
        probe: Probe | None = None,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        stop_timeout_s: float = 5.0,
        start_timeout_s: float = 120.0,
    ) -> None:
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log_path = data_dir / "logs" / f"{name}.log"
        self.pid_path = data_dir / "run" / f"{name}.pid"
        self.exit_code: int | None = None
        self.started_at = 0.0  # seconds since 1970
        self.probe = probe
        # Bytecode is always written, whatever the environment says, so that a restart is fast.
        self._env = {**without_secrets(os.environ), "PYTHONDONTWRITEBYTECODE": "", **(env or {})}
        self._stop_signal = stop_signal
        self._death_signal = death_signal
        self._stop_timeout_s = stop_timeout_s
        self._start_timeout_s = start_timeout_s
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running child; an error if it was never started."""
        assert self._popen is not None, f"{self.name} was not started"
        return self._popen.pid

    @property
    def running(self) -> bool:
        """True if the process exists; collects its exit code once it has ended."""
        if self._popen is None:
            return False
        self.exit_code = self._popen.poll()
        return self.exit_code is None

    def spawn(self) -> None:
        """Start the process. Call it in the main thread only: the child dies with the thread that made it."""
        assert not self.running, f"{self.name} runs already"
        bound_log(self.log_path)
        self.started_at = clock.now().timestamp()
        with self.log_path.open("ab") as log:
            # In its own session: Ctrl-C reaches only `clinic up`, which stops the parts in order.
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(self._death_signal),
            )
        write_private(self.pid_path, f"{self._popen.pid}\n".encode())

    async def start(self) -> None:
        """Start the process and wait until it answers.

        Raises:
            PartFailedError: it stopped, or did not answer in time. The message quotes the end of its log.
        """
        self.spawn()
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await self._answered()
        except TimeoutError:
            await self.kill()
            raise PartFailedError(
                f"{self.name} did not answer within {self._start_timeout_s:.0f} s."
            ) from None

    async def _answered(self) -> None:
        while self.probe is not None:
            if not self.running:
                raise PartFailedError(
                    f"{self.name} {self.how_it_ended()} while starting: {self.last_words()}"
                )
            with contextlib.suppress(OSError, TimeoutError, ClinicError):
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await self.probe()
                return
            await asyncio.sleep(POLL_INTERVAL_S)

    async def wait(self) -> None:
        """Return when the process has ended."""
        while self.running:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(POLL_INTERVAL_S)

    async def stop(self) -> None:
        """Stop the process with its stop signal, or with SIGKILL after its time-out. Does nothing if it has
        ended."""
        if self.running:
            self.send(self._stop_signal)
            self.send(signal.SIGCONT)
            try:
                async with asyncio.timeout(self._stop_timeout_s):
                    await self.wait()
            except TimeoutError:
                self.send(signal.SIGKILL)
                await self.wait()
        self.pid_path.unlink(missing_ok=True)

    async def kill(self) -> None:
        """`kill -9`, for fault tests; returns when the process is gone. `start` brings it back."""
        self.send(signal.SIGKILL)
        await self.wait()

    def send(self, signal_: signal.Signals) -> None:
        """Send a signal if the process still runs."""
        if self._popen is not None and self.running:
            self._popen.send_signal(signal_)

    def how_it_ended(self) -> str:
        """`stopped with status 1` or `was ended by SIGKILL`, for people."""
        assert self.exit_code is not None, f"{self.name} still runs"
        if self.exit_code < 0:
            return f"was ended by {signal.Signals(-self.exit_code).name}"
        return f"stopped with status {self.exit_code}"

    def last_words(self) -> str:
        """The last non-empty line of the log."""
        tail = self.log_path.read_bytes()[-4096:].decode(errors="replace") if self.log_path.exists() else ""
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


async def run_once(
    argv: Sequence[str | Path], complaint: str, *, env: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end, quietly; it is killed if the caller is cancelled or dies.

    Raises:
        PartFailedError: it failed. The message is `complaint` and its output.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        env={**os.environ, **(env or {})},
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise part_failed(complaint, output.decode(errors="replace")[-600:].strip())


def part_failed(complaint: str, said: str) -> PartFailedError:
    """The error for a program that failed, in plain words where a full disk is the reason."""
    if os.strerror(errno.ENOSPC) in said:
        return PartFailedError(f"{complaint}: the disk is full.")
    return PartFailedError(f"{complaint}: {said}")


def bound_log(path: Path) -> None:
    """Keep a log and its predecessor near `LOG_BYTES_MAX` each. Its writer appends, so it can continue."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)


def reap_leftovers(data_dir: Path, pid_files: Iterable[Path]) -> list[str]:
    """End the processes that a killed `clinic up` left behind, and wait for them. Returns their names.

    The caller holds the folder's lock, so no running stack owns them. A pid counts as ours only if its
    process is not younger than the pid file (a reused pid is) and its command line names the data folder.
    """
    ours = {}
    for pid_file in pid_files:
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            # Postgres' pid file has more lines.
            process = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
            written_at = pid_file.stat().st_mtime
            named = any(str(data_dir) in arg for arg in process.cmdline())
            if named and process.create_time() <= written_at + 1 and process.pid != os.getpid():
                ours[process] = pid_file.stem
    for process in ours:
        with contextlib.suppress(psutil.Error):
            # SIGINT is Postgres' fast shutdown; the others take it as SIGTERM.
            process.send_signal(signal.SIGINT)
    _, stubborn = psutil.wait_procs(ours, timeout=LEFTOVER_STOP_TIMEOUT_S)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=LEFTOVER_STOP_TIMEOUT_S)
    for pid_file in pid_files:
        pid_file.unlink(missing_ok=True)
    return sorted(ours.values())
