"""The `clinic` command as an operator sees it: help, tables in a pipe, key files."""

import json
import re
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from infra.crypto.event_mac import EventMac
from infra.keys import Keys
from infra.metrics import monitoring_urls
from infra.settings import Settings
from infra.signing_keys import load_signing_key
from ops import keys
from ops.cli import app
from ops.console import console, table
from ops.embedded.kafka import escaped
from ops.mail import TEXTS
from ops.mail.received import list_received

OPS = Path(__file__).parents[2] / "ops"
GROUPS = (
    "",
    "audit",
    "dlq",
    "mail",
    "notify",
    "replay",
    "zones",
    "keys",
    "token",
    "seed",
    "staff",
    "patients",
)


@pytest.mark.parametrize("group", GROUPS)
def test_help_is_wrapped_and_never_cut_off(group: str) -> None:
    result = CliRunner().invoke(app, [*group.split(), "--help"], env={"COLUMNS": "80"})

    assert result.exit_code == 0
    assert "..." not in result.stdout.replace("[ARGS]...", "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    clinic = typer.main.get_command(app)
    assert isinstance(clinic, TyperGroup)
    described = clinic.commands[group] if group else clinic
    assert isinstance(described, TyperGroup)
    words = " ".join(result.stdout.split())
    assert all(c.get_short_help_str(limit=1_000) in words for c in described.commands.values())


def test_the_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, version("clinic") + "\n")


def test_a_table_in_a_pipe_has_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table("part", "detail")
    rows.add_row("worker", "word " * 100)
    console().print(rows)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_every_command_prints_its_tables_like_that() -> None:
    own = [path.name for path in OPS.rglob("*.py") if re.search(r"\bTable\(", path.read_text())]
    assert own == ["console.py"]


def test_a_text_message_with_several_lines_is_one_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TEXTS).mkdir(parents=True)
    message = {"to": "+49301234567", "text": "first line\n\nsecond " + "word " * 100}
    (tmp_path / TEXTS / "1796000000000000000.N7.sink").write_text(json.dumps(message))

    list_received(tmp_path, 50, as_json=False)

    _, row = capsys.readouterr().out.splitlines()
    assert "first line second word" in row


def test_keys_init_creates_only_missing_files(tmp_path: Path) -> None:
    names = ("signing.pem", "audit.pem", "master.key", "events.key")
    signing, audit, master, events = files = [tmp_path / "keys" / name for name in names]
    storage = tmp_path / "keys" / "storage"
    settings = Settings(
        signing_key_file=signing,
        audit_key_file=audit,
        master_key_file=master,
        events_key_file=events,
        storage_key_dir=storage,
    )

    assert keys.init(settings) == [*((path, True) for path in files), (storage, True)]

    before = [path.read_bytes() for path in files]
    private = (*files, *storage.iterdir())
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
    assert len(set(before)) == len(files)
    load_signing_key(signing)
    Keys.load(settings)
    EventMac.load(settings)
    audit.unlink()
    assert keys.init(settings) == [*((path, path == audit) for path in files), (storage, False)]
    assert [path.read_bytes() for path in (signing, master, events)] == [before[0], *before[2:]]


def test_consumers_are_found_in_stack_env_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "CLINIC_METRICS_URL_WORKER_1=http://127.0.0.1:1\nCLINIC_METRICS_URL_AUDITOR=http://127.0.0.1:2\n"
    (tmp_path / "stack.env").write_text(lines)
    monkeypatch.setenv("CLINIC_METRICS_URL_AUDITOR", "http://audit.example:9000/")

    urls = monitoring_urls(tmp_path)

    assert urls == {"auditor": "http://audit.example:9000", "worker-1": "http://127.0.0.1:1"}


def test_a_path_in_a_properties_file_is_ascii() -> None:
    assert escaped(Path("/home/josé/漢🏥")) == r"/home/jos\u00e9/\u6f22\ud83c\udfe5"


def ended(*arguments: str, folder: Path) -> tuple[int, list[str]]:
    """Status and complaints of a command where no server runs."""
    command = [sys.executable, "-m", "ops.cli", *arguments]
    settings = {"CLINIC_KAFKA_BOOTSTRAP": "127.0.0.1:9", "PYTHONPATH": str(OPS.parent)}
    process = subprocess.run(command, env=settings, cwd=folder, capture_output=True, text=True)
    return process.returncode, process.stderr.splitlines()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("pause", "Kafka does not answer: KafkaConnectionError: Unable to bootstrap from [127.0.0.1:9]"),
        ("audit export --out nowhere/trail", "nowhere/trail: No such file or directory."),
        ("load smoke --report .", ".: Is a directory."),
    ],
)
def test_a_failure_is_one_sentence(command: str, sentence: str, tmp_path: Path) -> None:
    status, [complaint] = ended(*command.split(), folder=tmp_path)

    assert status == 1
    assert complaint.startswith(sentence)


@pytest.mark.parametrize(
    "since", ["", "yesterday", "2026-03-01", "2026-03-01T00:00:00", "9999-01-01T00:00:00Z"]
)
def test_a_time_without_its_offset_or_still_to_come_is_misuse(since: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", "verify", "--since", since, "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "--since" in result.stderr


@pytest.mark.parametrize("url", ["clinic.example", "ftp://clinic.example", "http://", "http://x:99999"])
def test_a_load_test_of_no_address_is_misuse(url: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["load", "smoke", "--url", url, "--key-file", str(tmp_path)])

    assert result.exit_code == 2
    assert "--url" in result.stderr
