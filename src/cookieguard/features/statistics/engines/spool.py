"""Where batches wait while the engine is down: one file per worker, capped, replayed exactly once.

Rule: rows only, as they would stand in the engine; what links the keys of two days is never written here.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import stat
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cookieguard.stats.hits import COLUMNS, Batch, Hit, empty
from cookieguard.storage.state_directory import write_private

logger = logging.getLogger("cookieguard")

MAX_BYTES = 64 * 1024 * 1024  # of all workers together: about 250,000 hits
SUFFIX = ".spool"
SUM = ',"crc32":"%08x"}'
SUMMED = re.compile(rb'(.*),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)
UNSUMMED = {"id", "columns", "hits", "lost"}  # of a release that wrote no checksum
ROW = re.compile(rb'\[\d{9,11},"')  # a hit begins with its time and its site
DAMAGED = "spool damaged"
OTHER_RELEASE = "spool of another release"


class SpoolFull(Exception):
    """Say that the spool takes no more: it is at its limit, or so is the disk. `reason` names which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Unreadable(Exception):
    """Say that a line is no batch, why, and how many hits were in it as far as that can be told."""

    def __init__(self, reason: str, hits: int) -> None:
        super().__init__(reason)
        self.reason, self.hits = reason, hits


class Spool:
    """Own one file in a directory that all workers share; who holds a file's lock may replay it.

    A line is a batch with its checksum: a bit that turned would give it another name, or its hits other values.
    What a killed worker left is replayed by any other; what is no batch any more is lost, and counted.
    """

    def __init__(self, directory: Path, *, limit: int = MAX_BYTES) -> None:
        self._directory = directory
        self._limit = limit
        self._path: Path | None = None
        self._descriptor = -1
        self._pid = 0
        self._lost: Counter[str] = Counter()
        self._told: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Return whether no worker has anything waiting."""
        return not any(self._files())

    def add(self, batch: Batch) -> None:
        """Append a batch, on the disk when this returns; raises SpoolFull, and leaves no part of it then."""
        rows = {"id": batch.id, "columns": COLUMNS, "hits": batch.hits, "lost": batch.lost}
        line = _summed(json.dumps(rows, separators=(",", ":")).encode())
        try:
            if sum(size for size, _ in self._files_by_age()) + len(line) > self._limit:
                raise SpoolFull("spool full")
            self._append(line)
        except OSError as error:
            raise SpoolFull(f"spool: {error.strerror}") from error

    def waiting(self) -> Iterator[Batch]:
        """Yield every batch that may be replayed from here; a file goes once all of it was taken."""
        self.close()  # ours is replayed like any other's, and a new one begins
        for path in self._files():
            with self._locked(path) as content:
                if content is None:
                    continue
                lost: Counter[str] = Counter()
                yield from _batches(content, lost)
                self._remove(path, lost)

    def take_lost(self) -> Mapping[str, int]:
        """Return how many hits of files that are gone could not be read, by reason, since this was asked last."""
        lost, self._lost = self._lost, Counter()
        return lost

    def close(self) -> None:
        """Let go of the file; what is in it waits for the next worker."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor, self._path = -1, None

    def _append(self, line: bytes) -> None:
        descriptor = self._opened()
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            try:
                os.ftruncate(descriptor, end)
            except OSError:  # a part of it stays: what comes next must not stand behind that on the same line
                self.close()
            raise

    def _opened(self) -> int:
        """Open a file of this process, made under a name nobody replays until it is locked."""
        if self._is_in_place():
            return self._descriptor
        self.close()
        self._directory.mkdir(mode=0o700, exist_ok=True)
        draft = self._directory / f"{os.getpid()}-{secrets.token_hex(6)}"
        write_private(draft, b"")
        self._descriptor = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = draft.with_suffix(SUFFIX)
        draft.rename(path)
        self._path, self._pid = path, os.getpid()
        return self._descriptor

    def _is_in_place(self) -> bool:
        """Return whether our file is still there: nobody reads one that was removed or put aside."""
        if self._path is None or self._pid != os.getpid():
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except OSError:
            return False

    @contextmanager
    def _locked(self, path: Path) -> Iterator[bytes | None]:
        """Hold the lock of a file while it is read; None where another worker has it, or nobody can read it."""
        descriptor = -1
        try:
            # Whatever took a file's place since it was listed must not hold up the writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            content = _content(descriptor, path)
        except (FileNotFoundError, BlockingIOError):
            content = None
        except OSError as error:
            self._tell(path, f"cannot be read ({error.strerror})")
            content = None
        try:
            yield content
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _remove(self, path: Path, lost: Counter[str]) -> None:
        """Remove a file of which all was taken; what was lost in it counts once, when it is gone."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # its batches are known by their names: they may be brought again and again
            self._tell(path, f"cannot be removed ({error.strerror})")
            return
        self._lost.update(lost)

    def _files(self) -> list[Path]:
        """Return every worker's file, oldest first."""
        return [path for _, path in self._files_by_age()]

    def _files_by_age(self) -> list[tuple[int, Path]]:
        """Return size and path of every worker's file, oldest first. What is no file of ours is told once."""
        found = []
        for path in self._directory.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, status.st_size, path))
                else:
                    self._tell(path, "is not a file")
        return [(size, path) for _, size, path in sorted(found)]

    def _tell(self, path: Path, what: str) -> None:
        if path.name not in self._told:
            self._told.add(path.name)
            logger.warning("statistics: %s in the spool %s", path.name, what)


def _content(descriptor: int, path: Path) -> bytes | None:
    """Lock a file and read it; None where another one has its name. BlockingIOError where somebody has the lock."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.path.samestat(os.fstat(descriptor), path.stat()):
        return None
    return path.read_bytes()


def _summed(text: bytes) -> bytes:
    """Return a line: the JSON object with the checksum of all before it as its last member."""
    return text[:-1] + (SUM % zlib.crc32(text[:-1])).encode() + b"\n"


def _batches(content: bytes, lost: Counter[str]) -> Iterator[Batch]:
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            yield _batch(line)
        except _Unreadable as error:
            if error.hits:
                lost[error.reason] += error.hits
            logger.warning("statistics: a batch in the spool cannot be read (%s)", error.reason)


def _batch(line: bytes) -> Batch:
    found = _checked(line)
    try:
        columns = tuple(found["columns"])
        if not set(columns) <= set(COLUMNS):
            raise _Unreadable(OTHER_RELEASE, len(found["hits"]))
        named = [dict(zip(columns, row, strict=True)) for row in found["hits"]]
        hits = [Hit._make(row.get(name, empty(name)) for name in COLUMNS) for row in named]
        return Batch(str(found["id"]), hits, {}, dict(found["lost"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _Unreadable(OTHER_RELEASE, len(ROW.findall(line))) from error


def _checked(line: bytes) -> dict[str, Any]:
    """Read a line that is as it was written."""
    summed = SUMMED.fullmatch(line)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(line) from error
    if not isinstance(found, dict):
        raise _damaged(line)
    if summed is None:
        if found.keys() != UNSUMMED:
            raise _damaged(line)
    elif zlib.crc32(summed[1]) != int(summed[2], 16):
        raise _damaged(line)
    return found


def _damaged(line: bytes) -> _Unreadable:
    """Count what begins like a hit: the rest of it may be gone."""
    return _Unreadable(DAMAGED, len(ROW.findall(line)))
