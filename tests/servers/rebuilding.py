"""Rebuild visitors' addresses from copied files by trying all that fit a log line and a key of the day.

The log tells a network and a user agent, statistics a number made of address, agent and the day's key. Every key that
lies in any file is tried on every line, and an address that stands in a line is taken as it is.
"""

from __future__ import annotations

import json
import re
import sqlite3
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

from cookieguard.stats.full_address import visitor_key
from cookieguard.storage.state_directory import KEY_BYTES

LINE = re.compile(r'(\S+) - - \[[^]]*\] "(?:[^"\\]|\\.)*" \d+ \d+ "(?:[^"\\]|\\.)*" "((?:[^"\\]|\\.)*)"')
TOKEN = re.compile(rb"[A-Za-z0-9+/_=-]{32,100}")
SHORT = 4096  # bytes; of a longer file that is no text no piece is tried
SITE = ""  # of a shop without configured origins
HOUSEHOLD = 64  # bits of an IPv6 address that are told apart

Known = tuple[str, str]  # what a line says: client and agent


def rebuilt_from(copies: Path) -> set[str]:
    """Return every address (of IPv6 its /64) that follows from the files under a directory."""
    lines, wanted = set(_lines(copies)), _visitor_keys(copies)
    found = {told_apart(client) for client, _ in lines if not _is_cut(client)}
    for key in _keys(copies):
        for client, agent in filter(lambda line: _is_cut(line[0]), lines):
            tried = agent.encode()
            found |= {
                told_apart(one) for one in _guesses(client) if visitor_key(SITE, one, tried, key) in wanted
            }
    return found


def told_apart(client: str) -> str:
    """Return what of an address tells its visitor apart: of IPv6 the household."""
    address = ip_address(client)
    return client if address.version == 4 else str(ip_network((address, HOUSEHOLD), strict=False)[0])


def _guesses(client: str) -> Iterator[str]:
    """Yield the addresses a line may be of: 256 of IPv4, 65,536 households of IPv6."""
    if ":" not in client:
        yield from (f"{client.rpartition('.')[0]}.{host}" for host in range(256))
        return
    network = ":".join(ip_address(client).exploded.split(":")[:3])
    yield from (f"{network}:{household:x}::" for household in range(1 << 16))


def _is_cut(client: str) -> bool:
    address = ip_address(client)
    return not int(address) & ((1 << (8 if address.version == 4 else 80)) - 1)


def _lines(copies: Path) -> Iterator[Known]:
    for path in copies.rglob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            if found := LINE.match(line):
                yield found[1], found[2]
            elif line.startswith('{"time"'):
                told = json.loads(line)
                yield told["client"], told["agent"]


def _visitor_keys(copies: Path) -> set[int]:
    found: set[int] = set()
    for path in copies.rglob("stats.db"):
        with closing(sqlite3.connect(path)) as database, suppress(sqlite3.OperationalError):
            found |= {key for (key,) in database.execute("SELECT DISTINCT key FROM hit WHERE key != 0")}
    for path in copies.rglob("*.spool"):
        for batch in path.read_text().splitlines():
            found |= {hit[-1] for hit in json.loads(batch)["hits"] if hit[-1]}
    return found


def _keys(copies: Path) -> set[bytes]:
    """Return what may be a key: a file of that length, and what is written in a short one, in any of three ways."""
    found: set[bytes] = set()
    for path in copies.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if len(content) > SHORT:
            continue
        found.add(content)
        for token in TOKEN.findall(content):
            found |= {
                one for decode in (bytes.fromhex, _base64, _urlsafe) if (one := _decoded(decode, token))
            }
    return {one for one in found if len(one) == KEY_BYTES}


def _decoded(decode: Callable[[str], bytes], token: bytes) -> bytes:
    with suppress(ValueError):
        return decode(token.decode())
    return b""


def _base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _urlsafe(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
