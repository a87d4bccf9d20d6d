"""What every engine in a SQLite file does alike: to open it, one writing transaction, failures told as its own."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

JOURNAL = "PRAGMA journal_mode = WAL"  # readers never wait for a writer
EMPTY_JOURNAL = "PRAGMA wal_checkpoint(TRUNCATE)"
JOURNAL_RETRY_SECONDS = 0.005
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


def open_file(path: Path, pragmas: Sequence[str], *, busy_seconds: float) -> sqlite3.Connection:
    """Connect to a file with a journal beside it; a writer waits up to `busy_seconds` for another.

    Raises sqlite3.Error. Any thread may use the connection, one at a time.
    """
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    _keep_journal(connection, time.monotonic() + busy_seconds)
    for statement in pragmas:
        connection.execute(statement)
    return connection


def _keep_journal(connection: sqlite3.Connection, end: float) -> None:
    """Have a journal; of workers that open a new file together, SQLite by itself lets all but one fail at once."""
    while True:
        try:
            connection.execute(JOURNAL)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                connection.close()
                raise
        time.sleep(JOURNAL_RETRY_SECONDS)


def require_file(path: Path, inode: int, down: Callable[[str], Exception]) -> None:
    """Raise `down` where another file took the place of the one in use: nobody reads what is written into that.

    Asked after a transaction, not before: so it tells of a file that was replaced meanwhile, too.
    """
    if path.stat().st_ino != inode:
        raise down("another file took the place of the one in use")


def empty_journal(connection: sqlite3.Connection, down: Callable[[str], Exception]) -> None:
    """Have nothing left in the journal of what was deleted; raise `down` where a reader holds it for too long."""
    busy, *_ = connection.execute(EMPTY_JOURNAL).fetchone()
    if busy:
        raise down("the journal is read, and still holds what was deleted")


@contextmanager
def writing_into(
    path: Path, inode: int, connection: sqlite3.Connection, down: Callable[[str], Exception]
) -> Iterator[None]:
    """Do one transaction in a file that others write into as well; raise `down` where it failed, or went nowhere."""
    with telling(down):
        with writing(connection):
            yield
        require_file(path, inode, down)


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
