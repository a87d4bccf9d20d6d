"""The log in one SQLite file: for all workers of one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from cookieguard.engines.proof.protocol import Job, LogDown, Old, Row, UnsequencedRecord, Window
from cookieguard.proof.consents import Event
from cookieguard.proof.log import Text
from cookieguard.proof.sealing import Sealed
from cookieguard.proof.verification import RowTuple
from cookieguard.storage.sqlite_file import make_file, open_file, telling, writing_into

BUSY_SECONDS = 2.0  # each writer holds the lock for one small transaction
# FULL: what was acknowledged survives a power cut.
PRAGMAS = ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
SCHEMA_VERSION, FIRST = "5", "1"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS record (
        place INTEGER PRIMARY KEY, number INTEGER, id BLOB NOT NULL, subject BLOB NOT NULL, about BLOB NOT NULL,
        entry BLOB NOT NULL, sealed BLOB NOT NULL, mac BLOB NOT NULL
    )""",
    # By id and subject only what has a number: whoever waits for a commit waits for few pages then.
    "CREATE UNIQUE INDEX IF NOT EXISTS record_id ON record (id) WHERE number >= 0 AND id <> x''",
    "CREATE UNIQUE INDEX IF NOT EXISTS record_number ON record (number) WHERE number IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS record_waiting ON record (place) WHERE number IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS record_waiting_id ON record (id) WHERE number IS NULL",
    # The newest record of one kind, and the next one in time, are found among any number of others.
    "CREATE INDEX IF NOT EXISTS record_subject_kind ON record (subject, substr(about, 9)) WHERE number >= 0",
    "CREATE INDEX IF NOT EXISTS record_subject_time ON record (subject, substr(about, 1, 8)) WHERE number >= 0",
    "DROP INDEX IF EXISTS record_subject",
    "CREATE INDEX IF NOT EXISTS record_about ON record (about, number) WHERE number >= 0",
    """CREATE TABLE IF NOT EXISTS tile (
        level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, n)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS public_key (key TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS shown (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS job (
        place INTEGER PRIMARY KEY, id BLOB NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL
    )""",
    "CREATE TABLE IF NOT EXISTS pruned (place INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    "INSERT OR REPLACE INTO fact VALUES ('schema', '5')",
)
# What of the first schema is in the way of this one.
UPGRADE = ("DROP INDEX record_id",)
HAS_FACTS = "SELECT count(*) FROM sqlite_master WHERE name = 'fact'"
VERSION = "SELECT value FROM fact WHERE name = 'schema'"
INSERT = """
    INSERT INTO record (id, subject, about, entry, sealed, mac) SELECT ?1, ?2, ?3, ?4, ?5, ?6
    WHERE NOT EXISTS (SELECT 1 FROM record WHERE id = ?1 AND number >= 0 AND id <> x'') ON CONFLICT DO NOTHING
"""
INSERT_TEXT = "INSERT INTO shown (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING"
WAITING = "SELECT place, id, entry, mac FROM record WHERE number IS NULL ORDER BY place LIMIT ?"
AT_ONCE = 32  # ids: one length of statement, which SQLite need not read anew each time
NUMBERED = f"SELECT id FROM record WHERE id IN ({', '.join('?' * AT_ONCE)}) AND number >= 0 AND id <> x''"  # noqa: S608
DROP = "DELETE FROM record WHERE place = ? AND number IS NULL"
HAS_WAITING = "SELECT 1 FROM record WHERE number IS NULL LIMIT 1"
NUMBER = "UPDATE record SET number = ?, mac = x'' WHERE place = ?"
REFUSE = "UPDATE record SET number = -place WHERE place = ?"
SIZE = "SELECT coalesce(max(size), 0) FROM checkpoint"
TILE = "SELECT hashes FROM tile WHERE level = ? AND n = ?"
PUT_TILE = "INSERT OR REPLACE INTO tile (level, n, hashes) VALUES (?, ?, ?)"
CHECKPOINT = "SELECT note FROM checkpoint WHERE size >= ? ORDER BY size DESC LIMIT 1"
CHECKPOINTS = "SELECT size, note FROM checkpoint ORDER BY size"
PUT_CHECKPOINT = "INSERT INTO checkpoint (size, note) VALUES (?, ?)"
FACT = "SELECT value FROM fact WHERE name = ?"
PUT_FACT = "INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)"
CHANGE_FACT = "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)"
KEYS = "SELECT key FROM public_key ORDER BY rowid"
PUT_KEY = "INSERT OR IGNORE INTO public_key (key) VALUES (?)"
COLUMNS = "SELECT number, id, subject, about, entry, sealed FROM record"
ROW = f"""{COLUMNS} WHERE id = ?1 AND number >= 0 AND id <> x''
    UNION ALL {COLUMNS} WHERE id = ?1 AND number IS NULL AND id <> x'' LIMIT 1"""
