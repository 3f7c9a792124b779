"""`clinic up` from outside: its output, its signals and its exit status."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.clinic import free_port
from tests.embedded.up import STOP_TIMEOUT_S, Up, clinic, running

SECRET = r"^CLINIC_.*(DSN|PASSWORD|USERNAME|TOKEN|KEY_FILE|KEY_DIR|REDIS_URL|SMS_URL)"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", free_port()) as up:
        yield up


def test_every_process_has_its_pid_file_and_all_are_healthy(up: Up) -> None:
    services = {"worker-1", "ingress-1", "auditor", "notifier"}
    names = {"up", "kafka", "postgres", "valkey", "mail", *services}
    assert up.processes().keys() == names
    assert up.processes()["up"].pid == up.popen.pid

    answer = clinic("health", "--data", up.data_dir)

    assert answer.returncode == 0, answer.stdout
    assert all(name in answer.stdout for name in names)
    assert re.search(rf"^time zones +up +{version('tzdata')} ", answer.stdout, re.MULTILINE)


PATIENTS_KEYS = {"MASTER_KEY_FILE", "STORAGE_KEY_DIR"}
OWN_SECRETS: dict[str, set[str]] = {
    "ingress-1": {"POSTGRES_DSN_INGRESS", "REDIS_URL", "SIGNING_KEY_FILE"} | PATIENTS_KEYS,
    "worker-1": {"POSTGRES_DSN_WORKER", "EVENTS_KEY_FILE", "REDIS_URL"},
    "auditor": {"POSTGRES_DSN_AUDITOR", "AUDIT_KEY_FILE", "EVENTS_KEY_FILE", "REDIS_URL"},
    "notifier": {"POSTGRES_DSN_NOTIFIER", "EVENTS_KEY_FILE", "REDIS_URL", "SMS_URL"} | PATIENTS_KEYS,
    "kafka": set(),
    "postgres": set(),
    "valkey": set(),
    "mail": set(),
}


@pytest.mark.parametrize("name", OWN_SECRETS)
def test_a_process_has_its_own_secrets_only(up: Up, name: str) -> None:
    environment = up.processes()[name].environ()
    others = {
        path.read_text().strip(): path.name for path in (up.data_dir / "keys").iterdir() if path.is_file()
    }

    secrets = {variable for variable in environment if re.search(SECRET, variable)}
    assert secrets == {f"CLINIC_{secret}" for secret in OWN_SECRETS[name]}
    known = {file for content, file in others.items() for value in environment.values() if content in value}
    service = name.removesuffix("-1")
    assert known <= {f"clinic_{service}.password", f"valkey-{service}.password"}
    if name == "notifier":
        assert environment["CLINIC_MASTER_KEY_FILE"].endswith("/notifier.key")


def test_valkey_lets_each_service_do_what_it_needs(up: Up) -> None:
    def of(name: str) -> Redis:
        return Redis.from_url(up.processes()[name].environ()["CLINIC_REDIS_URL"])

    with of("ingress-1") as ingress, of("worker-1") as worker, of("notifier") as notifier:
        ingress.set("challenge:1", "sealed", ex=60)
        assert notifier.get("challenge:1") == b"sealed"
        worker.publish("booking.decided", b"")
        refused: list[tuple[Redis, list[str]]] = [
            (worker, ["GET", "challenge:1"]),
            (worker, ["PUBLISH", "elsewhere", ""]),
            (notifier, ["SET", "challenge:1", "another"]),
            (notifier, ["GET", "another"]),
            *((client, ["FLUSHALL"]) for client in (ingress, worker, notifier)),
            *((client, ["CONFIG", "GET", "requirepass"]) for client in (ingress, worker, notifier)),
            *((client, ["ACL", "LIST"]) for client in (ingress, worker, notifier)),
        ]
        for client, command in refused:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)  # type: ignore[no-untyped-call]


def test_a_second_up_on_the_same_folder_reports_it_and_leaves_it_alone(up: Up) -> None:
    second = clinic("up", "--data", up.data_dir, "--port", str(free_port()))

    assert second.returncode == 1
    assert second.stderr == f"A clinic is already running on the data folder {up.data_dir}.\n"
    assert all(process.is_running() for process in up.processes().values())


def test_a_port_in_use_is_one_sentence(up: Up, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = clinic("up", "--data", tmp_path, "--port", str(port))

    assert refused.returncode == 1
    assert refused.stderr == f"Port {port} is in use: choose another one with --port.\n"


@pytest.mark.parametrize("name", ["valkey", "ingress-1"])
def test_a_crashed_service_is_restarted_with_a_message(up: Up, name: str) -> None:
    os.kill(up.processes()[name].pid, signal.SIGKILL)

    up.wait_for(f"{name} was ended by SIGKILL; starting it again in 0.1 s")
    up.wait_for(f"{name} is back")

    assert clinic("health", "--data", up.data_dir).returncode == 0


def test_kill_9_leaves_no_orphan_and_the_next_start_works(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "data", port) as killed:
        processes = killed.processes()
        killed.popen.kill()
    with running(tmp_path / "data", port) as up:
        assert not any(process.is_running() for process in processes.values())
        up.popen.send_signal(signal.SIGINT)
        assert up.popen.wait(timeout=STOP_TIMEOUT_S) == 0
        assert list(up.data_dir.glob("run/*.pid")) == []
