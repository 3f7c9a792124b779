"""Connections between a service and a server that are slow, silent or cut."""

import asyncio
import random
import time

from tests.faults.faults.fault import Fault
from tests.faults.machine.machine import SERVICES, Machine
from tests.faults.machine.proxy import Proxy
from tests.faults.machine.servers import SERVERS

# Each way: up to an intercontinental latency.
LATENCY_S = (0.02, 0.1)
SLOW_S = (5.0, 12.0)
SILENT_S = (5.0, 20.0)
CUTS_MAX = 5
CUTTING_S = 5.0


def _random_proxy(machine: Machine, chance: random.Random) -> tuple[str, Proxy]:
    service, server = chance.choice(SERVICES), chance.choice(SERVERS)
    [proxy] = machine.servers.proxies(service, server)
    return f"{service} to {server}", proxy


class Latency(Fault):
    """All traffic between the services and one server is slower."""

    name = "latency"
    mail_may_repeat = True
    seconds = 9.0
    disturbs = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        proxies = machine.servers.proxies(server=chance.choice(SERVERS))
        latency_s = chance.uniform(*LATENCY_S)
        try:
            for proxy in proxies:
                proxy.latency_s = latency_s
            await asyncio.sleep(chance.uniform(*SLOW_S))
        finally:
            for proxy in proxies:
                proxy.latency_s = 0.0


class BlackHole(Fault):
    """A service's connections to a server stay open but pass nothing; later they continue or are reset."""

    name = "black-hole"
    mail_may_repeat = True
    seconds = 16.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        where, proxy = _random_proxy(machine, chance)
        proxy.black_hole()
        try:
            await asyncio.sleep(chance.uniform(*SILENT_S))
        finally:
            if chance.random() < 0.5:
                proxy.reset()
            proxy.heal()
        await machine.recoveries.measure(f"{self.name}, {where}", time.monotonic())


class CutWrites(Fault):
    """A service's messages to a server, or the replies, are cut in half, and the connection is reset."""

    name = "cut-writes"
    mail_may_repeat = True
    seconds = 5.0
    disturbs = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        _, proxy = _random_proxy(machine, chance)
        proxy.cuts = chance.randint(1, CUTS_MAX)
        try:
            await asyncio.sleep(CUTTING_S)
        finally:
            proxy.cuts = 0
