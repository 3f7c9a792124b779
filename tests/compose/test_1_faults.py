"""Clients book through the proxy while each container is killed: every guarantee holds."""

import asyncio
import email
import email.policy
import json
import random
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime

from tests.compose.server import LONG_RUNNING, Server
from tests.faults.checker import Finding, Followers, Mail
from tests.faults.monitors.mailbox import mail_of
from tests.faults.results.followers import settle_followers, written_by_followers
from tests.faults.results.topics import check, read_topics
from tests.faults.settling import settle
from tests.faults.workload.clients import Clients
from tests.faults.workload.history import History

SECONDS = 180.0
SETTLE_S = 180.0
# The machine that runs all this has few cores.
CLIENTS = 8
OPERATIONS_MIN = 1_000
SEPARATOR = "\x1e"
PRINT_MAILS = (
    "import pathlib; [print(path.name, path.read_text(errors='surrogateescape'), sep='\\n', end='\\x1e')"
    " for path in sorted(pathlib.Path('/data/mail/new').iterdir())]"
)


async def test_the_guarantees_hold_while_each_container_is_killed(server: Server) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    history, may_ask, stop = History(), asyncio.Event(), asyncio.Event()
    may_ask.set()
    begun_at, began = time.time(), time.monotonic()
    clients = Clients([server.url], server.settings, seed, history, may_ask, CLIENTS, tls=server.tls)
    await clients.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(clients.run(stop))
        try:
            await _crash_each(server, random.Random(seed))
            await asyncio.sleep(began + SECONDS - time.monotonic())
        finally:
            stop.set()
    left = await settle(server.settings, SETTLE_S)
    findings = [Finding("I1", f"after the last fault {text}") for text in left]
    await clients.finish()
    findings += await settle_followers(server.settings, SETTLE_S)
    topics = replace(await read_topics(server.settings), followers=await _followers(server, begun_at))
    findings += check(history, topics)

    print(f"{clients.operations} operations")
    assert clients.operations >= OPERATIONS_MIN
    assert findings == [], "\n".join(f"{finding.invariant}: {finding.text}" for finding in findings)


async def _crash_each(server: Server, chance: random.Random) -> None:
    for service in chance.sample(LONG_RUNNING, len(LONG_RUNNING)):
        print(f"{datetime.now(UTC):%H:%M:%S} kill {service}", flush=True)
        await asyncio.to_thread(server.crash, service)
        await asyncio.to_thread(server.until_well, service)


async def _followers(server: Server, begun_at: float) -> Followers:
    written = await written_by_followers(server.settings)
    ended_at = time.time()
    for check_ in ("replay", "audit"):
        server.clinic(check_, "verify")  # fails with a finding
    mails = _mails(server)
    # A container that is killed may have sent what it has not recorded.
    return replace(written, mails=mails, unknown=[(begun_at, ended_at)], ended_at=ended_at)


def _mails(server: Server) -> list[Mail]:
    printed = server.compose("exec", "-T", "mail", "python", "-c", PRINT_MAILS)
    mails = []
    # The separator is white space, so there may be none behind the last mail.
    for text in filter(None, map(str.strip, printed.split(SEPARATOR))):
        name, _, content = text.partition("\n")
        # The sink's own two lines come first.
        _, to, content = content.split("\n", 2)
        message = email.message_from_string(content, policy=email.policy.compat32)
        line = {
            "id": str(message["Message-ID"]),
            "to": to.partition(": ")[2],
            "at": str(int(name.partition(".")[0]) / 1e9),
            "content": content,
        }
        mails.append(mail_of(json.loads(json.dumps(line))))
    return mails
