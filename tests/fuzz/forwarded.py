"""Fuzz forwarding headers: each line of the input is one header, `name:value`, and the first is the peer's address."""

from __future__ import annotations

import re
from ipaddress import ip_address

from cookieguard.stats.anonymize import (
    FORWARDING_HEADERS,
    Networks,
    client_address,
    read_client,
    truncate,
    without_forwarding,
)

TRUSTED = Networks(("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"))
PROXY = "10.0.0.1"
HOST = re.compile(r"[a-z0-9_.\-\[\]:]+")
WORDS = """x-forwarded-for: forwarded: for= for="[2001:db8::7]:1" proto=https host= \\" 10.0.0.2, ::ffff:""".split()


def check(data: bytes) -> None:
    """Read who asks through a proxy, and directly."""
    peer, *lines = data.split(b"\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines)]
    direct = peer.decode("latin-1")
    for address in (PROXY, direct, None):
        client = read_client(address, headers, TRUSTED)
        shown = truncate(client.address)
        assert str(ip_address(shown)) == shown
        assert client.scheme in (None, "http", "https")
        assert client.host is None or HOST.fullmatch(client.host)
        if address and address not in TRUSTED:  # none at all is a Unix socket, which is our own machine
            assert (client.scheme, client.host) == (None, None), "an untrusted peer was believed"
        assert client_address(address, headers, TRUSTED) == client.address
    assert FORWARDING_HEADERS.isdisjoint(name for name, _ in without_forwarding(headers))
