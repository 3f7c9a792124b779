"""The runbook explains every critical log line, and says what to run."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PRODUCT = ("auditor", "booking_worker", "infra", "ingress", "notifier", "ops", "storage")
TEXT = (ROOT / "docs" / "RUNBOOK.md").read_text()


def critical_lines() -> dict[str, str]:
    """The event of every critical log line, and its file."""
    found = {}
    for path in (path for folder in PRODUCT for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_log.critical"):
                event = ast.literal_eval(node.args[0])
                found[event] = str(path.relative_to(ROOT))
    return found


def test_every_critical_line_has_a_section_and_every_section_a_line() -> None:
    section = TEXT.partition("## Critical log lines")[2]
    headings = {text.strip("` ") for text in re.findall(r"^### (`.+`)$", section, re.MULTILINE)}
    lines = {event.strip("` "): path for event, path in critical_lines().items()}
    assert len(lines) >= 10
    assert headings == lines.keys()


def test_each_section_has_a_command() -> None:
    for section in TEXT.split("\n### ")[1:]:
        assert "\n    clinic " in section, section.splitlines()[0]
