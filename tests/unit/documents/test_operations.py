"""Every command and setting that the documents for operators name exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from infra.settings import Settings
from ops.cli import app

ROOT = Path(__file__).parents[3]
DOCUMENTS = ("RUNBOOK.md", "OPERATIONS.md", "CAPACITY.md")
# On a line of its own, or in backticks.
COMMAND = re.compile(r"^ {4,}clinic ([^\n>]+)|`clinic ([^`]+)`", re.MULTILINE)


def commands() -> list[str]:
    texts = [(ROOT / "docs" / name).read_text() for name in DOCUMENTS]
    return sorted({" ".join("".join(found).split()) for text in texts for found in COMMAND.findall(text)})


@pytest.mark.parametrize("line", commands())
def test_the_command_exists_with_these_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    while isinstance(command, TyperGroup) and words:
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts}
    assert [word for word in words if word.startswith("--") and word not in known] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_settings_exist(document: str) -> None:
    named = set(re.findall(r"\bCLINIC_([A-Z0-9_]+)\b", (ROOT / "docs" / document).read_text()))
    assert {name.lower() for name in named} - Settings.model_fields.keys() == set()
