"""A test's SMTP server: it can be made to fail at each step, and records what it received."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psutil

from infra import clock
from infra.settings import Settings
from ops.embedded import Child
from tests.clinic import free_port
from tests.waiting import until_async

Step = Literal["connect", "mail", "rcpt", "data", "dot", "reply"]
FOR_EVER = 1_000_000


@dataclass(frozen=True)
class Mail:
    """A mail that arrived whole. `at` is Unix time, seconds."""

    at: float
    to: str
    id: str
    subject: str
    content: str


class SmtpServer:
    """A process, with `start`, `stop` and `kill` like any other (`process`)."""

    def __init__(
        self,
        directory: Path,
        *,
        tls: Literal["none", "starttls", "implicit"] = "none",
        certificate: Path | None = None,
    ) -> None:
        self.port = free_port()
        self._tls = tls
        self._directory = directory / "smtp"
        for folder in (self._directory, directory / "run", directory / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        self._rules: list[dict[str, object]] = []
        self._write_rules()
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.notify.channels.smtp_process",
            self._directory,
            str(self.port),
            "--tls",
            tls,
        ]
        if certificate is not None:
            argv += ["--certificate", certificate]
        self.process = Child("smtp", argv, data_dir=directory, probe=partial(_listens, self.port))

    def settings(self, settings: Settings, **changes: object) -> Settings:
        """Settings of a notifier that uses this server, with short times."""
        return settings.model_copy(
            update={
                "smtp_host": "127.0.0.1",
                "smtp_port": self.port,
                "smtp_tls": self._tls,
                "smtp_rate_per_s": 500.0,
                "smtp_timeout_s": 5.0,
                "smtp_accept_timeout_s": 5.0,
                "notify_lease_s": 4.0,
                "sms_url": None,
                **changes,
            }
        )

    def rule(self, step: Step, do: str, *, times: int = FOR_EVER, to: str = "") -> "Rule":
        """From now on at this step: `drop`, `hold` (until the rule is lifted), `wait SECONDS`, or a reply.

        The step `reply` comes after a mail was recorded and before it is acknowledged.

        `reply` is after a mail was taken down, before it is acknowledged.
        """
        rule = {"id": clock.new_id().hex, "step": step, "do": do, "times": times, "to": to}
        self._rules.append(rule)
        self._write_rules()
        return Rule(self, rule)

    @contextlib.contextmanager
    def held(self, step: Step, *, times: int = FOR_EVER) -> Iterator["Rule"]:
        """Hold every connection at this step inside the block."""
        rule = self.rule(step, "hold", times=times)
        try:
            yield rule
        finally:
            rule.lift()

    def lift(self, rule: dict[str, object]) -> None:
        """Remove the rule."""
        self._rules = [other for other in self._rules if other != rule]
        self._write_rules()

    def lift_all(self) -> None:
        """Remove all rules."""
        self._rules.clear()
        self._write_rules()

    def _write_rules(self) -> None:
        new = self._directory / "rules.json.new"
        new.write_text(json.dumps(self._rules))
        new.replace(self._directory / "rules.json")

    @property
    def mails(self) -> list[Mail]:
        """Mails that arrived whole, in order."""
        return [Mail(**line) for line in self._lines("mails.ndjson")]

    def steps(self, step: Step) -> int:
        """How often the step was reached."""
        return sum(line["step"] == step for line in self._lines("steps.ndjson"))

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self._directory / name
        text = path.read_text() if path.exists() else ""
        # The last line may still be incomplete.
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    async def receives(self, count: int, timeout_s: float = 60) -> list[Mail]:
        """Waits until so many mails have arrived, repeats included."""

        async def arrived() -> bool:
            return len(self.mails) >= count

        await until_async(arrived, f"{count} mails", timeout_s)
        return self.mails

    async def reaches(self, step: Step, count: int = 1, timeout_s: float = 60) -> None:
        """Waits until the step has been reached so often."""

        async def reached() -> bool:
            return self.steps(step) >= count

        await until_async(reached, f"step {step}, {count} times", timeout_s)


class Rule:
    """The server's behaviour at a step, until it is lifted."""

    def __init__(self, server: SmtpServer, rule: dict[str, object]) -> None:
        self._server = server
        self._rule = rule

    def lift(self) -> None:
        """Remove the rule."""
        self._server.lift(self._rule)


async def _listens(port: int) -> str:
    # Found through the kernel: a connection would count as a step.
    listening = [
        connection.laddr
        for connection in psutil.net_connections("tcp4")
        if connection.status == psutil.CONN_LISTEN
    ]
    if ("127.0.0.1", port) not in listening:
        raise OSError("nobody listens yet")
    return ""
