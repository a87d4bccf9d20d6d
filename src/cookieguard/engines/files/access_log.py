"""The files of the access log: one for each worker and day, with whole lines only. The hourly job removes old ones."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cookieguard.config import LogSettings
from cookieguard.errors import ConfigError
from cookieguard.storage.state_directory import StateDirectory

logger = logging.getLogger("cookieguard")

# Lines are joined up to about this size for one write; a single longer line is written whole.
WRITE_BYTES = 64 * 1024
LOGS = "logs"
# The names of our files, also after logrotate renamed them: `access-71.log.1`, `access-2026-11-24-71.log.gz`.
_OURS = re.compile(r"access-(?:([0-9]{4}-[0-9]{2}-[0-9]{2})-)?[0-9]+\.log(?:[.-][0-9A-Za-z.-]+)?")


class LogFile:
    """Append whole lines to `access-<pid>.log`, the file of this worker, which the first line opens.

    `daily` puts the UTC day in the name (`access-2026-11-24-71.log`), so no file is renamed, and workers need not
    coordinate. Only the retention job removes files, because it notices a clock that jumps ahead. A new file is
    opened if the old one was moved (logrotate), and in a forked process. If the disk is full or fails, lines are lost,
    but no request fails: `write` returns how many were written, and one warning gives the reason.
    """

    def __init__(
        self,
        directory: Path,
        *,
        daily: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._directory = directory
        self._daily = daily
        self._clock = clock or (lambda: datetime.now(UTC))
        self._open_path = Path()
        self._pid = 0
        self._descriptor = -1
        self._is_torn = False
        self._has_warned = False

    @property
    def path(self) -> Path:
        """The file to which this process writes now."""
        day = f"{self._clock().astimezone(UTC).date()}-" if self._daily else ""
        return self._directory / f"access-{day}{os.getpid()}.log"

    def write(self, lines: Sequence[bytes]) -> int:
        written = 0
        try:
            self._open()
            for batch in _batches(lines):
                self._append(b"".join(batch))
                written += len(batch)
        except OSError as error:
            self._warn(error)
            return written
        self._has_warned = False
        return written

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> None:
        path = self.path
        if self._is_open(path):
            return
        self.close()
        # Without parents: a state directory created here would be readable for others, and the next start would fail.
        self._directory.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._pid = os.getpid()
        self._open_path = path
        self._is_torn = False

    def _is_open(self, path: Path) -> bool:
        is_ours = self._descriptor >= 0 and self._pid == os.getpid() and self._open_path == path
        with suppress(FileNotFoundError):
            return is_ours and os.path.samestat(os.fstat(self._descriptor), path.stat())
        return False

    def _append(self, batch: bytes) -> None:
        """Write a batch; after a failure in the middle, the next batch does not continue the half-written line."""
        if self._is_torn:
            batch = b"\n" + batch
        rest = memoryview(batch)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._take_back(len(batch) - len(rest))
            raise
        self._is_torn = False

    def _take_back(self, count: int) -> None:
        """Cut off the part of a failed batch if it is still the end of the file; otherwise end its line later."""
        if not count:
            return
        self._is_torn = True
        with suppress(OSError):
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if os.fstat(self._descriptor).st_size == end:
                os.ftruncate(self._descriptor, end - count)
                self._is_torn = False

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("access log %s: %s; lines are dropped until it works", self.path, error.strerror)


def remove_old_logs(directory: Path, *, keep_days: int, today: date) -> list[str]:
    """Remove our log files except those of the last `keep_days` days, today included, and return their names.

    A file without a day in its name is as old as its last line. Other files in the directory are kept.
    """
    first = today - timedelta(days=keep_days - 1)
    removed = []
    for path, day in log_files(directory):
        if day < first:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("access log %s cannot be removed: %s", path, error.strerror)
                continue
            removed.append(path.name)
    return removed


def log_files(directory: Path) -> Iterator[tuple[Path, date]]:
    """Yield our log files, each with its day."""
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(directory)):
            match = _OURS.fullmatch(name)
            if match is None:
                continue
            with suppress(FileNotFoundError, ValueError):  # removed meanwhile, or not a date
                status = (directory / name).lstat()
                written = datetime.fromtimestamp(status.st_mtime, UTC).date()
                yield directory / name, date.fromisoformat(match[1]) if match[1] else written


def log_place(state_dir: Path, settings: LogSettings) -> Path:
    """Return the directory of the access log without creating it."""
    return Path(settings.directory).absolute() if settings.directory else state_dir / LOGS


def log_directory(state: StateDirectory, settings: LogSettings) -> Path:
    """Return the access log's directory, created if needed: the configured one, or `logs` in the state directory."""
    if not settings.directory:
        return state.subdirectory(LOGS)
    path = log_place(state.path, settings)
    allowed = f"a directory user {os.geteuid()} can write to"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("log.directory", was=f"{path} ({error.strerror})", allowed=allowed) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError("log.directory", was=f"{path} (not writable)", allowed=allowed)
    return path


def _batches(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines in groups of about WRITE_BYTES bytes."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and size + len(line) > WRITE_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
