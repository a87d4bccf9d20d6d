"""Sign staff in to a command, one member or two who approve it together, by tokens read from standard input."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path

from cookieguard.cli.options import keyring_of, store_answers
from cookieguard.config import Config
from cookieguard.errors import ConfigError, RevealRefused
from cookieguard.features.people.daily_limits import Use, require_turn
from cookieguard.features.people.journal import Journal
from cookieguard.features.people.staff_list import read_staff
from cookieguard.features.records.values.records import CUSTOMER
from cookieguard.identity.staff_token import Member, person_of, read_member, staff_codec
from cookieguard.keyring import Keyring
from cookieguard.storage.state_directory import StateDirectory

OFFICER = "officer"
IN_ARGUMENTS = "tokens are read from standard input, one a line: everybody on this machine can read arguments"
MOST_READ = 10_000  # characters of standard input; a token has about 150


def two_members(keyring: Keyring, state: StateDirectory, *, first: str, second: str) -> tuple[Member, Member]:
    """Return two different members with these roles, in this order; raises RevealRefused."""
    tokens = _tokens({"first": first, "second": second})
    found = _members(keyring, state, tokens)
    both = [
        member for member, role in zip(found, (first, second), strict=False) if member and member.may(role)
    ]
    if len(tokens) != 2 or len(both) != 2 or person_of(both[0].name) == person_of(both[1].name):
        raise _refused(f"{_who_approves(first, second)}, one a line on standard input", found)
    return both[0], both[1]


def one_member(keyring: Keyring, state: StateDirectory, role: str) -> Member:
    """Return the member with this role whose token was given; raises RevealRefused."""
    tokens = _tokens({"member": role})
    found = _members(keyring, state, tokens)
    if len(found) != 1 or found[0] is None or not found[0].may(role):
        raise _refused(f"the token of a member with the role {role}, on standard input", found)
    return found[0]


def _refused(wanted: str, found: Sequence[Member | None]) -> RevealRefused:
    """Return an error that names the tokens needed, and for each token given its member and role, if it is valid."""
    given = [
        f"{member.name} ({member.role})" if member else "a token that is wrong, revoked or expired"
        for member in found
    ]
    return RevealRefused(f"this takes {wanted}; given: {', '.join(given) or 'no token'}")


NO_STAFF = "cookieguard: the shop has no staff yet, so no person is asked for; see: cookieguard staff add"


def note_access(
    shop: Config, keyring: Path | None, what: str, *, subject: str = "", second: str = "", use: Use = Use.VIEW
) -> None:
    """Require an officer, and with `second` another member's approval, and write the access into the journal.

    A shop without staff is not locked out: its journal entry names no person. Raises RevealRefused.
    """
    ring, state = keyring_of(shop, keyring), StateDirectory(shop.state_dir)
    by, approved = None, ""
    if not read_staff(state.path):
        sys.stderr.write(f"{NO_STAFF}\n")
    elif second:
        by, other = two_members(ring, state, first=second, second=OFFICER)
        approved = f", approved by {other.name}"
    else:
        by = one_member(ring, state, OFFICER)
    journal, number, now = Journal(state, ring), subject.removeprefix(CUSTOMER), datetime.now(UTC)
    name, role = (by.name, by.role) if by else ("", "")
    try:
        if by:
            opened = f"{what} at {now}" if use is Use.EXPORT else number or what
            with store_answers():
                require_turn(shop, journal, by, use, opened)
        journal.write(
            now, "looked", who=name, role=role, what=f"{what} by command{approved}", customer=number
        )
    except OSError as error:
        was = f"not writable ({error.strerror}), so nothing is opened"
        raise ConfigError("the access journal", was=was, allowed="a state directory with room") from error


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
