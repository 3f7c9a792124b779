"""The results of the services that follow the events, collected at the end of a run."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.postgres import OUTAGES
from infra.settings import Settings
from tests.faults.checker import Entry, Finding, Followers, StoredEvent
from tests.faults.machine.machine import Machine
from tests.faults.machine.source import python_from
from tests.processes import environment

INTERVAL_S = 0.5
SAID_CHARACTERS_MAX = 400
# The clinic's own checks; each exits with status 0 if it finds nothing.
CHECKS = (("audit", "verify"), ("replay", "verify"))
# The followers' lag behind the events, and mails that are due.
BEHIND = """
SELECT p.partition, p.event_count AS events, coalesce(a.last_sequence, 0) AS audited,
    coalesce(n.last_sequence, 0) AS planned
FROM booking.partition_progress p
LEFT JOIN audit.progress a ON a.topic = $2 AND a.partition = p.partition
LEFT JOIN notify.progress n ON n.topic = $2 AND n.partition = p.partition
WHERE p.topic = $1 ORDER BY p.partition
"""
DUE = """
SELECT count(*) FROM notify.notifications
WHERE state IN ('planned', 'sending') AND dated <= now() AND deadline_at > now()
"""


async def settle_followers(settings: Settings, timeout_s: float) -> list[Finding]:
    """Waits until every event is audited and every due mail is sent; returns what is still missing."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            left = await _left(settings)
        except OUTAGES as error:
            left = [Finding("I11", f"the followers cannot be asked for: {error!r}")]
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(INTERVAL_S)


async def followers_of(machine: Machine, *, verify: bool = True) -> Followers:
    """The complete results. Without `verify`, the clinic's own checks are left out."""
    settings = machine.settings
    written = await written_by_followers(settings)
    ended_at = time.time()
    machine.mailbox.poll()
    checks = [check for check in CHECKS if verify and check not in machine.unfit]
    said = await asyncio.to_thread(lambda: [_said(machine, check) for check in checks])
    return replace(
        written,
        mails=list(machine.mailbox.mails),
        restored_at=machine.restored_at,
        unknown=list(machine.mail_may_repeat),
        ended_at=ended_at,
        commands={
            f"clinic {' '.join(check)}": text for check, text in zip(checks, said, strict=True) if text
        },
    )


async def written_by_followers(settings: Settings) -> Followers:
    """What stands in the database: events, the trail's entries, and how often each mail was sent."""
    postgres = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        stored = await postgres.fetch("SELECT * FROM booking.events ORDER BY partition, sequence")
        entries = await postgres.fetch(
            "SELECT partition, number, content FROM audit.entries WHERE chain = 'booking'"
        )
        sends = await postgres.fetch("SELECT id, sends FROM notify.notifications")
    finally:
        await postgres.close()
    domain = settings.mail_sender.partition("@")[2]
    return Followers(
        stored=[_stored(row) for row in stored],
        entries=[_entry(row) for row in entries],
        sends={f"<{row['id']}@{domain}>": row["sends"] for row in sends},
    )


async def _left(settings: Settings) -> list[Finding]:
    postgres = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        rows = await postgres.fetch(
            BEHIND, topic_name(settings, COMMANDS_TOPIC), topic_name(settings, EVENTS_TOPIC)
        )
        due = await postgres.fetchval(DUE)
    finally:
        await postgres.close()
    found = [
        f"the {who} has taken in {row[column]} of {row['events']} events of partition {row['partition']}"
        for row in rows
        for who, column in (("auditor", "audited"), ("notifier", "planned"))
        if row[column] < row["events"]
    ]
    if due:
        found.append(f"{due} mails are due and have not left")
    return [Finding("I11", text) for text in found]


def _said(machine: Machine, check: Sequence[str]) -> str:
    """The command's output; None if it succeeds."""
    python, variables = python_from(machine.source)
    done = subprocess.run(
        [*python, "-m", "ops.cli", *check, "--json"],
        env={**os.environ, **environment(machine.settings), **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return ""
    try:
        said = [finding for part in _parts(json.loads(done.stdout)) if (finding := _findings(part))]
    except (ValueError, AttributeError):
        return f"status {done.returncode}: {done.stdout[-200:]}{done.stderr[-SAID_CHARACTERS_MAX:]}"
    return f"status {done.returncode}: {'; '.join(map(str, said))[:SAID_CHARACTERS_MAX]}"


def _parts(report: Any) -> list[dict[str, Any]]:
    return list(report["partitions"] if isinstance(report, dict) and "partitions" in report else report)


def _findings(part: dict[str, Any]) -> Any:
    return part.get("findings") or part.get("finding")


def _stored(row: asyncpg.Record) -> StoredEvent:
    names = ("partition", "sequence", "type", "key", "subject", "decided_at", "traceparent", "data")
    return StoredEvent(id=str(row["event_id"]), **{name: row[name] for name in names})


def _entry(row: asyncpg.Record) -> Entry:
    event = json.loads(row["content"])["event"]
    return Entry(row["partition"], row["number"], event["id"], event["sequence"])
