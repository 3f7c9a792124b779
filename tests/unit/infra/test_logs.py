"""Whatever is logged, a line stays a line (OWASP ASVS 5.0, V16.4.1)."""

import contextlib
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from infra.logs import configure_logging

FORGED = '{"event": "forged", "level": "critical"}'


@contextlib.contextmanager
def configured() -> Iterator[None]:
    """While inside, logs are those of a service."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging("INFO", "test")
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("separator", ["\n", "\r", "\x0b", "\x1b[2K", "\x85", "\x9b2K", "\u2028", "\u2029"])
def test_no_value_begins_a_line_or_controls_a_terminal(
    capsys: pytest.CaptureFixture[str], separator: str
) -> None:
    value = f"harmless{separator}{FORGED}"
    with configured():
        structlog.get_logger("ours").warning("refused", value=value)
        logging.getLogger("a library").warning("it said %s", value)
    written = capsys.readouterr().out

    assert written.isascii()
    assert not [sign for sign in written if not (sign.isprintable() or sign == "\n")]
    ours, foreign = map(json.loads, written.splitlines())
    assert (ours["event"], ours["value"]) == ("refused", value)
    assert foreign["event"] == f"it said {value}"
