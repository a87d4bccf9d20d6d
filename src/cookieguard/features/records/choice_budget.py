"""Daily limit of the bytes that each network may add to the consent log. All workers of a machine share one file.

The file is in shared memory. A hash under the day's key finds a network's count in it. The key is destroyed after the
day, so no later reader can trace a count to a network.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from io import FileIO
from os.path import samestat
from pathlib import Path
from struct import Struct

from cookieguard.errors import ConfigError
from cookieguard.stats.anonymize import truncate
from cookieguard.storage.day_keys import DayKeys
from cookieguard.storage.runtime_directory import existing_runtime
from cookieguard.storage.state_directory import StateDirectory

# 50,000 choices: more than all customers behind one carrier's address make on a sale day
DAY_BYTES = 100_000_000
# With key, indexes and checkpoint. SQLite needs 1,300, or 870 if records share a checkpoint; PostgreSQL needs 1,600.
CHOICE_BYTES = 2_000
# Thousands of people may share an IPv4 address, while one customer may have a whole /48 of IPv6.
PREFIXES = {"ipv4_prefix": 32, "ipv6_prefix": 48}
USE = "choices"
SLOT = Struct("=II")  # day, bytes
SLOT_HASH_BYTES = 2  # makes a file of 512 KB; two given networks share a count on one day in 65,536


class ChoiceBudget:
    """Count what networks add. Without a directory in shared memory each worker counts separately, under its own key.

    Owns the open file.
    """

    def __init__(self, keys: DayKeys, directory: StateDirectory) -> None:
        self._keys, self._directory, self._path = keys, directory, directory.path / USE
        self._file: FileIO | None = None

    def look_ahead(self, now: datetime) -> None:
        """Read the day's key and open the file. A thread calls this, so that no request waits for the disk."""
        self._keys.key(now.astimezone(UTC).date())
        self._keys.expire(now)
        with suppress(OSError, ConfigError):  # without a file, `spend` allows every choice
            if not self._path.exists():
                self._directory.create_once(USE, bytes)
            # logind can empty the shared memory (RemoveIPC); another worker may then have made a new file.
            if self._file is None or not samestat(os.fstat(self._file.fileno()), self._path.stat()):
                self._file = FileIO(self._path, "r+")

    def close(self) -> None:
        """Close the file; the next `look_ahead` opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def spend(self, address: str, count: int, now: datetime) -> bool:
        """Return whether a network may add `count` more bytes today, and count them if so."""
        today = now.astimezone(UTC).date()
        network, key = truncate(address, **PREFIXES), self._keys.key(today) or b""
        slot = blake2b(network.encode(), key=key, digest_size=SLOT_HASH_BYTES).digest()
        place, day = int.from_bytes(slot) * SLOT.size, today.toordinal()
        file = self._file
        if file is None:
            return True
        counted, spent = SLOT.unpack(os.pread(file.fileno(), SLOT.size, place).ljust(SLOT.size, b"\0"))
        spent = count + (spent if counted == day else 0)
        if spent > DAY_BYTES:
            return False
        with suppress(OSError):  # a full disk
            # If two workers write at the same moment, one choice is not counted. A day allows 50,000.
            os.pwrite(file.fileno(), SLOT.pack(day, spent), place)
        return True


def spent_today(runtime_dir: str, state_dir: Path, now: datetime) -> tuple[int, int]:
    """Return the bytes added on this machine today, and how many networks have room for fewer than ten choices."""
    runtime, today = existing_runtime(runtime_dir, state_dir), now.astimezone(UTC).date().toordinal()
    file = (state_dir if runtime is None else runtime.path) / USE
    slots = file.read_bytes() if file.exists() else b""
    spent = [count for day, count in SLOT.iter_unpack(slots) if day == today]
    return sum(spent), sum(count > DAY_BYTES - 10 * CHOICE_BYTES for count in spent)