ROWS = f"{COLUMNS} WHERE number >= ? ORDER BY number LIMIT ?"
CONTENTS = """SELECT number, length(entry) = 64 AND length(id) = 16 AND length(subject) = 16,
    CAST(entry || id || subject || about || sealed AS BLOB) FROM record WHERE number >= 0 ORDER BY number"""
# Against the order of the index: of a label, what is older than `count` rows is not read.
ROWS_OF = f"""
    SELECT * FROM ({COLUMNS} WHERE subject = :subject AND number >= 0 AND substr(about, 9) >= :first
        AND substr(about, 9) < :after ORDER BY substr(about, 9) DESC, place DESC LIMIT :count)
    UNION ALL SELECT * FROM ({COLUMNS} WHERE subject = :subject AND number IS NULL
        AND substr(about, 9) >= :first AND substr(about, 9) < :after ORDER BY place DESC)"""  # noqa: S608 - constants
UNNUMBERED = f"{COLUMNS} WHERE number IS NULL OR number < 0 ORDER BY place"
INSERT_JOB = "INSERT INTO job (id, due, tries) VALUES (?, 0, 0)"
DUE_JOBS = "SELECT place, id, tries FROM job WHERE due <= ? ORDER BY place LIMIT ?"
PUT_OFF_JOB = "UPDATE job SET due = ?, tries = ? WHERE place = ?"
END_JOB = "DELETE FROM job WHERE place = ?"
TEXT = "SELECT content FROM shown WHERE digest = ?"
OLD = """
    SELECT number, subject, about, EXISTS (
        SELECT 1 FROM record AS later WHERE later.subject = record.subject AND later.number >= 0
        AND substr(later.about, 1, 8) >= substr(record.about, 1, 8) AND substr(later.about, 1, 8) < :replaced_by
        AND (substr(later.about, 9) = :kind OR substr(later.about, 9, :length) = :kinds)
        AND (NOT :same_topic OR substr(later.about, 9) = substr(record.about, 9))
        AND (substr(later.about, 9) <> :imported OR substr(record.about, 9) = :imported)
        AND (substr(later.about, 1, 8), later.number) > (substr(record.about, 1, 8), record.number)
    ) FROM record WHERE number >= 0 AND about >= :since AND about < :until AND (about, number) > (:about, :number)
    AND (substr(about, 9) = :kind OR substr(about, 9, :length) = :kinds) ORDER BY about, number LIMIT :count
"""
REMOVE = "DELETE FROM record WHERE number = ? AND number >= 0"
PUT_PRUNED = "INSERT INTO pruned (note) VALUES (?)"
PRUNED = "SELECT note FROM pruned ORDER BY place"
HAS_ROWS = (
    "SELECT 1 FROM record WHERE subject = ?1 AND number >= 0 "
    "UNION ALL SELECT 1 FROM record WHERE subject = ?1 AND number IS NULL LIMIT 1"
)


