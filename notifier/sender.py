"""Letters that are due, claimed in batches and put into the line of their channel."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg
import structlog

from contracts.challenges import Secret
from infra.errors import MisconfiguredError, TransientError
from infra.postgres import CONFLICTS, is_outage
from notifier.codes import Codes
from notifier.content import Kind, Letter
from notifier.letters import Dropped, Letters, Missing, TooLate
from notifier.line import Held, Line
from notifier.outbox import Lane, Outbox, Settlement
from notifier.pace import retry_after_s

# Held by this process at a time: enough that no worker ever waits, and no more than is sent in some seconds.
HELD_MAX: dict[Lane, int] = {"codes": 16, "letters": 100}
HELD_S_MAX = 5.0
# Whatever wake-up got lost, or whatever the clock did.
SLEEP_S_MAX = 15.0
# What is due but held by others is asked for again after this.
SLEEP_S_MIN = 0.1
RETRY_S = 0.5
MISSING_RETRY_S = (0.5, 60.0)
MISCONFIGURED_RETRY_S = 60.0
# What is cut off between the last dot and the answer is sent again. It gets the time there is: whoever stops
# us kills us after 15 s.
STOP_TIMEOUT_S = 12.0

_log = structlog.get_logger(__name__)


class Claimer:
    """Claims the letters of one lane for one channel, as many as can be delivered soon."""

    def __init__(
        self,
        lane: Lane,
        channel: str,
        outbox: Outbox,
        letters: Letters,
        codes: Codes,
        lines: Mapping[str, Line],
        lease: timedelta,
    ) -> None:
        """`lines` are those of all channels, by name."""
        self._lane = lane
        self._outbox = outbox
        self._letters = letters
        self._codes = codes
        self._line = lines[channel]
        self._others = {name: line for name, line in lines.items() if name != channel}
        self._lease = lease
        self._held = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    async def stopped(self) -> None:
        """Claim nothing more; return when what was claimed is in its line."""
        self._stopping = True
        self._wake.set()
        await self._ended.wait()

    async def run(self) -> None:
        """Claim until stopped or cancelled."""
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    await self._wait(await self._claim())
                except Exception as error:
                    if not (is_outage(error) or isinstance(error, CONFLICTS)):
                        raise
                    _log.warning("cannot claim yet", lane=self._lane, error=repr(error))
                    await self._wait(RETRY_S)
        finally:
            self._ended.set()

    async def _claim(self) -> float | None:
        """Claim once. Returns how long nothing can be done but by a wake-up, seconds."""
        if self._line.pace.closed_for_s:
            return self._line.pace.closed_for_s
        held_max = self._held_max()
        free = held_max - self._held
        if free < (held_max + 1) // 2:
            return SLEEP_S_MAX  # whoever settles a letter wakes us
        rows = await self._outbox.claim(self._lane, list(self._others), free)
        until_s = time.monotonic() + self._lease.total_seconds()
        await asyncio.gather(*(self._take(row, until_s) for row in rows))
        if len(rows) == free:
            return None
        due_s = await self._outbox.next_due_s(self._lane, list(self._others))
        return SLEEP_S_MAX if due_s is None else min(SLEEP_S_MAX, max(SLEEP_S_MIN, due_s))

    def _held_max(self) -> int:
        held_s_max = min(HELD_S_MAX, self._lease.total_seconds() / 4)
        return max(1, min(HELD_MAX[self._lane], int(held_s_max * self._line.pace.rate_per_s)))

    async def _wait(self, for_s: float | None) -> None:
        if for_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(for_s):
                    await self._wake.wait()

    async def _take(self, row: asyncpg.Record, until_s: float) -> None:
        self._held += 1
        letter = await self._letter(row)
        if isinstance(letter, Settlement):
            await self._outbox.settle(letter, row["kind"])
            self._done()
            return
        due_s = time.monotonic() - row["age_s"]
        held = Held(
            *(letter, row["claim"], row["tries"], row["sends"], row["profile"]),
            due_s=due_s,
            until_s=until_s,
            done=self._done,
        )
        other = self._others.get(letter.recipient.channel)
        if other is None:
            self._line.put(held)
        else:
            other.release(held)  # so that its own claimers know it

    def _done(self) -> None:
        self._held -= 1
        self._wake.set()

    async def _letter(self, row: asyncpg.Record) -> Letter | Settlement:
        id_, claim = row["id"], row["claim"]
        try:
            letter = self._letters.of(row, await self._secret(row))
        except MisconfiguredError as error:
            _log.critical("letters cannot be written", error=str(error))
            after = timedelta(seconds=MISCONFIGURED_RETRY_S)
            return Settlement(id_, claim, "planned", str(error), after)
        except TransientError as error:
            return Settlement(id_, claim, "planned", str(error), timedelta(seconds=RETRY_S), tried=True)
        except ValueError as error:
            _log.error("letter cannot be written", notification=str(id_), error=str(error))
            return Settlement(id_, claim, "undeliverable", str(error))
        match letter:
            case Dropped(reason):
                return Settlement(id_, claim, "dropped", reason)
            case Missing(reason):
                after = timedelta(seconds=retry_after_s(row["tries"], *MISSING_RETRY_S))
                return Settlement(id_, claim, "planned", reason, after, tried=True)
            case TooLate():
                return _too_late(row)
            case Letter():
                return letter

    async def _secret(self, row: asyncpg.Record) -> Secret | None:
        if row["kind"] != Kind.LOGIN_CODE or row["late"]:
            return None
        return await self._codes.of(row["challenge_id"])


def _too_late(row: asyncpg.Record) -> Settlement:
    """A reminder or a code is of no use any more; of anything else somebody should hear otherwise."""
    reason = f"too late; last: {row['reason']}" if row["reason"] else "too late"
    useless = row["kind"] in (Kind.REMINDER, Kind.LOGIN_CODE)
    return Settlement(row["id"], row["claim"], "dropped" if useless else "undeliverable", reason)


async def stop(claimers: Sequence[Claimer], lines: Sequence[Line]) -> None:
    """Claim nothing more, give back what waits, and wait a while for what is being delivered."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await asyncio.gather(*(claimer.stopped() for claimer in claimers))
            await asyncio.gather(*(line.settled() for line in lines))
