"""The file in the state directory that lists the members of staff; workers follow it, and commands change it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cookieguard.errors import ConfigError
from cookieguard.identity.staff_token import Member, dumps_staff, loads_staff, person_of, read_member
from cookieguard.identity.tokens import TokenCodec
from cookieguard.storage.keyring_file import AHEAD, LOOK_EVERY, change_file, read_keyring, stamp_of

logger = logging.getLogger("cookieguard")

STAFF_FILE = "staff.toml"
SETTING = "the staff list"

Members = dict[str, Member]


class StaffAuthenticator:
    """Return members by token, id or name. Follows the file within 2 s; a file that cannot be read has no members."""

    def __init__(self, codec: TokenCodec, directory: Path) -> None:
        self._codec = codec
        self._path = directory.absolute() / STAFF_FILE
        self._members: Members = {}
        self._stamp: object = None
        self._next_look = float("-inf")
        self._trouble = ""

    @property
    def members(self) -> Members:
        """The current members by id."""
        if time.monotonic() >= self._next_look:
            self._look()
        return self._members

    def look_ahead(self) -> None:
        """Check the file now. The watcher's thread calls this often, so that requests need not wait for the disk."""
        self._look()
        self._next_look = time.monotonic() + AHEAD.total_seconds()

    def member(self, token: str, now: datetime) -> Member | None:
        """Return the member of a token that is signed, not expired, and of somebody who is still in the list."""
        return read_member(self._codec, token, self.members, now)

    def by_id(self, member_id: str, now: datetime) -> Member | None:
        """Return the member with this id, until the token that was made with it expires."""
        member = self.members.get(member_id)
        return member if member is not None and now < member.expires else None

    def by_name(self, name: str, now: datetime) -> Member | None:
        """Return the member whom a proxy named; None if several members have that name."""
        person, members = person_of(name), self.members.values()
        found = [member for member in members if person_of(member.name) == person and now < member.expires]
        return found[0] if len(found) == 1 else None

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK_EVERY.total_seconds()
        try:
            if stamp_of(os.stat(self._path)) == self._stamp:
                return
            text, stamp = read_keyring(self._path, SETTING)
            self._members, self._stamp, self._trouble = loads_staff(text, SETTING), stamp, ""
        except FileNotFoundError:
            self._members, self._stamp = {}, None
        except (ConfigError, OSError) as error:
            self._members, self._stamp = {}, None
            trouble = str(error) if isinstance(error, ConfigError) else str(error.strerror)
            if trouble != self._trouble:
                self._trouble = trouble
                logger.warning("staff: %s; no member of staff can sign in until this is fixed", trouble)


def read_staff(directory: Path) -> Members:
    """Read the members by id; empty if there is no file yet. Raises ConfigError."""
    path = directory / STAFF_FILE
    if not path.exists():
        return {}
    return loads_staff(read_keyring(path, SETTING)[0], SETTING)


def change_staff(directory: Path, change: Callable[[Members], Members]) -> Members:
    """Write the list that `change` returns for the current one, under a lock; raises the errors of `change`."""
    return change_file(directory / STAFF_FILE, lambda: change(read_staff(directory)), dumps_staff)
