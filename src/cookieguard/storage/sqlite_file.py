"""SQLite files: opening them, writing to them and reporting their errors, and the tables of one part in a file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from cookieguard.storage.database import Database, Tables

JOURNAL = "PRAGMA journal_mode = WAL"  # readers never wait for a writer
EMPTY_JOURNAL = "PRAGMA wal_checkpoint(TRUNCATE)"
JOURNAL_RETRY_SECONDS = 0.005
# FULL: acknowledged writes survive a power cut. secure_delete: deleted content is overwritten.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
AT_ONCE = 32  # values of `IN (:these)`; a fixed number, so that SQLite can reuse the prepared statement
THESE = ", ".join(f":these{at}" for at in range(AT_ONCE))
WORDS = (("PLACE", "INTEGER"), ("MOMENT", "INTEGER"), ("LONG_AGO", "0"))
HAS_COLUMN = "SELECT count(*) FROM pragma_table_info(:table) WHERE name = :column"
_MAKING = threading.Lock()  # held while the file is created, so that no connection to it is open then


@contextmanager
def telling(down: Callable[[str], Exception]) -> Iterator[None]:
    """Turn errors of SQLite and the file system into `down`; the reason contains no path and no value."""
    try:
        yield
    except sqlite3.Error as error:
        raise down(f"SQLite: {error}") from error
    except OSError as error:
        raise down(f"the file: {error.strerror}") from error


def make_file(path: Path, down: Callable[[str], Exception]) -> None:
    """Create the file with mode 0600 if it is missing; raise `down` if its journal is still there.

    In that case the file was moved or removed while it was in use, and the journal holds its last changes. For a new
    file SQLite would delete them, and it would mix both journals up if the old file is brought back.
    """
    has_left_its_journal = not path.exists() and Path(f"{path.resolve()}-wal").exists()
    if has_left_its_journal and not path.exists():  # otherwise another worker created both in between
        raise down(
            "the file is gone but its journal is not; bring back the same file, or remove its -wal and -shm as well"
        )
    # An existing file is not opened: closing it would release all of this process's POSIX locks on it, including those
    # of SQLite's connections. Another process could then delete the journal, and writes into the journal would be lost.
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def open_file(path: Path, pragmas: Sequence[str], *, busy_seconds: float) -> sqlite3.Connection:
    """Return a connection to a file in WAL mode; a writer waits up to `busy_seconds` for another.

    Raises sqlite3.Error. Any thread may use the connection, but only one at a time.
    """
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    _keep_journal(connection, time.monotonic() + busy_seconds)
    for statement in pragmas:
        connection.execute(statement)
    return connection


def _keep_journal(connection: sqlite3.Connection, end: float) -> None:
    """Switch to WAL mode, with retries: if several workers open a new file, SQLite fails at once in all but one."""
    while True:
        try:
            connection.execute(JOURNAL)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                connection.close()
                raise
        time.sleep(JOURNAL_RETRY_SECONDS)


def empties_journal(connection: sqlite3.Connection, *, busy_seconds: float) -> bool:
    """Empty the WAL; return False if a reader holds it for `busy_seconds`.

    SQLite itself waits for readers and writers, but fails at once while another worker moves the WAL into the file.
    """
    end = time.monotonic() + busy_seconds
    while connection.execute(EMPTY_JOURNAL).fetchone()[0]:
        if time.monotonic() > end:
            return False
        time.sleep(JOURNAL_RETRY_SECONDS)
    return True


def require_file(path: Path, inode: int, down: Callable[[str], Exception]) -> None:
    """Raise `down` if another file has replaced the one in use, because writes to that one are lost.

    Call it after a transaction, so that it also notices a file that was replaced during it.
    """
    if path.stat().st_ino != inode:
        raise down("another file took the place of the one in use")


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the body in a transaction that takes the write lock first. Taking it later can fail without waiting."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise


class SqliteDatabase(Database):
    """The tables of one part in a file; `make` creates a missing file with mode 0600."""

    def __init__(self, path: Path, tables: Tables, *, make: bool = True) -> None:
        super().__init__(tables)
        self._path = path
        with telling(tables.down):
            if make:
                make_file(path, tables.down)
            self._inode = path.stat().st_ino
            self._connection: sqlite3.Connection = open_file(path, PRAGMAS, busy_seconds=tables.busy_seconds)
        self._run = self._connection.execute
        for name, arguments, function in FUNCTIONS:
            # Declared as deterministic, although time passes, so that SQLite calls it once per statement, not per row.
            self._connection.create_function(name, arguments, function, deterministic=True)
        try:
            self.migrate(make=True)
        except BaseException:
            self.close()
            raise

    def has(self, table: str, column: str) -> bool:
        return bool(self.value(HAS_COLUMN, table=self._translated(table), column=column))

    def stream(self, statement: str, /, **values: Any) -> Iterator[tuple[Any, ...]]:
        with self._asking():
            # `yield from` would close the cursor, which fails if the connection was closed before.
            for row in self._run(self._text(statement).sql, values):  # noqa: UP028
                yield row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock, and raise `down` if the file was replaced, so that the write is lost."""
        if self._connection.in_transaction:
            yield
            return
        with self._asking():
            with writing(self._connection):
                yield
            require_file(self._path, self._inode, self.tables.down)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read in one transaction, without stopping writers."""
        with self._asking():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    def take_turns(self, name: str) -> None:
        """Return at once, because the transaction holds the only write lock of the file."""

    def require_own(self) -> None:
        """Raise `down` if another file, such as an older backup, has replaced the one in use."""
        with self._asking():
            require_file(self._path, self._inode, self.tables.down)

    def empty_journal(self) -> None:
        with self._asking():
            if not empties_journal(self._connection, busy_seconds=self.tables.busy_seconds):
                raise self.tables.down(
                    "a reader holds the journal, which still has what was deleted; try again"
                )

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _asking(self) -> AbstractContextManager[None]:
        return telling(self.tables.down)

    _writing = _migrating = transaction

    def _parts(self, sql: str, these: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        if len(these) == 1:
            yield sql, {"these": these[0]}
            return
        sql = sql.replace(":these", THESE)
        for at in range(0, len(these), AT_ONCE):
            some = these[at : at + AT_ONCE]
            yield sql, {f"these{place}": some[min(place, len(some) - 1)] for place in range(AT_ONCE)}

    def _translated(self, statement: str) -> str:
        for ours, short in (*self.tables.short, *WORDS):
            statement = statement.replace(ours, short)
        return statement

    def _number(self) -> int:
        return int(self.value("PRAGMA user_version"))

    def _put_number(self, number: int) -> None:
        self.write(f"PRAGMA user_version = {number}")


def _later(seconds: float | None) -> int | None:
    return None if seconds is None else int((time.time() + seconds) * 1000)


FUNCTIONS: Sequence[tuple[str, int, Callable[..., Any]]] = (
    ("now", 0, lambda: _later(0)),
    ("later", 1, _later),
    ("seconds_until", 1, lambda due: max(0.0, due / 1000 - time.time())),
    ("greatest", 2, max),
)
