"""What every engine in a SQLite file does alike: one writing transaction, and failures told as the engine's own."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MAKING = threading.Lock()  # nobody here has a connection yet while one makes the file


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what SQLite and the file system raise as `down`; the reason holds no path and no value."""
    try:
        yield
    except sqlite3.Error as error:
        raise down(f"SQLite: {error}") from error
    except OSError as error:
        raise down(f"the file: {error.strerror}") from error


def make_file(path: Path, down: Callable[[str], Exception]) -> None:
    """Make the file with mode 0600 where there is none; raise `down` where its journal still lies there.

    Then the file was moved away or removed while it was in use, and the journal holds its last changes: SQLite would
    delete them for a new file, and mix both journals up once the old file is brought back.
    """
    has_left_its_journal = not path.exists() and Path(f"{path.resolve()}-wal").exists()
    if has_left_its_journal and not path.exists():  # else another worker made both in between
        raise down(
            "the file is gone, its journal is not; bring back that very file, or remove its -wal and -shm as well"
        )
    # Never opened where it is there: to close a file takes all of this process's locks on it, those of SQLite's other
    # connections too. Then whoever closes it elsewhere deletes the journal, and what is written into that is lost.
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def require_file(path: Path, inode: int, down: Callable[[str], Exception]) -> None:
    """Raise `down` where another file took the place of the one in use: nobody reads what is written into that.

    Asked after a transaction, not before: so it tells of a file that was replaced meanwhile, too.
    """
    if path.stat().st_ino != inode:
        raise down("another file took the place of the one in use")


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Do one transaction that takes the write lock first: an upgrade in between would fail at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise
