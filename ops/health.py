"""`clinic health`: version and state of every server and service, each asked at its address."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from infra import clock
from infra.crypto.epochs import Epochs
from infra.errors import ClinicError
from infra.metrics import monitoring_urls
from infra.settings import Settings
from infra.zones import zone_data_version
from ops import probes
from ops.connections import quiet
from ops.console import console, table
from ops.keys.storage import overdue

CONSUMERS = ("worker", "auditor", "notifier")
# Of `infra.service`: it will be ready by itself.
STARTING = "starting"


@dataclass(frozen=True)
class Part:
    """A server or service. `pid` is None if it is not a process of this data folder.

    `up`: it does its work. `state` is "up", "down", or "not ready": it answers, and `detail` says what keeps
    it from its work, an operator's `clinic pause` included.
    """

    name: str
    up: bool
    version: str
    pid: int | None
    address: str
    detail: str
    state: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self.state or ("up" if self.up else "down"))


def health(data_dir: Path, as_json: bool) -> bool:
    """Print the parts as a table or as JSON. Returns True if all are healthy."""
    quiet()
    parts = asyncio.run(_ask_all(data_dir))
    if as_json:
        print(json.dumps([asdict(part) for part in parts], indent=2))
    else:
        rows = table("part", "state", "version", "pid", "address", "detail")
        for part in parts:
            colour = {"up": "green", "down": "red"}.get(part.state, "yellow")
            state = f"[{colour}]{part.state}[/]"
            rows.add_row(part.name, state, part.version, str(part.pid or ""), part.address, part.detail)
        console().print(rows)
    return all(part.up for part in parts)


async def _ask_all(data_dir: Path) -> list[Part]:
    settings = Settings.load(data_dir)
    pids = {path.stem: int(path.read_text()) for path in (data_dir / "run").glob("*.pid")}
    ca_file = settings.ca_file
    postgres, redis = settings.postgres_dsn.get_secret_value(), settings.redis_url.get_secret_value()
    addresses: dict[str, tuple[str, probes.Probe]] = {
        "kafka": (settings.kafka_bootstrap, partial(probes.kafka, settings)),
        "postgres": (_host(postgres), partial(probes.postgres, postgres)),
        "valkey": (_host(redis), partial(probes.redis, redis)),
        "ingress-1": (settings.url, partial(probes.ingress, settings.url, ca_file)),
    }
    urls = monitoring_urls(data_dir)
    addresses |= {name: (url, partial(probes.consumer, url, ca_file)) for name, url in urls.items()}
    if "mail" in pids:
        host, smtp_port, sms_port = settings.smtp_host, settings.smtp_port, _sms_port(settings)
        probe = partial(probes.mail, host, smtp_port, sms_port, settings.smtp_ca_file)
        addresses["mail"] = (f"{host}:{smtp_port}", probe)
    parts = await asyncio.gather(
        *(_ask(name, address, probe, pids.get(name), ca_file) for name, (address, probe) in addresses.items())
    )
    return [
        *parts,
        *_without_address(urls),
        *(_process(name, pids[name]) for name in sorted(pids.keys() - addresses.keys())),
        _storage_keys(settings),
        Part("time zones", True, zone_data_version(), None, "", "the installed tzdata package"),
    ]


def _storage_keys(settings: Settings) -> Part:
    trouble = overdue(settings, clock.now())
    newest = Epochs(settings.storage_key_dir).newest()
    epoch = f"epoch {newest.number}" if newest else ""
    where = str(settings.storage_key_dir)
    return Part("storage keys", trouble is None, epoch, None, where, trouble or "replaced in time")


def _host(url: str) -> str:
    # Without the user and the password.
    return urlsplit(url).netloc.rpartition("@")[2]


def _sms_port(settings: Settings) -> int:
    url = settings.sms_url.get_secret_value() if settings.sms_url else ""
    return urlsplit(url).port or settings.smtp_port


async def _ask(name: str, address: str, probe: probes.Probe, pid: int | None, ca_file: Path | None) -> Part:
    try:
        async with asyncio.timeout(2 * probes.CONNECT_TIMEOUT_S):
            answer = await probe()
            not_ready = await probes.not_ready(address, ca_file) if name.startswith(CONSUMERS) else None
    except ClinicError as error:
        return Part(name, False, "", pid, address, str(error))
    except (OSError, TimeoutError):
        return Part(name, False, "", pid, address, "does not answer")
    if not_ready is not None:
        return Part(name, not_ready == STARTING, answer, pid, address, not_ready, "not ready")
    if name != "kafka":
        return Part(name, True, answer, pid, address, "answers")
    return Part(name, True, _kafka_version() if pid else "", pid, address, answer)


def _kafka_version() -> str:
    from ops.embedded.jars import kafka_version  # installed where a Kafka with a pid file is

    return kafka_version()


def _without_address(urls: Mapping[str, str]) -> list[Part]:
    missing = [kind for kind in CONSUMERS if not any(name.startswith(kind) for name in urls)]
    setting = "not asked: set CLINIC_METRICS_URL_{} to where it serves its metrics"
    return [Part(kind, False, "", None, "", setting.format(kind.upper())) for kind in missing]


def _process(name: str, pid: int) -> Part:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Part(name, False, "", pid, "", "the process is gone")
    except PermissionError:
        pass  # another user's, so it exists
    return Part(name, True, probes.clinic_version(), pid, "", "runs")
