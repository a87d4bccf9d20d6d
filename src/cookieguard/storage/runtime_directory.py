"""The directory for the keys of each day and hour, which is in memory and never on a disk.

Rule: a copy of a disk and a backup contain no such key, and a reboot deletes all of them.
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
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory made there has mode 0700 and must belong to this user
MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
ALLOWED = "a directory in memory (tmpfs), such as systemd's RuntimeDirectory"
KEPT = timedelta(hours=48)
# Key files that older releases kept on the disk, in the state directory
ON_DISK = re.compile(r"\.?(?:(?:log|visitor)-day-[0-9]{8}|hour-[0-9]{1,9})(?:\.[0-9a-f]+)?")


class RuntimeDirectory(StateDirectory):
    """The directory of one shop's short-lived keys, created again if it was removed.

    logind removes a user's files in shared memory at the end of the last login (RemoveIPC), even while the shop runs.
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
    """Return the directory of a shop's short-lived keys; None, with a warning in the log, if there can be none.

    Raises a ConfigError for a configured directory that is not in memory, or to which other users have access.
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
    """Return the existing directory of a shop's short-lived keys; None, and create no directory, if it is missing."""
    place = runtime_place(setting, state_dir)
    return RuntimeDirectory(place) if state_dir.is_dir() and place.is_dir() else None


def runtime_place(setting: str, state_dir: Path) -> Path:
    """Return the path of a shop's short-lived keys, with a name for each shop, because shops must not share keys."""
    place = Path(setting).absolute() if setting else SHARED_MEMORY / f"cookieguard-{os.geteuid()}"
    path = Path(os.path.realpath(state_dir))
    # The name includes the inode, because containers that share this memory may use the same path.
    inode = path.stat() if path.is_dir() else None
    known = (str(path), inode and inode.st_dev, inode and inode.st_ino)
    return place / blake2b(repr(known).encode(), digest_size=8).hexdigest()


def is_in_memory(path: Path) -> bool:
    """Return whether a directory is on a file system in memory; False if that cannot be determined."""
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
    """Remove old keys of shops that no longer run. Age is measured by the machine's clock, which shops may not use.

    Other processes may do the same at the same time, so files that are already gone are ignored.
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
