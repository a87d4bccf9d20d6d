"""The addresses that a scan may connect to: no private ones unless allowed, and for each name its first answer.

Pages and name servers may name any host and any address. Without this check, a page could make the scan send requests
to the scanner's own network (server-side request forgery, DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping

Address = tuple[str, int]
Resolve = Callable[[str], Awaitable[list[str]]]

NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Local NAT64 (RFC 8215), and the IPv4-compatible form that RFC 4291 deprecates: both may lead to a private address.
MAYBE_PRIVATE = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("::/96"))
LOOPBACK = "127.0.0.1"
MOST_NAMES = 2000  # a page may name any number
TIMEOUT_SECONDS = 5.0


class AddressRefusedError(Exception):
    """Say that a host has a private address, or cannot be found."""


class Addresses:
    """Resolve host names for one scan. Owns the answers, so that a name keeps its addresses until the scan ends."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        own: Mapping[Address, Address] | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """Take `own`, which maps addresses to those at which the scan serves them, and another resolver for tests."""
        self._allow_private, self.own = allow_private, dict(own or {})
        self._resolve = resolve or by_system
        self._pinned: dict[str, list[str]] = {}
        self.refused: set[str] = set()

    async def of(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host in the resolver's order; raises AddressRefusedError."""
        own = self.own.get((host, port))
        if own is not None:
            return [own]
        if host not in self._pinned:
            if len(self._pinned) >= MOST_NAMES:
                raise AddressRefusedError(f"{host}: the pages named more than {MOST_NAMES} hosts")
            self._pinned[host] = await self._look_up(host)
        allowed = [ip for ip in self._pinned[host] if self._allow_private or not is_private(ip)]
        if not allowed:
            self.refused.add(host)
            raise AddressRefusedError(
                f"{host} has a private address: --allow-private lets the scan contact it"
            )
        return [(ip, port) for ip in allowed]

    async def _look_up(self, host: str) -> list[str]:
        try:
            found = await asyncio.wait_for(self._resolve(host), TIMEOUT_SECONDS)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise AddressRefusedError(f"{host} cannot be found") from error
        if not found:
            raise AddressRefusedError(f"{host} cannot be found")
        return found


async def by_system(host: str) -> list[str]:
    """Return the system's addresses of a host; `*.localhost` is this machine, as in browsers."""
    if host == "localhost" or host.endswith(".localhost"):
        return [LOOPBACK]
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in found))


def is_private(address: str) -> bool:
    """Return whether an address is outside of all public networks, also if an IPv6 address wraps it.

    >>> [is_private(ip) for ip in ("127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "93.184.215.14")]
    [True, True, True, False]
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return is_private(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.is_site_local or any(ip in network for network in MAYBE_PRIVATE):
            return True
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_private(str(inner))
    return not ip.is_global or ip.is_multicast
