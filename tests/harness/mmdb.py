"""A small writer of country databases (MaxMind DB 2.0), so that tests need no downloaded data."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

RECORD_BITS = 24
GAP = bytes(16)  # 16 zero bytes separate the tree from the data (MaxMind DB 2.0)
MARKER = b"\xab\xcd\xefMaxMind.com"
IPV4_BITS = 96  # IPv4 addresses are the IPv6 ones that begin with so many zeros


def country_database(countries: Mapping[str, Any]) -> bytes:
    """Return a database in which these networks have these values: a country's code, or a whole record.

    >>> len(country_database({"198.51.100.0/24": "DE"})) > 100
    True
    """
    tree: list[list[int | None]] = [[None, None]]
    data, values = b"", []
    for network, value in countries.items():
        values.append(len(data))
        data += encoded({"country": {"iso_code": value}} if isinstance(value, str) else value)
        _insert(tree, network, -len(values))  # negative: a value, whose offset depends on the tree's size
    nodes = b"".join(_record(one, values, len(tree)) for node in tree for one in node)
    return nodes + GAP + data + MARKER + encoded(_metadata(len(tree)))


def _insert(tree: list[list[int | None]], network: str, value: int) -> None:
    found = ip_network(network)
    bits = found.prefixlen + (IPV4_BITS if isinstance(found, IPv4Network) else 0)
    address, node = int(found.network_address), 0
    for depth in range(bits - 1):
        side = address >> (127 - depth) & 1
        following = tree[node][side]
        if following is None or following < 0:
            tree.append([following, following])  # a wider network covers what the narrower one leaves
            following = tree[node][side] = len(tree) - 1
        node = following
    tree[node][address >> (128 - bits) & 1] = value


def _record(value: int | None, values: list[int], count: int) -> bytes:
    if value is None:
        place = count
    elif value < 0:
        place = count + len(GAP) + values[-value - 1]
    else:
        place = value
    return place.to_bytes(RECORD_BITS // 8, "big")


def _metadata(count: int) -> dict[str, Any]:
    return {
        "node_count": (6, count),
        "record_size": (5, RECORD_BITS),
        "ip_version": (5, 6),
        "database_type": "Test-Country",
        "languages": ["en"],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_795_000_000),
        "description": {"en": "written by a test"},
    }


def encoded(value: Any) -> bytes:
    """Encode a text, a list, a dict, or a number given as (type, number)."""
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(encoded(key) + encoded(one) for key, one in value.items())
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encoded, value))
    kind, number = value
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _control(kind, len(digits)) + digits


def _control(kind: int, size: int) -> bytes:
    if size >= 29:
        raise ValueError("only short values")
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
