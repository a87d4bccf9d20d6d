"""A fast path to truncate IPv4 addresses; this Python version has none, so the system's parser of addresses is used.

`dotted_quad.pyx` truncates nearly all addresses in C, with the same result as `stats.anonymize.truncation`, and leaves
the others to it. Neither keeps an address.
"""

from __future__ import annotations


def network_24(address: str) -> str:
    """Return an IPv4 address with its last number set to 0; empty if it needs the full parser."""
    return ""