class SqliteLog:
    """Be a LogStore in a file, made with mode 0600 where there is none and `make` is true."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        with telling(LogDown):
            if make:
                make_file(path, LogDown)
            self._inode = path.stat().st_ino
            self._connection = open_file(path, PRAGMAS, busy_seconds=BUSY_SECONDS)
            version = self._version()
        if version != SCHEMA_VERSION:
            with self._writing():
                for statement in (*(UPGRADE if self._version() == FIRST else ()), *SCHEMA):
                    self._connection.execute(statement)

    def _version(self) -> str:
        has_facts = self._connection.execute(HAS_FACTS).fetchone()[0]
        row = self._connection.execute(VERSION).fetchone() if has_facts else None
        return "" if row is None else str(row[0])

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        """Write rows and texts in one transaction."""
        values = [(one.id, one.subject, one.about, one.entry, one.sealed, mac) for one, mac in rows]
        with self._writing():
            self._connection.executemany(INSERT, values)
            self._connection.executemany(INSERT_TEXT, texts)
            self._connection.executemany(INSERT_JOB, ((one,) for one in jobs))

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Hold the write lock: of a file there is one."""
        with self._writing():
            yield True

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read in one transaction; writers go on meanwhile."""
        with telling(LogDown):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def waiting(self, count: int) -> list[UnsequencedRecord]:
        """Return rows without a number."""
        return [UnsequencedRecord(*row) for row in self._connection.execute(WAITING, (count,))]

    def has_waiting(self) -> bool:
        """Return whether there is one."""
        with telling(LogDown):
            return self._connection.execute(HAS_WAITING).fetchone() is not None

    def numbered(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return the ids that numbered records have."""
        found: set[bytes] = set()
        for at in range(0, len(ids), AT_ONCE):
            some = ids[at : at + AT_ONCE]
            rows = self._connection.execute(NUMBERED, (*some, *[some[-1]] * (AT_ONCE - len(some))))
            found.update(one for (one,) in rows)
        return found

    def drop(self, places: Sequence[int]) -> None:
        """Remove rows without a number."""
        self._connection.executemany(DROP, ((place,) for place in places))

    def number(self, places: Sequence[int], first: int) -> None:
        """Number rows."""
        self._connection.executemany(NUMBER, ((first + at, place) for at, place in enumerate(places)))

    def refuse(self, places: Sequence[int]) -> None:
        """Put rows aside under a negative number."""
        self._connection.executemany(REFUSE, ((place,) for place in places))

    def size(self) -> int:
        """Return the newest size."""
        with telling(LogDown):
            return int(self._connection.execute(SIZE).fetchone()[0])

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile."""
        with telling(LogDown):
            row = self._connection.execute(TILE, (level, index)).fetchone()
        return b"" if row is None else bytes(row[0])

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles."""
        self._connection.executemany(PUT_TILE, ((*place, hashes) for place, hashes in tiles.items()))

    def checkpoint(self, *, at_least: int = 0) -> str | None:
        """Return the newest checkpoint."""
        with telling(LogDown):
            row = self._connection.execute(CHECKPOINT, (at_least,)).fetchone()
        return None if row is None else str(row[0])

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield all checkpoints."""
        with telling(LogDown):
            yield from self._connection.execute(CHECKPOINTS)

    def put_checkpoint(self, size: int, note: str) -> None:
        """Write a checkpoint."""
        self._connection.execute(PUT_CHECKPOINT, (size, note))

    def fact(self, name: str, value: str | None = None) -> str | None:
        """Return a fact."""
        with telling(LogDown):
            row = self._connection.execute(FACT, (name,)).fetchone()
        if row is None and value is not None:
            with self._writing():
                self._connection.execute(PUT_FACT, (name, value))
            return self.fact(name)
        return None if row is None else str(row[0])

    def change_fact(self, name: str, value: str) -> None:
        """Change a fact."""
        with self._writing():
            self._connection.execute(CHANGE_FACT, (name, value))

    def public_keys(self) -> list[str]:
        """Return the public keys."""
        with telling(LogDown):
            return [key for (key,) in self._connection.execute(KEYS)]

    def add_key(self, key: str) -> None:
        """Keep a public key."""
        with self._writing():
            self._connection.execute(PUT_KEY, (key,))

    def row(self, id_: bytes) -> Row | None:
        """Return a record's row."""
        with telling(LogDown):
            row = self._connection.execute(ROW, (id_,)).fetchone()
        return None if row is None else Row(*row)

    def rows(self, first: int = 0, count: int | None = None) -> Iterator[Row]:
        """Yield the numbered rows; one statement sees them as they are at one time."""
        with telling(LogDown):
            for row in self._connection.execute(ROWS, (first, -1 if count is None else count)):
                yield Row(*row)

    def contents(self) -> Iterator[RowTuple]:
        """Yield what is verified."""
        with telling(LogDown):
            yield from self._connection.execute(CONTENTS)

    def rows_of(
        self, subject: bytes, first: bytes = b"", after: bytes = b"\xff", count: int | None = None
    ) -> list[Row]:
        """Return a subject's rows."""
        values = {"subject": subject, "first": first, "after": after, "count": -1 if count is None else count}
        with telling(LogDown):
            return [Row(*row) for row in self._connection.execute(ROWS_OF, values)]

    def unnumbered(self) -> list[Row]:
        """Return the rows without a number of the tree."""
        with telling(LogDown):
            return [Row(*row) for row in self._connection.execute(UNNUMBERED)]

    def text(self, digest: str) -> bytes | None:
        """Return a text."""
        with telling(LogDown):
            row = self._connection.execute(TEXT, (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def old(self, window: Window, after: tuple[bytes, int], count: int) -> list[Old]:
        """Return rows of a window."""
        with telling(LogDown):
            rows = self._connection.execute(OLD, values_of(window, after, count))
            return [
                Old(number, subject, about, bool(is_replaced)) for number, subject, about, is_replaced in rows
            ]

    def remove(self, numbers: Sequence[int], note: str) -> None:
        """Remove rows; what they held is written over (secure_delete)."""
        with self._writing():
            self._connection.executemany(REMOVE, ((one,) for one in numbers))
            self._connection.execute(PUT_PRUNED, (note,))

    def pruned(self) -> list[str]:
        """Return the notes of what was removed."""
        with telling(LogDown):
            return [note for (note,) in self._connection.execute(PRUNED)]

    def without_rows(self, subjects: Sequence[bytes]) -> list[bytes]:
        """Return subjects that no row names."""
        with telling(LogDown):
            run = self._connection.execute
            return [one for one in subjects if run(HAS_ROWS, (one,)).fetchone() is None]

    def take_jobs(self, now: int, until: int, count: int) -> list[Job]:
        """Take jobs that are due."""
        with telling(LogDown):
            if not self._connection.execute(DUE_JOBS, (now, 1)).fetchone():
                return []
        with self._writing():
            jobs = [Job(*row) for row in self._connection.execute(DUE_JOBS, (now, count))]
            self._connection.executemany(PUT_OFF_JOB, ((until, one.tries, one.place) for one in jobs))
        return jobs

    def end_job(self, place: int) -> None:
        """Remove a job."""
        with self._writing():
            self._connection.execute(END_JOB, (place,))

    def put_off_job(self, place: int, due: int, tries: int) -> None:
        """Have a job taken later."""
        with self._writing():
            self._connection.execute(PUT_OFF_JOB, (due, tries, place))

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing_into(self._path, self._inode, self._connection, LogDown)


def values_of(window: Window, after: tuple[bytes, int], count: int) -> dict[str, object]:
    """Return what the statement of `old` asks for, in either database."""
    kinds = f"{window.kind}:".encode()
    return {
        "kind": window.kind.encode(),
        "kinds": kinds,
        "imported": kinds + Event.IMPORT.value.encode(),  # ends nothing that the shop itself asked for
        "length": len(kinds),
        "since": window.since,
        "until": window.until,
        "replaced_by": window.replaced_by,
        "same_topic": window.same_topic,
        "about": after[0],
        "number": after[1],
        "count": count,
    }
