"""Services that are killed, frozen, given a wrong time, started and stopped."""

import asyncio
import random
import signal
import time
from datetime import timedelta

from ops.embedded import Child
from tests.faults.faults.fault import Fault
from tests.faults.machine.disk import UnavailableError
from tests.faults.machine.machine import FOLLOWERS, INGRESSES, JUMPING, WORKERS, Machine
from tests.faults.monitors.recovery import WORKER_S_MAX

# Longer than the session timeout (6 s): others take over before the service resumes.
FROZEN_S = (8.0, 30.0)
STORM_S = 20.0
STORM_LIFE_S = (1.0, 5.0)
JUMP_HELD_S = (8.0, 15.0)


class KillWorker(Fault):
    """kill -9 of a worker; the supervisor restarts it."""

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
    """kill -9 of an ingress, during its clients' requests."""

    name = "kill-ingress"
    seconds = 6.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        since = time.monotonic()
        machine.services[chance.choice(INGRESSES)].send(signal.SIGKILL)
        await machine.recoveries.measure(self.name, since)


class KillFollower(Fault):
    """kill -9 of the auditor or the notifier; its successor does the unfinished work once."""

    name = "kill-follower"
    seconds = 1.0
    disturbs = True
    mail_may_repeat = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        machine.services[chance.choice(FOLLOWERS)].send(signal.SIGKILL)


class _Freeze(Fault):
    names: tuple[str, ...]

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        name = chance.choice(self.names)
        child = machine.services[name]
        frozen = INGRESSES.index(name) if name in INGRESSES else None
        since, held_s = time.monotonic(), chance.uniform(*FROZEN_S)
        child.send(signal.SIGSTOP)
        try:
            await asyncio.gather(
                asyncio.sleep(held_s),
                machine.recoveries.measure(f"{self.name}, still frozen", since, without=frozen),
            )
        finally:
            child.send(signal.SIGCONT)
        await machine.recoveries.measure(self.name, time.monotonic())


class FreezeWorker(_Freeze):
    """SIGSTOP of a worker until others own its partitions, then SIGCONT."""

    name = "freeze-worker"
    names = WORKERS
    seconds = 21.0


class FreezeIngress(_Freeze):
    """SIGSTOP of an ingress, then SIGCONT: it answers old requests."""

    name = "freeze-ingress"
    names = INGRESSES
    seconds = 21.0


class RebalanceStorm(Fault):
    """More workers join and leave, orderly or not, so that partitions change owners all the time."""

    name = "rebalance-storm"
    seconds = STORM_S + 8.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        until = time.monotonic() + STORM_S
        number = 0
        while time.monotonic() < until:
            number += 1
            # A name of its own: nothing waits for a process of that name to be restarted.
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
    """A worker's wall clock jumps by a day, forward or back, and later back again."""

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
