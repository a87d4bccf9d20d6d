"""The private directory of a shop's keys and logs, the hourly keys in it, and functions that write files safely.

Rule: keys have mode 0600 in a directory of mode 0700, and readers never see a partly written file.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cookieguard.errors import ConfigError

logger = logging.getLogger("cookieguard")

KEY_BYTES = 32
NO_KEY = (-1, b"")
BEFORE = datetime.min.replace(tzinfo=UTC)

GITIGNORE = b"*\n"  # excludes all files here, including this one, from a repository around the directory
_OTHERS = 0o077
MENDS = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "its user's quota is used up: raise it, or make room",
    errno.EROFS: "its file system is mounted read-only",
}
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_HOUR_FILE = re.compile(r"\.?hour-([0-9]{1,9})(?:\.[0-9a-f]+)?")


class StateDirectory:
    """The directory of keys and logs, created with mode 0700, and refused if other users have access.

    Raises a ConfigError that names the setting and says how to correct it.
    """

    __slots__ = ("path", "setting")

    def __init__(self, path: str | Path, *, setting: str = "state_dir") -> None:
        self.path = Path(path).absolute()  # the process may change its directory later
        self.setting = setting
        _make_private(self.path, setting)
        _require_private(self.path, setting)

    def keep_out_of_repositories(self) -> None:
        """Write a .gitignore, because the directory holds secrets and is inside the project's folder by default."""
        with suppress(OSError):  # it exists already or the disk is full, which must not prevent the start
            write_private(self.path / ".gitignore", GITIGNORE)

    def read(self, name: str, *, limit: int = -1) -> bytes | None:
        """Return the content of a file, or its first `limit` bytes; None if there is no such file."""
        try:
            with self._file(name).open("rb") as file:
                return file.read(limit)
        except FileNotFoundError:
            return None

    def create_once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return the content of a file. If it is missing, create it with the result of `make` and mode 0600.

        Processes that race to create it all get the content of the first one.
        """
        existing = self.read(name)
        if existing is not None:
            return existing
        content = make()
        return content if self._publish(name, content) else self._file(name).read_bytes()

    def replace(self, name: str, content: bytes) -> None:
        """Replace the file of this name with one of mode 0600."""
        replace_private(self._file(name), content)

    def paths(self) -> list[Path]:
        """Return the paths of all entries; an empty list if the directory is gone."""
        with suppress(FileNotFoundError):
            return [self.path / name for name in os.listdir(self.path)]
        return []

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        self._file(name).unlink(missing_ok=True)

    def subdirectory(self, name: str) -> Path:
        """Return a directory inside, created with mode 0700 if it is missing."""
        path = self._file(name)
        _make_private(path, self.setting)
        return path

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"state file name {name!r}; allowed: lower-case letters, digits and -")
        return self.path / name

    def _publish(self, name: str, content: bytes) -> bool:
        """Create a file under its name with its whole content; return False if another process was first.

        A hard link fails if the name exists, and the name appears together with the content. O_EXCL on the name itself
        would let others read a partly written file.
        """
        draft = self.path / f".{name}.{secrets.token_hex(8)}"
        try:
            write_private(draft, content)
            os.link(draft, self.path / name)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTSUP):
                what, allowed = "on a file system without hard links", "a local disk"
                raise _refused(self.setting, self.path, what, allowed) from error
            raise
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(self.path)
        return True


class SharedKeys:
    """Random keys by name, shared by the workers through a directory; without one, each worker has its own keys."""

    def __init__(self, directory: StateDirectory | None, what: str, alone: str) -> None:
        self._directory = directory
        self._what = what
        self._alone = alone  # the consequence of a failing directory, for the log
        self._has_failed = False

    def shared(self, name: str, own: bytes) -> bytes:
        """Return the key of this name that all workers share, which becomes `own` if there is none yet."""
        if self._directory is None:
            return own
        try:
            key = self._directory.create_once(name, lambda: own)
            if len(key) == KEY_BYTES:
                self._has_failed = False
                return key
            reason = f"{len(key)} bytes instead of {KEY_BYTES}"
        except (OSError, ConfigError) as error:
            reason = str(error)
        if not self._has_failed:
            self._has_failed = True
            logger.warning("%s: %s; %s until this is fixed", self._what, reason, self._alone)
        return own

    def files(self, pattern: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
        """Yield the files of keys, including drafts of killed workers, each with the first group of `pattern`."""
        for path in self._directory.paths() if self._directory is not None else ():
            if match := pattern.fullmatch(path.name):
                yield path, match[1]


class HourKeys(SharedKeys):
    """The random keys of each hour, shared by all workers through a directory in memory.

    Keys are independent of each other and are deleted two hours after their hour. Without the directory, or while it
    fails, each process uses its own key. Rate limits then count per worker, and pages keep working.
    """

    def __init__(self, directory: StateDirectory | None) -> None:
        super().__init__(directory, "hourly key", "rate limits count per worker")
        self._current: tuple[int, bytes] = NO_KEY
        self._cleared_from = self._cleared_until = BEFORE  # the hour in which old keys were last removed

    def key(self, now: datetime) -> bytes:
        """Return the 32 bytes of the UTC hour of `now`."""
        hour = int(now.timestamp()) // 3600
        if self._current[0] != hour:
            with suppress(OSError):  # `expire` tries again and logs the error
                self.destroy_old(now)
            self._current = hour, self.shared(f"hour-{hour}", secrets.token_bytes(KEY_BYTES))
        return self._current[1]

    def expire(self, now: datetime) -> None:
        """Delete old keys, even if no new one is needed. Only one call per hour does more than compare times."""
        if self._cleared_from <= now < self._cleared_until:
            return
        hour = int(now.timestamp()) // 3600
        self._cleared_from = datetime.fromtimestamp(hour * 3600, UTC)
        self._cleared_until = self._cleared_from + timedelta(hours=1)
        if self._current[0] != hour:
            self._current = NO_KEY
        try:
            self.destroy_old(now)
        except OSError as error:
            logger.warning("hourly key: old keys cannot be removed: %s", error.strerror)

    def destroy_old(self, now: datetime) -> None:
        """Delete the keys of all hours but this one and its neighbours, including drafts of killed workers.

        Keys of future hours are deleted too; a clock that was ahead would otherwise leave a key for longer.
        """
        hour = int(now.timestamp()) // 3600
        for path, made_for in self.files(_HOUR_FILE):
            if abs(hour - int(made_for)) > 1:
                path.unlink(missing_ok=True)


def _make_private(path: Path, setting: str) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    except OSError as error:
        if not path.parent.exists():
            what = "its parent directory is missing"
            raise _refused(
                setting, path, what, f"an existing parent directory: mkdir -p {path.parent}"
            ) from error
        raise _refused(
            setting, path, f"cannot be made: {error.strerror}", "a directory this user can make"
        ) from error
    path.chmod(0o700)  # because the umask may have removed bits


def _require_private(path: Path, setting: str) -> None:
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a directory"
        raise _refused(setting, path, what, "a real directory, not a link to one")
    if found.st_uid != os.geteuid():
        raise _refused(
            setting,
            path,
            f"owned by user {found.st_uid}",
            f"a directory owned by user {os.geteuid()}, who runs this",
        )
    if mode & _OTHERS:
        raise _refused(setting, path, f"open to others (mode {mode:04o})", _closed(path))
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        raise _refused(setting, path, "on a read-only file system", "a writable directory")
    if mode & 0o700 != 0o700 or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _refused(
            setting, path, f"not writable (mode {mode:04o})", f"a writable directory: chmod 700 {path}"
        )


def mend_of(error: OSError, otherwise: str) -> str:
    """Return how to make a file writable: specific advice for a full or read-only disk, or else `otherwise`."""
    return MENDS.get(error.errno or 0, otherwise)


def _closed(path: Path) -> str:
    """Return how to make a directory private. For a shared one, like /etc, recommend another instead of chmod."""
    is_ours = any((path / name).exists() for name in ("keyring", ".gitignore")) or not any(path.iterdir())
    return f"mode 0700: chmod 700 {path}" if is_ours else "a directory of its own, of mode 0700"


def _refused(setting: str, path: Path, what: str, allowed: str) -> ConfigError:
    return ConfigError(setting, was=f"{path} ({what})", allowed=allowed)


def replace_private(path: Path, content: bytes) -> None:
    """Replace this file atomically with one of mode 0600, and sync it to the disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_private(draft, content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600, and sync it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # because the umask may have removed bits
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Sync a directory to the disk, so that new names in it survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_lines(path: Path, lines: bytes, flags: int = 0) -> None:
    """Append lines in one write, synced to the disk on return.

    If a crash or a full disk left half a line, they start on a new line. Raises OSError if the disk took only a part,
    because otherwise only the next write would fail. A new file gets mode 0600.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        if os.write(descriptor, lines) < len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
