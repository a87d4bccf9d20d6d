"""Where the keys of the day and the hour live: a directory in memory, on no disk that holds what they key.

Rule: whoever copies a disk, or brings back a backup of any hour, gets no key. A reboot takes all of them.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path

from cookieguard.errors import ConfigError
from cookieguard.storage.state_directory import StateDirectory

logger = logging.getLogger("cookieguard")

SETTING = "runtime_dir"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - ours inside it is 0700, and refused where it is another's
MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
ALLOWED = "a directory in memory (tmpfs), such as systemd's RuntimeDirectory"
KEPT = timedelta(hours=48)
# What releases before kept beside the hits and the log.
ON_DISK = re.compile(r"\.?(?:(?:log|visitor)-day-[0-9]{8}|hour-[0-9]{1,9})(?:\.[0-9a-f]+)?")


class RuntimeDirectory(StateDirectory):
    """Own the directory of one shop's short-lived keys, and make it again where it is gone.

    logind removes what lies in shared memory with its user's last session (RemoveIPC), under a running shop too.
    """

    __slots__ = ()

    def __init__(self, path: Path) -> None:
        StateDirectory(path.parent, setting=SETTING)
        super().__init__(path, setting=SETTING)

    def create_once(self, name: str, make: Callable[[], bytes]) -> bytes:
        if not self.path.is_dir():
            RuntimeDirectory(self.path)
        return super().create_once(name, make)


def open_runtime(setting: str, state: StateDirectory) -> RuntimeDirectory | None:
    """Return the directory of a shop's short-lived keys; None where this machine has none, which is told.

    Raises a ConfigError for a configured directory that is not in memory, or not ours alone.
    """
    remove_keys_on_disk(state)
    place = runtime_place(setting, state.path)
    try:
        runtime = RuntimeDirectory(place)
        if not is_in_memory(runtime.path):
            raise ConfigError(SETTING, was=f"{place.parent} (on a disk)", allowed=ALLOWED)
    except ConfigError as error:
        if setting:
            raise
        logger.warning(
            "%s; each worker uses its own daily keys, so a visitor counts once in each worker", error
        )
        return None
    _sweep(runtime.path)
    return runtime


def existing_runtime(setting: str, state_dir: Path) -> RuntimeDirectory | None:
    """Return the same where it is there; nothing is made."""
    place = runtime_place(setting, state_dir)
    return RuntimeDirectory(place) if state_dir.is_dir() and place.is_dir() else None


def runtime_place(setting: str, state_dir: Path) -> Path:
    """Return where a shop's short-lived keys lie: under a name of its own, for two shops must not share a key."""
    place = Path(setting).absolute() if setting else SHARED_MEMORY / f"cookieguard-{os.geteuid()}"
    path = Path(os.path.realpath(state_dir))
    # The inode too: containers that share this memory may all call their directory the same.
    inode = path.stat() if path.is_dir() else None
    known = (str(path), inode and inode.st_dev, inode and inode.st_ino)
    return place / blake2b(repr(known).encode(), digest_size=8).hexdigest()


def is_in_memory(path: Path) -> bool:
    """Return whether a directory lies on a file system in memory. Where nobody can say, it does not."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in MOUNTS.read_text(errors="replace").splitlines():
            mount, _, filesystem = line.partition(" - ")
            if mount.split(" ")[2] == wanted:
                return filesystem.split(" ")[0] in IN_MEMORY
    return False


def remove_keys_on_disk(state: StateDirectory) -> int:
    """Remove the keys that an older release left in the state directory, and return how many there were."""
    found = [name for name in os.listdir(state.path) if ON_DISK.fullmatch(name)]
    for name in found:
        with suppress(OSError):
            (state.path / name).unlink(missing_ok=True)
    return len(found)


def _sweep(own: Path) -> None:
    """Remove keys of shops that run no more: by the machine's own clock, for theirs may be another.

    Others sweep at the same moment: what is gone when its turn comes is passed over.
    """
    with suppress(OSError), os.scandir(own.parent) as shops:
        for shop in shops:
            if shop.name != own.name:
                _remove_old(shop)


def _remove_old(shop: os.DirEntry[str]) -> None:
    is_removed = False
    with suppress(OSError), os.scandir(shop) as keys:
        for key in keys:
            with suppress(OSError):
                if _is_old(key):
                    os.unlink(key)
                    is_removed = True
    with suppress(OSError):  # a directory that is not empty stays
        if is_removed or _is_old(shop):
            os.rmdir(shop)


def _is_old(entry: os.DirEntry[str]) -> bool:
    return time.time() - entry.stat().st_mtime > KEPT.total_seconds()
