"""The reveal log: who opened which address and why. Entries form a hash chain, whose end is kept in a second file."""

from __future__ import annotations

import errno
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from cookieguard.errors import CookieGuardError
from cookieguard.storage.keyring_file import locked, put_file

LOG_FILE, HEAD_FILE = "reveal-log", "reveal-head"
BEGIN = "0" * 64


class LogTampered(CookieGuardError):
    """Say which entry of the reveal log breaks the chain, or that entries at its end are missing."""


def append_entry(directory: Path, facts: dict[str, str]) -> None:
    """Append an entry and sync it to disk. Raises LogTampered if the log does not verify.

    It removes the part of an entry that an interrupted append left, for which no address was shown.
    """
    with locked(directory):
        entries, size = _verified(directory)
        number, previous = len(entries), entries[-1]["hash"] if entries else BEGIN
        if entries and _bytes(directory / HEAD_FILE) != _head(number, previous):
            _put_head(directory, _head(number, previous))  # the head may be one entry behind, but never two
        entry = {"number": number + 1, **facts, "previous": previous}
        _append(directory / LOG_FILE, _written(entry | {"hash": _hash(entry)}), at=size)
        _put_head(directory, _head(number + 1, _hash(entry)))


def read_entries(directory: Path) -> list[dict[str, Any]]:
    """Read and verify the whole log; raises LogTampered."""
    return _verified(directory)[0]


def _verified(directory: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the entries and their length in bytes; raises LogTampered.

    If the machine stopped during an append, the log ends with a part of an entry, or with an entry that is not yet in
    the head. Neither can hide an entry, so both are allowed.
    """
    text, head = _bytes(directory / LOG_FILE), _bytes(directory / HEAD_FILE)
    entries: list[dict[str, Any]] = []
    previous, ends = BEGIN, [_head(0, BEGIN)]
    *lines, torn = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        body = {name: value for name, value in entry.items() if name != "hash"}
        fits = entry.get("number") == number and entry.get("previous") == previous
        # The entry must be written exactly as we write it, so that any changed byte is found.
        if not fits or entry.get("hash") != _hash(body) or _written(entry) != line + b"\n":
            raise LogTampered(f"entry {number} of the reveal log was changed, moved or removed")
        entries.append(entry)
        previous = entry["hash"]
        ends.append(_head(number, previous))
    if (head or ends[0]) not in ends[-2:]:
        raise LogTampered("the end of the reveal log does not match its head: entries were removed or added")
    return entries, len(text) - len(torn)


def _append(path: Path, line: bytes, *, at: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, at)
        if os.pwrite(descriptor, line, at) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, at)
        raise
    finally:
        os.close(descriptor)


def _put_head(directory: Path, head: bytes) -> None:
    """Replace the head's file atomically, and sync the directory, with all that is new in it, to disk."""
    path = directory / HEAD_FILE
    put_file(path, head, is_new=not path.exists())


def _head(number: int, last: str) -> bytes:
    return f"{number} {last}\n".encode()


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _written(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _hash(entry: dict[str, Any]) -> str:
    return sha256(json.dumps(entry).encode()).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
