"""Who acts, and the two persons who approve one event: tokens from standard input, never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from getpass import getpass

from cookieguard.errors import RevealRefused
from cookieguard.features.people.staff_list import read_staff
from cookieguard.identity.staff_token import Member, person_of, read_member, staff_codec
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

IN_ARGUMENTS = "tokens are read from standard input, one a line: everybody on this machine can read arguments"
MOST_READ = 10_000  # characters; a token has about 150


def two_members(keyring: Keyring, state: StateDirectory, *, first: str, second: str) -> tuple[Member, Member]:
    """Return two different persons with these roles, in this order; raises RevealRefused without saying which."""
    tokens = _tokens({"first": first, "second": second})
    found = _members(keyring, state, tokens)
    both = [
        one for one, role in zip(found, (first, second), strict=False) if one is not None and one.may(role)
    ]
    if len(tokens) != 2 or len(both) != 2 or person_of(both[0].name) == person_of(both[1].name):
        raise RevealRefused(f"this takes {_who_approves(first, second)}, one a line on standard input")
    return both[0], both[1]


def one_member(keyring: Keyring, state: StateDirectory, role: str) -> Member:
    """Return the person with this role whose token it is; raises RevealRefused."""
    tokens = _tokens({"member": role})
    found = _members(keyring, state, tokens)
    if len(found) != 1 or found[0] is None or not found[0].may(role):
        raise RevealRefused(f"this takes the token of a member with the role {role}, on standard input")
    return found[0]


def _members(keyring: Keyring, state: StateDirectory, tokens: Sequence[str]) -> list[Member | None]:
    codec, members, now = staff_codec(keyring), read_staff(state.path), datetime.now(UTC)
    return [read_member(codec, token, members, now) for token in tokens]


def _who_approves(first: str, second: str) -> str:
    if first == second:
        return f"the tokens of two different members with the role {first}"
    return f"the tokens of two different members, the first with the role {first}, the second with {second}"


def _tokens(roles: Mapping[str, str]) -> list[str]:
    if sys.stdin.isatty():
        return [getpass(f"token of the {which} ({role}): ").strip() for which, role in roles.items()]
    return sys.stdin.read(MOST_READ).split()
