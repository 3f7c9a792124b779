"""`clinic up --tls`: nothing listens without TLS, and each part knows whom it speaks with."""

import asyncio
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, Topic
from infra.crypto.tls import client_context, serving_context
from infra.errors import LogUnavailableError, TransientError
from infra.kafka.producer import append, start_producer
from infra.redis import connect
from infra.settings import Settings
from ops.tls.certificates import Authority
from tests.clinic import CHECKUP, Clinic, free_port
from tests.embedded.hellos import ALERT, ANSWER_TIMEOUT_S, HELLOS, HOST, answer_to
from tests.embedded.up import START_TIMEOUT_S, Up, clinic, running
from tests.waiting import until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", free_port(), "--tls") as up:
        yield up


@pytest.fixture
def ca_file(up: Up) -> Path:
    return up.data_dir / "tls" / "ca.pem"


def settings_of(up: Up, process: str) -> Settings:
    """The settings that a running service has."""
    variables = up.processes()[process].environ()
    values = {name.removeprefix("CLINIC_").lower(): value for name, value in variables.items()}
    return Settings.model_validate(
        {name: value for name, value in values.items() if name in Settings.model_fields}
    )


@pytest.fixture
async def people(up: Up, ca_file: Path) -> AsyncIterator[Clinic]:
    """Clients of the clinic, who trust its authority alone."""
    settings = Settings.load(up.data_dir)
    assert settings.url.startswith("https://")
    trusted = ssl.create_default_context(cafile=ca_file)
    async with (
        httpx.AsyncClient(base_url=settings.url, verify=trusted, timeout=60, trust_env=False) as http,
        asyncpg.create_pool(settings.postgres_dsn.get_secret_value(), min_size=1, max_size=1) as pool,
    ):
        yield Clinic(settings, http, pool)


async def test_a_visit_is_booked_by_https_and_the_patient_gets_a_mail(up: Up, people: Clinic) -> None:
    doctor_id = await people.doctor()
    patient = await people.patient()
    [start, *_] = await people.slots(doctor_id)
    body = {"doctor_id": doctor_id, "starts_at": start, "visit_type": CHECKUP["code"]}

    await people.confirmed("POST", "/v1/appointments", patient.headers, body)

    until(lambda: any((up.data_dir / "mail" / "new").iterdir()), "the mail of it", ANSWER_TIMEOUT_S)


@pytest.mark.parametrize(
    "command",
    [
        "health",
        "lag",
        "topics",
        "access",
        "replay verify",
        "audit verify",
        "mail list",
        "staff list",
        "token patient ada@example.org",
    ],
)
def test_an_operators_command_needs_nothing_more(up: Up, command: str) -> None:
    answer = clinic(*command.split(), "--data", up.data_dir)

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_output_names_the_address_and_the_authority(up: Up, ca_file: Path) -> None:
    output = up.output_path.read_text()

    assert f"  HTTP         {Settings.load(up.data_dir).url}\n" in output
    assert f"  CA           {ca_file} " in output


