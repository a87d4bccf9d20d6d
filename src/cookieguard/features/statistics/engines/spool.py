"""Keeps batches of hits on disk while the engine is down: one file per worker, limited in size, replayed once.

Rule: a file holds only what the engine would store. It never links a visitor's keys of two days.
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

MAX_BYTES = 64 * 1024 * 1024  # in the files of all workers together: about 250,000 hits
SUFFIX = ".spool"
SUM = ',"crc32":"%08x"}'
SUMMED = re.compile(rb'(.*),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)
UNSUMMED = {"id", "columns", "hits", "lost"}  # an earlier release wrote no checksum
ROW = re.compile(rb'\[\d{9,11},"')  # a hit begins with its time and its site
DAMAGED = "spool damaged"
OTHER_RELEASE = "spool of another release"


class SpoolFull(Exception):
    """Say that a batch cannot be added, and whether the spool is at its limit or the disk failed."""


class _Unreadable(Exception):
    """Say why a line is not a readable batch, and how many hits can still be recognized in it."""

    def __init__(self, reason: str, hits: int) -> None:
        super().__init__(reason)
        self.reason, self.hits = reason, hits


class Spool:
    """Owns one file in a directory that all workers share. A worker may replay a file while it holds the file's lock.

    Each line is a batch with a checksum, because a flipped bit could change the batch's id or its hits. Another worker
    replays the file of a killed worker. Hits in damaged lines are counted as lost.
    """

    def __init__(self, directory: Path, *, limit: int = MAX_BYTES) -> None:
        self._directory = directory
        self._limit = limit
        self._path: Path | None = None
        self._descriptor = -1
        self._pid = 0
        self._lost: Counter[str] = Counter()
        self._warned: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Return whether no worker has anything waiting."""
        return not self._files()

    def add(self, batch: Batch) -> None:
        """Append a batch and sync it to disk. Raises SpoolFull, and then leaves no part of the batch in the file."""
        rows = {"id": batch.id, "columns": COLUMNS, "hits": batch.hits, "lost": batch.lost}
        line = _summed(json.dumps(rows, separators=(",", ":")).encode())
        try:
            if sum(size for size, _ in self._files()) + len(line) > self._limit:
                raise SpoolFull("spool full")
            self._append(line)
        except OSError as error:
            raise SpoolFull(f"spool: {error.strerror}") from error

    def waiting(self) -> Iterator[Batch]:
        """Yield every batch of the files that can be locked, and delete a file once all its batches were taken."""
        self.close()  # so that this worker's file is replayed too; the next batch begins a new file
        for _, path in self._files():
            with self._locked(path) as content:
                if content is None:
                    continue
                lost: Counter[str] = Counter()
                yield from _batches(content, lost)
                self._remove(path, lost)

    def take_lost(self) -> Mapping[str, int]:
        """Return how many hits of deleted files could not be read, by reason, since the last call."""
        lost, self._lost = self._lost, Counter()
        return lost

    def close(self) -> None:
        """Close the file and release its lock, so that any worker may replay it."""
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
            except OSError:  # a part of the line stays, so the next batch must go to a new file
                self.close()
            raise

    def _opened(self) -> int:
        """Return this process's file, created under a name that no worker replays and renamed once it is locked."""
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
        """Return whether this process's file still has its name: batches in a removed file would never be replayed."""
        if self._path is None or self._pid != os.getpid():
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except OSError:
            return False

    @contextmanager
    def _locked(self, path: Path) -> Iterator[bytes | None]:
        """Lock a file and return its content, or None if another worker has the lock or the file cannot be read."""
        descriptor = -1
        try:
            # The file may have been replaced since it was listed, and opening a FIFO or a device must not block.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            content = _content(descriptor, path)
        except (FileNotFoundError, BlockingIOError):
            content = None
        except OSError as error:
            self._warn_once(path, f"cannot be read ({error.strerror})")
            content = None
        try:
            yield content
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _remove(self, path: Path, lost: Counter[str]) -> None:
        """Remove a file whose batches were all taken. Its lost hits are counted only now, so that they count once."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # its batches are replayed again, and the engine recognizes their ids
            self._warn_once(path, f"cannot be removed ({error.strerror})")
            return
        self._lost.update(lost)

    def _files(self) -> list[tuple[int, Path]]:
        """Return size and path of every worker's file, oldest first. Log once if one is not a regular file."""
        found = []
        for path in self._directory.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, status.st_size, path))
                else:
                    self._warn_once(path, "is not a file")
        return [(size, path) for _, size, path in sorted(found)]

    def _warn_once(self, path: Path, what: str) -> None:
        if path.name not in self._warned:
            self._warned.add(path.name)
            logger.warning("statistics: %s in the spool %s", path.name, what)


def _content(descriptor: int, path: Path) -> bytes | None:
    """Lock a file and return its content, or None if it was replaced; raises BlockingIOError if it is locked."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.path.samestat(os.fstat(descriptor), path.stat()):
        return None
    return path.read_bytes()


def _summed(text: bytes) -> bytes:
    """Return a line: the JSON object, with the checksum of the text before it as its last member."""
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
    """Return a line's JSON object if its checksum is right; raises _Unreadable."""
    summed = SUMMED.fullmatch(line)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Unreadable(DAMAGED, len(ROW.findall(line))) from error
    is_object = isinstance(found, dict)
    is_sound = (
        zlib.crc32(summed[1]) == int(summed[2], 16) if summed else is_object and found.keys() == UNSUMMED
    )
    if not is_object or not is_sound:
        raise _Unreadable(DAMAGED, len(ROW.findall(line)))
    return dict(found)
