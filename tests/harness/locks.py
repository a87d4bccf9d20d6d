"""Locks on SQLite files: one that outlasts the wait of every writer, and that of a checkpoint."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock a database against other writers until the block ends."""
    with closing(
        sqlite3.connect(database, isolation_level=None, timeout=60, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


# The byte of the -shm file that a checkpoint locks: https://www.sqlite.org/walformat.html, "WAL locks".
CHECKPOINT_BYTE = 121
CHECKPOINT = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, int(sys.argv[2]))
    print("locked", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@contextmanager
def checkpointing(database: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a checkpoint for so long, as another process that moves a long journal into the file."""
    command = [sys.executable, "-c", CHECKPOINT, f"{database}-shm", str(CHECKPOINT_BYTE), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield
