"""What lives in files: a directory of our own, the hourly keys, and journals of whole lines.

Rule: keys are 0600 in a 0700 directory of our own, and no reader ever sees half a file.
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

GITIGNORE = b"*\n"  # a repository around it never gets what lies here, this file included
_OTHERS = 0o077
MENDS = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "its user's quota is used up: raise it, or make room",
    errno.EROFS: "its file system is mounted read-only",
}
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_HOUR_FILE = re.compile(r"\.?hour-([0-9]{1,9})(?:\.[0-9a-f]+)?")


class StateDirectory:
    """Own the directory of keys and logs: made with mode 0700, refused when it is not ours alone.

    Raises a ConfigError that names the setting and says how to mend it.
    """

    __slots__ = ("path", "setting")

    def __init__(self, path: str | Path, *, setting: str = "state_dir") -> None:
        self.path = Path(path).absolute()  # the process may change its directory later
        self.setting = setting
        _make_private(self.path, setting)
        _require_private(self.path, setting)

    def keep_out_of_repositories(self) -> None:
        """Say to git that nothing in here is a repository's: secrets lie here, in a project's folder by default."""
        with suppress(OSError):  # there already, or a disk that is full: no reason not to start
            write_private(self.path / ".gitignore", GITIGNORE)

    def read(self, name: str, *, limit: int = -1) -> bytes | None:
        """Read a file, or its first `limit` bytes; None where there is none."""
        try:
            with self._file(name).open("rb") as file:
                return file.read(limit)
        except FileNotFoundError:
            return None

    def create_once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Give the content of a file, made with `make` and mode 0600 where there is none yet.

        Processes that race for it all get the content of the first one.
        """
        existing = self.read(name)
        if existing is not None:
            return existing
        content = make()
        return content if self._publish(name, content) else self._file(name).read_bytes()

    def replace(self, name: str, content: bytes) -> None:
        """Put a file of mode 0600 in the place of the one of this name."""
        replace_private(self._file(name), content)

    def paths(self) -> list[Path]:
        """List what is in it; nothing where it is gone."""
        with suppress(FileNotFoundError):
            return [self.path / name for name in os.listdir(self.path)]
        return []

    def remove(self, name: str) -> None:
        """Remove a file, if it is still there."""
        self._file(name).unlink(missing_ok=True)

    def subdirectory(self, name: str) -> Path:
        """Give a directory of ours inside, made with mode 0700 where there is none."""
        path = self._file(name)
        _make_private(path, self.setting)
        return path

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"state file name {name!r}; allowed: lower-case letters, digits and -")
        return self.path / name

    def _publish(self, name: str, content: bytes) -> bool:
        """Put a finished file in place under its name; False where somebody else was first.

        A hard link fails when the name is taken, and the name appears with all its content at once; O_EXCL on
        the name itself would let others read it half written.
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
    """Share random keys by name between the workers that have a directory; without it each has its own."""

    def __init__(self, directory: StateDirectory | None, what: str, alone: str) -> None:
        self._directory = directory
        self._what = what
        self._alone = alone  # what becomes of it while the directory fails
        self._has_failed = False

    def shared(self, name: str, own: bytes) -> bytes:
        """Return the key that all workers have, which is our own where there was none."""
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
        """Yield the files of keys, drafts of a killed worker included, with what their names say."""
        for path in self._directory.paths() if self._directory is not None else ():
            if match := pattern.fullmatch(path.name):
                yield path, match[1]


class HourKeys(SharedKeys):
    """Give the random key of the current hour, the same in all workers that share a directory (in memory).

    Keys are independent of each other and unlinked once their hour is two hours back. Without the directory, or
    when it fails, a key of this process alone takes over: rate limits then count per worker, and no page breaks.
    """

    def __init__(self, directory: StateDirectory | None) -> None:
        super().__init__(directory, "hourly key", "rate limits count per worker")
        self._current: tuple[int, bytes] = NO_KEY
        self._cleared_from = self._cleared_until = BEFORE  # the hour in which old keys were last looked for

    def key(self, now: datetime) -> bytes:
        """Give the 32 bytes of the UTC hour of `now`."""
        hour = int(now.timestamp()) // 3600
        if self._current[0] != hour:
            self._current = (hour, self._shared(hour))
        return self._current[1]

    def expire(self, now: datetime) -> None:
        """Let go of old keys, also where nobody asks for a new one; all but one call an hour only compare."""
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
        """Unlink the keys that are not of this hour or its neighbours, drafts of a killed worker included.

        Hours ahead go too: a clock that once ran fast must not leave a key lying for a day.
        """
        hour = int(now.timestamp()) // 3600
        for path, made_for in self.files(_HOUR_FILE):
            if abs(hour - int(made_for)) > 1:
                path.unlink(missing_ok=True)

    def _shared(self, hour: int) -> bytes:
        with suppress(OSError):  # `expire` tries again, and the log has its error
            self.destroy_old(datetime.fromtimestamp(hour * 3600, UTC))
        return self.shared(f"hour-{hour}", secrets.token_bytes(KEY_BYTES))


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
    path.chmod(0o700)  # whatever the umask took away


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
    """Return what lets a file be written after all: another user is no help on a disk that takes nothing."""
    return MENDS.get(error.errno or 0, otherwise)


def _closed(path: Path) -> str:
    """Return how to close a directory; not one that is others' too, like /etc, which would be locked by that."""
    is_ours = any((path / name).exists() for name in ("keyring", ".gitignore")) or not any(path.iterdir())
    return f"mode 0700: chmod 700 {path}" if is_ours else "a directory of its own, of mode 0700"


def _refused(setting: str, path: Path, what: str, allowed: str) -> ConfigError:
    return ConfigError(setting, was=f"{path} ({what})", allowed=allowed)


def replace_private(path: Path, content: bytes) -> None:
    """Put a file of mode 0600 in the place of this one, whole or not at all, and bring it to the disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_private(draft, content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600 and bring it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask took away
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Bring a new name to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_lines(path: Path, lines: bytes, flags: int = 0) -> None:
    """Append whole lines at once, behind a new line where a crash or a full disk left half of one; safe on return.

    Raises OSError where the disk took a part of it, since only the next write would fail. The file gets mode 0600.
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
