"""The three servers on their data folder."""

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.embedded import EmbeddedStack, PartFailedError
from ops.embedded import folder as folder_module


async def create_topic(settings: Settings, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


async def topics(settings: Settings) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def query(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_two_stacks_run_side_by_side_and_data_survives_a_restart(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path that is not ASCII, in a locale without encoding: neither may lead Java elsewhere.
    monkeypatch.setenv("LC_ALL", "C")
    folder = tmp_path / "josé 漢字 🏥"
    async with EmbeddedStack(folder) as second:
        first_boot = second.settings
        await create_topic(first_boot, "kept")
        await query(first_boot.postgres_dsn.get_secret_value(), "CREATE TABLE kept (id int)")
        assert "kept" not in await topics(stack.settings)

    assert (folder / "kafka" / "data" / "kept-0").is_dir()
    async with EmbeddedStack(folder) as again:
        assert again.settings == first_boot
        assert "kept" in await topics(again.settings)
        kept = await query(again.settings.postgres_dsn.get_secret_value(), "SELECT to_regclass('kept')::text")
        assert kept == "kept"


async def test_a_killed_server_restarts(stack: EmbeddedStack) -> None:
    for name in ("postgres", "valkey"):
        child = stack.processes[name]
        before = child.pid
        await child.kill()
        await child.start()
        assert child.pid != before
        assert (stack.folder.path / "run" / f"{name}.pid").read_text() == f"{child.pid}\n"


async def test_postgres_is_utf8_durable_and_requires_a_password(stack: EmbeddedStack) -> None:
    dsn = stack.settings.postgres_dsn.get_secret_value()
    shown = {
        name: await query(dsn, f"SHOW {name}") for name in ("server_encoding", "fsync", "synchronous_commit")
    }
    assert shown == {"server_encoding": "UTF8", "fsync": "on", "synchronous_commit": "on"}
    user, _, server = dsn.partition("@")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(f"{user[:-1]}@{server}", "SELECT 1")


async def test_each_service_has_a_login_of_its_own(stack: EmbeddedStack) -> None:
    for service in ("ingress", "worker", "auditor", "notifier"):
        dsn = getattr(stack.settings, f"{service}_dsn")
        assert await query(dsn, "SELECT current_user") == f"clinic_{service}"


def test_secrets_are_private_and_the_settings_can_be_sourced(stack: EmbeddedStack) -> None:
    folder = stack.folder.path
    keys = [path for path in (folder / "keys").rglob("*") if path.is_file()]
    private = [folder / "stack.env", folder / "ports.json", *keys]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}

    command = f". '{folder}/stack.env'; printf %s \"$CLINIC_POSTGRES_DSN\""
    sourced = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout

    assert sourced == stack.settings.postgres_dsn.get_secret_value()
    assert Settings.load(folder) == stack.settings


async def test_a_folder_in_use_is_refused(stack: EmbeddedStack) -> None:
    with pytest.raises(MisconfiguredError, match="already running on the data folder"):
        async with EmbeddedStack(stack.folder.path):
            pass
    assert stack.processes["valkey"].running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def test_a_full_disk_is_reported_before_anything_is_started(small_disk: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"The disk is full: .* has \d+ MB left"):
        async with EmbeddedStack(small_disk):
            pass


async def test_so_is_a_disk_that_fills_up_during_the_start(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "FREE_BYTES_MIN", 0)
    with pytest.raises(PartFailedError, match=r"the disk is full"):
        async with EmbeddedStack(small_disk):
            pass
