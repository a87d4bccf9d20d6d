"""Addresses that a look at their letters cuts: none in this build, where the system's reader of addresses is asked.

`dotted_quad.pyx` cuts in C what nearly all addresses are, as `stats.anonymize.truncation` would, and says nothing about
the rest. Neither remembers an address.
"""

from __future__ import annotations


def network_24(address: str) -> str:
    """Return an IPv4 address with its last number 0; empty: it needs the full reading."""
    return ""
