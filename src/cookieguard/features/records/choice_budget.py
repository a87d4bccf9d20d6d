"""What each network may add to the consent log in a day, counted for all workers of one machine in a file in memory.

A network's count is found by a hash under a key of the day. That key is destroyed after the day. From then on no count
can be traced to a network.
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
# With key, indexes and a checkpoint of its own. SQLite takes 1,300, or 870 if many share one; PostgreSQL takes 1,600.
CHOICE_BYTES = 2_000
# Thousands may share an IPv4 address; of IPv6 one customer may have all of a /48.
PREFIXES = {"ipv4_prefix": 32, "ipv6_prefix": 48}
USE = "choices"
SLOT = Struct("=II")  # day, bytes
SLOT_HASH_BYTES = 2  # 512 KB; two given networks share a count on one day in 65,536


class ChoiceBudget:
    """Spend what networks may add. Without a directory in memory each worker has its own key, and counts for itself.

    Owns the open file.
    """

    def __init__(self, keys: DayKeys, directory: StateDirectory) -> None:
        self._keys, self._directory, self._path = keys, directory, directory.path / USE
        self._file: FileIO | None = None

    def look_ahead(self, now: datetime) -> None:
        """Read the key of the day and open the file: in a thread, so that no request waits for a directory."""
        self._keys.key(now.astimezone(UTC).date())
        self._keys.expire(now)
        with suppress(OSError, ConfigError):  # no file: then the log itself has the last word
            if not self._path.exists():
                self._directory.create_once(USE, bytes)
            # logind empties the shared memory (RemoveIPC), and another worker may have made the file again.
            if self._file is None or not samestat(os.fstat(self._file.fileno()), self._path.stat()):
                self._file = FileIO(self._path, "r+")

    def close(self) -> None:
        """Close the file; the next look opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def spend(self, address: str, count: int, now: datetime) -> bool:
        """Return whether a network may add so many bytes today, and count them if so."""
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
            # Two workers may write at the same moment, and count a few of thousands once.
            os.pwrite(file.fileno(), SLOT.pack(day, spent), place)
        return True


def spent_today(runtime_dir: str, state_dir: Path, now: datetime) -> tuple[int, int]:
    """Return how many bytes were spent today on this machine, and how many networks have next to nothing left."""
    runtime, today = existing_runtime(runtime_dir, state_dir), now.astimezone(UTC).date().toordinal()
    file = (state_dir if runtime is None else runtime.path) / USE
    slots = file.read_bytes() if file.exists() else b""
    spent = [count for day, count in SLOT.iter_unpack(slots) if day == today]
    return sum(spent), sum(count > DAY_BYTES - 10 * CHOICE_BYTES for count in spent)
