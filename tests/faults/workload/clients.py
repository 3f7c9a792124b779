"""Many simultaneous clients, each a patient who also works in the clinic; every call is recorded in the
history.
"""

import asyncio
import random
import ssl
import time
from collections import defaultdict, deque
from dataclasses import replace
from functools import partial
from uuid import UUID

from contracts.commands import Actor, ActorKind
from infra.settings import Settings
from ops.tokens import register_patients
from tests.faults.settling import settle
from tests.faults.workload.history import STAFF, Call, History
from tests.faults.workload.mix import Board, Mix
from tests.faults.workload.scene import Ask, Scene
from tests.faults.workload.sender import TRIES_MAX, Ingresses, Sender
from tests.tokens import Tokens

CLIENTS = 24
READ_SHARE = 0.35
REPEAT_SHARE = 0.08
OTHER_BODY_SHARE = 0.02
STATUS_SHARE = 0.12
TWICE_AT_ONCE_SHARE = 0.05
# The number of earlier requests of which one may be sent again, behind newer ones.
SENT_MAX = 50
# With the entity tag of the last answer, if it had one.
KNOWN_SHARE = 0.5
PAUSE_S = 0.05
FINAL_WAIT_S = 5
FINAL_TRIES_MAX = 30
AT_ONCE_MAX = 16
# The pages of a list after the first.
PAGES_MAX = 5

PENDING = "pending"

Sent = tuple[Ask, str]


class Clients:
    """They book, reschedule, cancel, change hours and read, while `may_ask` is set.

    `prepare` comes first, `finish` when nothing is broken any more. A seed determines the requests, as far as
    they do not depend on answers.
    """

    def __init__(
        self,
        urls: list[str],
        settings: Settings,
        seed: int,
        history: History,
        may_ask: asyncio.Event,
        clients: int = CLIENTS,
        doctors: int = 12,
        patients: int = 24,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._urls = urls
        self._tls = tls
        self._settings = settings
        self._seed = seed
        self._history = history
        self._may_ask = may_ask
        self._count = clients
        self._patients_count = patients
        self._scene = Scene(seed, doctors)
        self._board = Board()
        self._unclear: dict[tuple[str, str], Ask] = {}
        self._receipts: dict[str, str] = {}
        self._undecided: dict[int, deque[tuple[Ask, str]]] = defaultdict(partial(deque, maxlen=SENT_MAX))
        self._patients: list[str] = []

    @property
    def operations(self) -> int:
        """The number of calls made."""
        return len(self._history.calls)

    async def prepare(self) -> None:
        """Register patients, and doctors with their hours."""
        addresses = [f"patient-{number}-{self._seed}@example.org" for number in range(self._patients_count)]
        self._patients = [str(id_) for id_ in await register_patients(self._settings, addresses)]
        people = {id_: Actor(kind=ActorKind.PATIENT, id=UUID(id_)) for id_ in self._patients}
        people[STAFF] = Actor(kind=ActorKind.STAFF, id=UUID(self._scene.staff_id))
        self._ingresses = Ingresses(self._urls, people, Tokens(self._settings), self._tls)
        sender = self._sender(0, "prepare")
        for number, doctor in enumerate(self._scene.doctors):
            registered = Ask("POST", "/v1/doctors", STAFF, doctor.registration)
            await self._write(sender, registered, f"{self._seed}-doctor-{number}", wait_s=10)
            hours = Ask("PUT", f"/v1/doctors/{doctor.id}/schedule", STAFF, {"hours": doctor.hours})
            await self._write(sender, hours, f"{self._seed}-hours-{number}", wait_s=10)

    async def run(self, stop: asyncio.Event) -> None:
        """Send requests until stopped."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._client(number, stop))

    async def finish(self) -> None:
        """Learn the outcome of every command, and read everything once more."""
        at_once = asyncio.Semaphore(AT_ONCE_MAX)
        sender = self._sender(self._count + 1, "finish")

        async def learn(ask: Ask, key: str) -> None:
            async with at_once:
                await self._write(sender, ask, key, FINAL_WAIT_S, FINAL_TRIES_MAX)

        async def look(path: str, actor: str, query: str = "") -> None:
            async with at_once:
                await self._read(sender, Ask("GET", path + query, actor), FINAL_TRIES_MAX)

        await asyncio.gather(*(learn(ask, key) for (_, key), ask in list(self._unclear.items())))
        wait = f"?wait={FINAL_WAIT_S}"
        await asyncio.gather(*(look(path, actor, wait) for path, actor in self._receipts.items()))
        # A command whose outcome nobody learned may still be under way.
        if not self._unclear and not await settle(self._settings, FINAL_WAIT_S):
            self._history.settled = time.monotonic()
        booked = {id_ for id_, _ in self._board.appointments}
        await asyncio.gather(*(look(f"/v1/appointments/{id_}", STAFF) for id_ in booked))
        await asyncio.gather(*(look("/v1/appointments?limit=200", id_) for id_ in self._patients))
        first, last = self._scene.dates()
        days = f"from={first}&to={last}"
        for doctor in self._scene.doctors:
            await look(f"/v1/doctors/{doctor.id}", STAFF)
            await look(f"/v1/doctors/{doctor.id}/calendar?{days}", STAFF)
            await look(f"/v1/doctors/{doctor.id}/availability?{days}&visit_type=checkup", STAFF)
        await self._ingresses.close()

    def _sender(self, number: int, name: str) -> Sender:
        return Sender(number, self._ingresses, self._history, random.Random(f"{self._seed} {name} pauses"))

    async def _client(self, number: int, stop: asyncio.Event) -> None:
        chance = random.Random(f"{self._seed} client {number}")
        sender = self._sender(number, f"client {number}")
        mix = Mix(self._scene, self._patients, self._patients[number % len(self._patients)], self._board)
        sent: deque[Sent] = deque(maxlen=SENT_MAX)
        tags: dict[str, str] = {}
        for turn in range(1_000_000):
            await self._may_ask.wait()
            if stop.is_set():
                return
            kind = chance.random()
            if kind < READ_SHARE:
                ask, known = mix.read(chance), chance.random() < KNOWN_SHARE
                call = await self._read(sender, ask, etag=tags.get(ask.path, "") if known else "")
                if tag := call.headers.get("etag"):
                    tags[ask.path] = tag
            elif kind < READ_SHARE + STATUS_SHARE and self._undecided[number]:
                await self._poll(sender, chance)
            elif kind < READ_SHARE + STATUS_SHARE + REPEAT_SHARE and sent:
                await self._write(sender, *chance.choice(sent), wait_s=chance.choice((0, 2)))
            elif kind < READ_SHARE + STATUS_SHARE + REPEAT_SHARE + OTHER_BODY_SHARE and sent:
                ask, key = chance.choice(sent)
                await self._write(sender, mix.other(ask, chance), key, wait_s=0)
            else:
                asks = mix.writes(chance)
                keys = [f"{self._seed}-{number}-{turn}-{position}" for position in range(len(asks))]
                new = list(zip(asks, keys, strict=True))
                sent.extend(new)
                if chance.random() < TWICE_AT_ONCE_SHARE:
                    new *= 2
                waits = [chance.choice((0, 0, 1, 5)) for _ in new]
                await asyncio.gather(
                    *(
                        self._write(sender, ask, key, wait_s)
                        for (ask, key), wait_s in zip(new, waits, strict=True)
                    )
                )
            await asyncio.sleep(PAUSE_S * chance.random())

    async def _poll(self, sender: Sender, chance: random.Random) -> None:
        """Poll the status of a pending command until it is decided."""
        undecided = self._undecided[sender.number]
        ask, location = undecided.popleft()
        wait = chance.choice(("", "?wait=2"))
        call = await sender.send(Ask("GET", location + wait, ask.actor))
        if not isinstance(call.answer, dict) or call.answer.get("state", PENDING) == PENDING:
            undecided.append((ask, location))
        else:
            self._board.note(ask, call.answer)

    async def _read(self, sender: Sender, ask: Ask, tries_max: int = TRIES_MAX, etag: str = "") -> Call:
        """Read it, and some further pages if it is a list: returns the first call."""
        first = call = await sender.send(ask, tries_max=tries_max, etag=etag)
        if isinstance(call.answer, dict):
            self._board.note(ask, call.answer)
        for _ in range(PAGES_MAX):
            cursor = call.answer.get("next_cursor") if isinstance(call.answer, dict) else None
            if not cursor:
                break
            call = await sender.send(replace(ask, path=f"{ask.path}&cursor={cursor}"), tries_max=tries_max)
        return first

    async def _write(
        self, sender: Sender, ask: Ask, key: str, wait_s: int, tries_max: int = TRIES_MAX
    ) -> None:
        self._unclear.setdefault((ask.actor, key), ask)
        call = await sender.send(ask, key, wait_s, tries_max)
        if call.status is None or call.status >= 500:
            return
        if self._unclear.get((ask.actor, key)) == ask:
            del self._unclear[ask.actor, key]
        if call.status not in (200, 202) or not isinstance(call.answer, dict):
            return
        if location := call.headers.get("location"):
            self._receipts[location] = ask.actor
            if call.answer.get("state") == PENDING:
                self._undecided[sender.number].append((ask, location))
        self._board.note(ask, call.answer)
