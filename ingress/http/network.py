"""The network that a request comes from, by which limits count those whom nobody knows."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from fastapi import Request

IPV6_PREFIX = 64
# Reading an address takes longer than all else that limits do.
REMEMBERED_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Network:
    """The network that a request comes from: an IPv4 address, or the /64 of an IPv6 one."""

    name: str

    @classmethod
    def of(cls, request: Request) -> "Network":
        """The client's network."""
        return _network(request.client.host if request.client else "")


@lru_cache(REMEMBERED_MAX)
def _network(host: str) -> Network:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return Network(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return Network(str(address.ipv4_mapped))
        return Network(str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False)))
    return Network(str(address))
