"""Services that are killed, frozen, told a wrong time, or come and go."""

import asyncio
import random
import signal
import time
from datetime import timedelta

from ops.embedded import Child
from tests.faults.disk import UnavailableError
from tests.faults.fault import Fault
from tests.faults.machine import INGRESSES, JUMPING, WORKERS, Machine
from tests.faults.recovery import WORKER_S_MAX

# Longer than the session timeout (6 s), so that others have taken over when the service wakes up.
FROZEN_S = (8.0, 30.0)
STORM_S = 20.0
STORM_LIFE_S = (1.0, 5.0)
JUMP_HELD_S = (8.0, 15.0)


class KillWorker(Fault):
    """kill -9 of a worker; the supervisor starts it again."""

    name = "kill-worker"
    seconds = 5.0
    all_at_once = False

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        since = time.monotonic()
        for name in WORKERS if self.all_at_once else (chance.choice(WORKERS),):
            machine.services[name].send(signal.SIGKILL)
        await machine.recoveries.measure(self.name, since, WORKER_S_MAX)


class KillWorkers(KillWorker):
    """kill -9 of all workers at once."""

    name = "kill-workers"
    all_at_once = True


class KillIngress(Fault):
    """kill -9 of an ingress, in the middle of its clients' requests."""

    name = "kill-ingress"
    seconds = 6.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        since = time.monotonic()
        machine.services[chance.choice(INGRESSES)].send(signal.SIGKILL)
        await machine.recoveries.measure(self.name, since)


class _Freeze(Fault):
    names: tuple[str, ...]

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        child = machine.services[chance.choice(self.names)]
        since, held_s = time.monotonic(), chance.uniform(*FROZEN_S)
        child.send(signal.SIGSTOP)
        try:
            await asyncio.gather(
                asyncio.sleep(held_s),
                machine.recoveries.measure(f"{self.name}, still frozen", since),
            )
        finally:
            child.send(signal.SIGCONT)
        await machine.recoveries.measure(self.name, time.monotonic())


class FreezeWorker(_Freeze):
    """SIGSTOP of a worker until others have its partitions, then SIGCONT."""

    name = "freeze-worker"
    names = WORKERS
    seconds = 21.0


class FreezeIngress(_Freeze):
    """SIGSTOP of an ingress, then SIGCONT: it answers what was asked long ago."""

    name = "freeze-ingress"
    names = INGRESSES
    seconds = 21.0


class RebalanceStorm(Fault):
    """More workers join and leave, in an orderly way or not, so that partitions change hands all the time."""

    name = "rebalance-storm"
    seconds = STORM_S + 8.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        until = time.monotonic() + STORM_S
        number = 0
        while time.monotonic() < until:
            number += 1
            # A name of its own: nobody waits for one of that name to come back.
            extra = machine.child(
                f"worker-extra-{number}-{chance.getrandbits(16)}", like=chance.choice(WORKERS)
            )
            await extra.start()
            try:
                await asyncio.sleep(chance.uniform(*STORM_LIFE_S))
            finally:
                await (extra.kill() if chance.random() < 0.3 else extra.stop())
        await machine.recoveries.measure(self.name, time.monotonic())


class JumpClock(Fault):
    """A worker's time of day jumps by a day, forward or back, and later back again."""

    name = "jump-clock"
    seconds = 14.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        child = machine.services[JUMPING]
        if machine.clock is None or not _jumps(machine, child):
            raise UnavailableError(f"{JUMPING} runs without libfaketime")
        try:
            machine.clock.jump(timedelta(days=chance.choice((-1, 1))))
            await asyncio.sleep(chance.uniform(*JUMP_HELD_S))
            await machine.recoveries.measure(f"{self.name}, still wrong", time.monotonic())
        finally:
            machine.clock.jump(timedelta())
        await machine.recoveries.measure(self.name, time.monotonic())


def _jumps(machine: Machine, child: Child) -> bool:
    return machine.clock is not None and child.running and machine.clock.is_in(child.pid)
