"""`clinic health`: every part, its version and state."""

import asyncio
import json
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from infra.errors import ClinicError
from infra.settings import Settings
from ops import probes
from ops.embedded.jars import kafka_version


@dataclass(frozen=True)
class Part:
    """One server or service. `pid` is None where this machine does not run it."""

    name: str
    up: bool
    version: str
    pid: int | None
    detail: str


def health(data_dir: Path, as_json: bool) -> bool:
    """Print the parts as a table or as JSON. Returns whether all are up."""
    parts = asyncio.run(_ask_all(data_dir))
    if as_json:
        print(json.dumps([asdict(part) for part in parts], indent=2))
    else:
        table = Table("part", "state", "version", "pid", "detail", box=None, pad_edge=False)
        for part in parts:
            state = "[green]up[/]" if part.up else "[red]down[/]"
            table.add_row(part.name, state, part.version, str(part.pid or ""), part.detail)
        Console().print(table)
    return all(part.up for part in parts)


async def _ask_all(data_dir: Path) -> list[Part]:
    settings = Settings.load(data_dir)
    pids = {path.stem: int(path.read_text()) for path in (data_dir / "run").glob("*.pid")}
    asked: dict[str, probes.Probe] = {
        "kafka": partial(probes.kafka, settings),
        "postgres": partial(probes.postgres, settings.postgres_dsn.get_secret_value()),
        "valkey": partial(probes.redis, settings.redis_url.get_secret_value()),
        "ingress-1": partial(probes.ingress, settings.url),
    }
    parts = await asyncio.gather(*(_ask(name, probe, pids.get(name)) for name, probe in asked.items()))
    return [*parts, *(_process(name, pids[name]) for name in sorted(pids.keys() - asked.keys()))]


async def _ask(name: str, probe: probes.Probe, pid: int | None) -> Part:
    try:
        async with asyncio.timeout(2 * probes.CONNECT_TIMEOUT_S):
            answer = await probe()
    except ClinicError as error:
        return Part(name, False, "", pid, str(error))
    except (OSError, TimeoutError):
        return Part(name, False, "", pid, "nobody answers at its address")
    if name == "kafka":
        return Part(name, True, kafka_version() if pid else "", pid, answer)
    return Part(name, True, answer, pid, "answers")


def _process(name: str, pid: int) -> Part:
    try:
        state: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        state = "gone"
    up = state not in ("gone", psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED)
    return Part(name, up, version("clinic"), pid, state)
