"""Where batches wait while the engine is down: one file per worker, capped, replayed exactly once.

Rule: rows only, as they would stand in the engine; what links the keys of two days is never written here.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cookieguard.engines.files import write_private
from cookieguard.stats.hits import COLUMNS, Batch, Hit

logger = logging.getLogger("cookieguard")

MAX_BYTES = 64 * 1024 * 1024  # of all workers together: about 250,000 hits
SUFFIX = ".spool"


class SpoolFull(Exception):
    """Say that the spool takes no more: it is at its limit, or so is the disk. `reason` names which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spool:
    """Own one file in a directory that all workers share; who holds a file's lock may replay it.

    A line is a batch. What a killed worker left is replayed by any other; a half-written last line is no batch.
    """

    def __init__(self, directory: Path, *, limit: int = MAX_BYTES) -> None:
        self._directory = directory
        self._limit = limit
        self._path: Path | None = None
        self._descriptor = -1
        self._pid = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether no worker has anything waiting."""
        return not any(self._files())

    def add(self, batch: Batch) -> None:
        """Append a batch, on the disk when this returns; raises SpoolFull, and leaves no part of it then."""
        rows = {"id": batch.id, "columns": COLUMNS, "hits": batch.hits, "lost": batch.lost}
        line = json.dumps(rows, separators=(",", ":")).encode() + b"\n"
        try:
            if sum(path.stat().st_size for path in self._files()) + len(line) > self._limit:
                raise SpoolFull("spool full")
            self._append(line)
        except OSError as error:
            raise SpoolFull(f"spool: {error.strerror}") from error

    def waiting(self) -> Iterator[Batch]:
        """Yield every batch that may be replayed from here; a file goes once all of it was taken."""
        self.close()  # ours is replayed like any other's, and a new one begins
        for path in self._files():
            with _locked(path) as content:
                if content is None:
                    continue
                yield from _batches(content)
                path.unlink(missing_ok=True)

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
            os.fdatasync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, end)
            raise

    def _opened(self) -> int:
        """Open a file of this process, made under a name nobody replays until it is locked."""
        if self._descriptor >= 0 and self._pid == os.getpid():
            return self._descriptor
        self._directory.mkdir(mode=0o700, exist_ok=True)
        draft = self._directory / f"{os.getpid()}-{secrets.token_hex(6)}"
        write_private(draft, b"")
        self._descriptor = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path, self._pid = draft.with_suffix(SUFFIX), os.getpid()
        draft.rename(self._path)
        return self._descriptor

    def _files(self) -> list[Path]:
        """Return every worker's file, oldest first."""
        found = []
        for path in self._directory.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]


class _locked:  # noqa: N801 - used as a statement: with _locked(path)
    """Hold the lock of a spool file while it is read; None where another worker has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> bytes | None:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                return None
            return self._path.read_bytes()
        except OSError:  # gone meanwhile, or somebody else's
            return None

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _batches(content: bytes) -> Iterator[Batch]:
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            found = json.loads(line)
            if tuple(found["columns"]) != COLUMNS:
                raise ValueError("of another release")
            hits = [Hit._make(row) for row in found["hits"]]
            batch = Batch(str(found["id"]), hits, {}, dict(found["lost"]))
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("statistics: a batch in the spool cannot be read (%s)", type(error).__name__)
            continue
        yield batch