def test_private_keys_are_the_owners_alone(up: Up, ca_file: Path) -> None:
    files = list(ca_file.parent.iterdir())
    assert len([path for path in files if b"PRIVATE KEY" in path.read_bytes()]) >= 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for folder in (ca_file.parent, up.data_dir / "sockets"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def connections(up: Up, kind: str) -> list[Any]:
    """Those of all processes of the clinic."""
    clinic_up = psutil.Process(up.popen.pid)
    found: list[Any] = []
    for process in (clinic_up, *clinic_up.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # one of Postgres' that has ended meanwhile
            found += process.net_connections(kind=kind)
    return found


def listening_ports(up: Up) -> set[int]:
    """Where any process of the clinic listens, all of them on loopback."""
    listening = [found.laddr for found in connections(up, "inet") if found.status == psutil.CONN_LISTEN]
    for host, _ in listening:
        address = ip_address(host)
        assert (getattr(address, "ipv4_mapped", None) or address).is_loopback, address
    return {port for _, port in listening}


def test_whatever_listens_refuses_plaintext_and_proves_who_it_is(up: Up, ca_file: Path) -> None:
    settings = Settings.load(up.data_dir)
    metrics = [settings_of(up, name).metrics_port for name in ("worker-1", "auditor", "notifier")]
    known = {settings.port, settings.smtp_port, *metrics}
    trusted = ssl.create_default_context(cafile=ca_file)

    ports = listening_ports(up)

    # Besides those: Kafka's two, Postgres, Valkey, and the sink of text messages.
    assert known < ports
    assert len(ports - known) == 5
    for port in ports:
        for name, hello in HELLOS.items():
            answer = answer_to(hello, port)
            assert answer[:1] in (b"", bytes([ALERT])), (port, name, answer)
        with (
            socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT_S) as connection,
            trusted.wrap_socket(connection, server_hostname=HOST) as tls,
        ):
            assert tls.version() in ("TLSv1.2", "TLSv1.3")


def test_unix_sockets_are_in_the_private_folder(up: Up) -> None:
    paths = {found.laddr for found in connections(up, "unix")}
    assert {Path(path).parent for path in paths if path} == {up.data_dir / "sockets"}


@pytest.mark.parametrize(("process", "topic"), [("ingress-1", EVENTS_TOPIC), ("worker-1", COMMANDS_TOPIC)])
async def test_on_kafka_a_service_may_do_its_own_only(up: Up, process: str, topic: Topic) -> None:
    producer = await start_producer(settings_of(up, process), "probe")
    try:
        with pytest.raises(LogUnavailableError, match="Authorization"):
            await append(
                producer,
                topic.name,
                b"{}",
                key=b"x",
                headers=[],
                timeout_s=ANSWER_TIMEOUT_S,
                fail=lambda _: None,
            )
    finally:
        await producer.stop()


class Impostor:
    """A server whose certificate is of a stranger's authority. `callers`: those who spoke on all the same."""

    def __init__(self) -> None:
        self.port = 0
        self.callers = 0

    async def hear(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        writer.close()


@pytest.fixture
async def impostor(tmp_path: Path) -> AsyncIterator[Impostor]:
    tls_file = tmp_path / "stranger.pem"
    tls_file.write_bytes(Authority.new().issue([HOST]))
    impostor = Impostor()
    server = await asyncio.start_server(impostor.hear, HOST, 0, ssl=serving_context(tls_file))
    impostor.port = server.sockets[0].getsockname()[1]
    async with server:
        yield impostor
    assert impostor.callers == 0


def elsewhere(url: str, port: int) -> str:
    head, _, tail = url.rpartition("@")
    return f"{head}@{HOST}:{port}/{tail.partition('/')[2]}"


async def test_a_service_does_not_start_with_a_postgres_of_a_stranger(up: Up, impostor: Impostor) -> None:
    environment = up.processes()["worker-1"].environ()
    name = "CLINIC_POSTGRES_DSN_WORKER"
    environment |= {name: elsewhere(environment[name], impostor.port), "CLINIC_METRICS_PORT": "0"}

    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "ops.cli", "run", "worker"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
    )

    assert ended.returncode == 1
    assert "certificate verify failed" in ended.stderr


async def test_a_service_says_nothing_to_a_kafka_or_valkey_of_a_stranger(up: Up, impostor: Impostor) -> None:
    settings = settings_of(up, "ingress-1")
    strangers = {
        "kafka_bootstrap": f"{HOST}:{impostor.port}",
        "redis_url": SecretStr(elsewhere(settings.redis_url.get_secret_value(), impostor.port)),
    }
    settings = settings.model_copy(update=strangers)

    with pytest.raises(TransientError, match="Kafka does not answer"):
        await start_producer(settings, "probe")
    async with connect(settings) as redis:
        with pytest.raises(RedisConnectionError, match="certificate verify failed"):
            await redis.ping()


async def test_a_client_of_another_authority_does_not_believe_the_clinic(up: Up, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.new().pem())
    async with httpx.AsyncClient(verify=client_context(other), trust_env=False) as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(Settings.load(up.data_dir).url)
