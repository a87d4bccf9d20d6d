"""The vault's files: workers have the public keys and the sealed events, and the owner has the private keys."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cookieguard.errors import ConfigError
from cookieguard.features.vault.vault_records import Risk, seal
from cookieguard.stats.sealed_box import KEY_BYTES, new_key_pair, public_half
from cookieguard.storage.keyring_file import locked, put_file
from cookieguard.storage.state_directory import StateDirectory, sync_directory

logger = logging.getLogger("cookieguard")

PUBLIC_FILE = "vault-keys"
EVENTS_DIRECTORY = "vault"
_PRIVATE = re.compile(r"vault-([0-9]{4}-[0-9]{2}-[0-9]{2})")
_EVENTS = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl")
LISTED = frozenset({"id", "hour", "event"})
LINE_START = b'{"day"'  # cannot occur inside a sealed box, which is base64
_DAY_AT = slice(9, 19)  # where the day is in a line: {"day": "2026-11-24"


class VaultWriter:
    """Seals risk events to the day's public key, and appends them to the day's file. One thread uses it.

    If a day has no key, its events are dropped and counted, and one line is logged.
    """

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._keys: dict[date, bytes] = {}
        self._warned: set[date] = set()
        self.without_key = 0

    def form(self, risk: Risk) -> bytes:
        """Return an event's sealed line, or no bytes if its day has no key."""
        if risk.day not in self._keys:
            self._keys = read_public_keys(self._state.path)
        public = self._keys.get(risk.day)
        if public is not None:
            return seal(risk, public)
        self.without_key += 1
        if risk.day not in self._warned:
            self._warned.add(risk.day)
            logger.warning("vault: no key for %s; events are dropped; run cookieguard vault init", risk.day)
        return b""

    def write(self, lines: Sequence[bytes]) -> int:
        directory = self._state.subdirectory(EVENTS_DIRECTORY)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        written = 0
        for line in lines:
            descriptor = os.open(directory / f"{line[_DAY_AT].decode()}.jsonl", flags, 0o600)
            try:
                whole = _after_torn(descriptor) + line
                written += os.write(descriptor, whole) == len(whole)
            finally:
                os.close(descriptor)
        return written

    def close(self) -> None:
        """Do nothing, because no file stays open."""


def read_public_keys(state: Path) -> dict[date, bytes]:
    """Return the public keys by day; empty if there are none yet or the file cannot be read."""
    try:
        lines = (state / PUBLIC_FILE).read_text("ascii").splitlines()
        pairs = [line.split() for line in lines]
        return {date.fromisoformat(day): base64.b64decode(key, validate=True) for day, key in pairs}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        logger.warning("vault: %s cannot be read", state / PUBLIC_FILE)
        return {}


def make_keys(state: StateDirectory, private: StateDirectory, *, today: date, days: int) -> list[date]:
    """Make key pairs for the coming days that have none, and return these days.

    An existing private key is kept. Its public half may be missing because an old state directory was restored, or
    because the command was killed before it wrote it.
    """
    with locked(state.path):
        public = read_public_keys(state.path)
        new = [day for day in (today + timedelta(days=ahead) for ahead in range(days)) if day not in public]
        for day in new:
            secret = private.create_once(f"vault-{day}", lambda: new_key_pair()[0])
            if len(secret) != KEY_BYTES:
                was = f"a directory with {len(secret)} bytes as the key of {day}"
                raise ConfigError("vault.private_dir", was=was, allowed=f"keys of {KEY_BYTES} bytes")
            public[day] = public_half(secret)
        _write_public(state.path, public)
    return new


def expire_keys(state: StateDirectory, private: StateDirectory, *, today: date, keep_days: int) -> list[date]:
    """Destroy the private keys of days before the last `keep_days` days, with their events, and return these days."""
    first = today - timedelta(days=keep_days)
    expired = [day for day in _days_in(private.path, _PRIVATE) if day < first]
    for day in expired:
        _destroy(private.path / f"vault-{day}")
    sync_directory(private.path)
    forget_events(state, today=today, keep_days=keep_days)
    return expired


def forget_events(state: StateDirectory, *, today: date, keep_days: int) -> list[date]:
    """Delete events and public keys of days before the last `keep_days` days, which needs no private key."""
    first = today - timedelta(days=keep_days)
    expired = [day for day in event_days(state.path) if day < first]
    for day in expired:
        (state.path / EVENTS_DIRECTORY / f"{day}.jsonl").unlink(missing_ok=True)
    if any(day < first for day in read_public_keys(state.path)):
        with locked(state.path):
            public = read_public_keys(state.path)
            _write_public(state.path, {day: key for day, key in public.items() if day >= first})
    return expired


def event_days(state: Path) -> list[date]:
    """Return the days that have sealed events, oldest first."""
    return _days_in(state / EVENTS_DIRECTORY, _EVENTS)


def private_days(private: Path) -> list[date]:
    """Return the days that have a private key, oldest first; raises OSError if the directory cannot be read."""
    os.listdir(private)  # raises if the directory is missing, which `_days_in` would take for an empty one
    return _days_in(private, _PRIVATE)


def private_key(private: StateDirectory, day: date) -> bytes | None:
    """Return a day's private key, or None if it was destroyed or is not on this machine."""
    key = private.read(f"vault-{day}", limit=KEY_BYTES)
    return key if key is not None and len(key) == KEY_BYTES else None


def read_events(state: StateDirectory, day: date) -> list[dict[str, Any]]:
    """Return the sealed events of a day."""
    path = state.subdirectory(EVENTS_DIRECTORY) / f"{day}.jsonl"
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines if (event := _event_of(line))]


def _event_of(line: bytes) -> dict[str, Any]:
    """Return a line's event. A full disk or a killed worker may have cut a line; the next event on it is still read."""
    with suppress(ValueError):
        event = json.loads(line[max(0, line.rfind(LINE_START)) :])
        if isinstance(event, dict) and event.keys() >= LISTED:
            return event
    return {}


def _after_torn(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def _write_public(state: Path, keys: dict[date, bytes]) -> None:
    text = "".join(f"{day} {base64.b64encode(key).decode()}\n" for day, key in sorted(keys.items()))
    path = state / PUBLIC_FILE
    put_file(path, text.encode(), is_new=not path.exists())


def _days_in(directory: Path, names: re.Pattern[str]) -> list[date]:
    days = []
    with suppress(FileNotFoundError):
        for match in filter(None, map(names.fullmatch, sorted(os.listdir(directory)))):
            with suppress(ValueError):  # a name such as 2026-02-31 is not a date
                days.append(date.fromisoformat(match[1]))
    return days


def _destroy(path: Path) -> None:
    """Overwrite a key and delete its file. On flash storage the old content may still survive."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.write(descriptor, os.urandom(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
