"""The reveal log: who opened what and why, each entry chained to the one before, the end held in a file beside it."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from cookieguard.engines.files import sync_directory
from cookieguard.engines.keyfile import locked, put_file
from cookieguard.errors import CookieGuardError

LOG_FILE, HEAD_FILE = "reveal-log", "reveal-head"
BEGIN = "0" * 64


class LogTampered(CookieGuardError):
    """Say which entry of the reveal log does not fit, or that its end is missing."""


def append_entry(directory: Path, facts: dict[str, str]) -> None:
    """Append an entry, safe on the disk when it returns. Raises LogTampered where the log does not verify."""
    with locked(directory):
        entries = read_entries(directory)
        previous = entries[-1]["hash"] if entries else BEGIN
        entry = {"number": len(entries) + 1, **facts, "previous": previous}
        line = _written(entry | {"hash": _hash(entry)})
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(directory / LOG_FILE, flags, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(28, "No space left on device")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        head = directory / HEAD_FILE
        put_file(head, f"{entry['number']} {_hash(entry)}\n".encode(), is_new=not head.exists())
        sync_directory(directory)


def read_entries(directory: Path) -> list[dict[str, Any]]:
    """Read and verify the whole log; raises LogTampered."""
    text, head = _bytes(directory / LOG_FILE), _bytes(directory / HEAD_FILE)
    if text and not text.endswith(b"\n"):
        raise LogTampered("the reveal log ends inside an entry")
    entries: list[dict[str, Any]] = []
    previous = BEGIN
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        entry = _entry(line)
        body = {name: value for name, value in entry.items() if name != "hash"}
        fits = entry.get("number") == number and entry.get("previous") == previous
        # The very bytes count, not what they mean: every changed byte shows.
        if not fits or entry.get("hash") != _hash(body) or _written(entry) != line + b"\n":
            raise LogTampered(f"entry {number} of the reveal log was changed, moved or removed")
        previous = entry["hash"]
        entries.append(entry)
    if head != (f"{len(entries)} {previous}\n".encode() if entries else b""):
        raise LogTampered(
            "the end of the reveal log is not where its head says: entries are missing or added"
        )
    return entries


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
