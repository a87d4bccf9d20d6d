"""The store of the log, as both databases have it; `postgres_log.py` has what only PostgreSQL can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cookieguard.features.records.store.rows import Job, Old, Row, UnsequencedRecord, Window
from cookieguard.features.records.store.subjects import DURABLE, SubjectKey
from cookieguard.features.records.values.consents import Event
from cookieguard.features.records.values.log import LogDown, Text
from cookieguard.features.records.values.sealing import Sealed
from cookieguard.features.records.values.verification import RowTuple
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database

EVERY = 2**62  # rows
MAKE = (
    """CREATE TABLE IF NOT EXISTS cg_log_record (
        place PLACE PRIMARY KEY, number INTEGER, id BLOB NOT NULL, subject BLOB NOT NULL, about BLOB NOT NULL,
        entry BLOB NOT NULL, sealed BLOB NOT NULL, mac BLOB NOT NULL
    )""",
    # By id and subject only what has a number: whoever waits for a commit waits for few pages then.
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_id ON cg_log_record (id) WHERE number >= 0 AND id <> x''",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_number ON cg_log_record (number) WHERE number IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS cg_log_record_waiting ON cg_log_record (place) WHERE number IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_waiting_id ON cg_log_record (id) WHERE number IS NULL",
    # The newest record of one kind, and the next one in time, are found among any number of others.
    """CREATE INDEX IF NOT EXISTS cg_log_record_subject_kind
        ON cg_log_record (subject, substr(about, 9) /*postgres , place*/) WHERE number >= 0""",
    """CREATE INDEX IF NOT EXISTS cg_log_record_subject_time
        ON cg_log_record (subject, substr(about, 1, 8)) WHERE number >= 0""",
    "DROP INDEX IF EXISTS cg_log_record_subject",
    "CREATE INDEX IF NOT EXISTS cg_log_record_about ON cg_log_record (about, number) WHERE number >= 0",
    """CREATE TABLE IF NOT EXISTS cg_log_tile (
        level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, n)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS cg_log_checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cg_log_fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS cg_log_public_key (key TEXT PRIMARY KEY /*postgres , place PLACE*/)",
    "CREATE TABLE IF NOT EXISTS cg_log_shown (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cg_log_job (
        place PLACE PRIMARY KEY, id BLOB NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL
    )""",
    "CREATE TABLE IF NOT EXISTS cg_log_pruned (place PLACE PRIMARY KEY, note TEXT NOT NULL)",
    # Where releases before kept the number, which read it again if a shop goes back to one.
    "INSERT INTO cg_log_fact VALUES ('schema', '5') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
)
# What is in the way of the first schema, which had no jobs: an index by the same name.
FIRST = Step(("DROP INDEX IF EXISTS cg_log_record_id",), unless=("cg_log_job", "place"))
TABLES = Tables(
    main="cg_log_record",
    steps=(FIRST, Step(MAKE)),
    down=LogDown,
    short=(("cg_log_public_key ORDER BY place", "public_key ORDER BY rowid"), ("cg_log_", "")),
    busy_seconds=2.0,  # each writer holds the lock for one small transaction
    statement_milliseconds=10_000,
    lock_milliseconds=5_000,
    settings=(
        DURABLE,
        # All there is to find has an index. A plan that was made while the log was small reads all of it later: a
        # record that took 0.15 ms of the server's CPU took 2.7 in a log of 8,000.
        "SET enable_seqscan = off",
    ),
)
INSERT = """
    INSERT INTO cg_log_record (id, subject, about, entry, sealed, mac)
    SELECT :id, :subject, :about, :entry, :sealed, :mac
    WHERE NOT EXISTS (SELECT 1 FROM cg_log_record AS old WHERE old.id = :id AND old.number >= 0 AND old.id <> x'')
    ON CONFLICT DO NOTHING
"""
INSERT_TEXT = "INSERT INTO cg_log_shown (digest, content) VALUES (:digest, :content) ON CONFLICT DO NOTHING"
INSERT_JOB = "INSERT INTO cg_log_job (id, due, tries) VALUES (:id, 0, 0)"
WAITING = "SELECT place, id, entry, mac FROM cg_log_record WHERE number IS NULL ORDER BY place LIMIT :count"
HAS_WAITING = "SELECT 1 FROM cg_log_record WHERE number IS NULL LIMIT 1"
NUMBERED = "SELECT id FROM cg_log_record WHERE id IN (:these) AND number >= 0 AND id <> x''"
DROP = "DELETE FROM cg_log_record WHERE place IN (:these) AND number IS NULL"
NUMBER = "UPDATE cg_log_record SET number = :number, mac = x'' WHERE place = :place AND number IS NULL"
REFUSE = "UPDATE cg_log_record SET number = -place WHERE place IN (:these)"
SIZE = "SELECT coalesce(max(size), 0) FROM cg_log_checkpoint"
TILE = "SELECT hashes FROM cg_log_tile WHERE level = :level AND n = :index"
PUT_TILE = """
    INSERT INTO cg_log_tile (level, n, hashes) VALUES (:level, :index, :hashes)
    ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes
"""
CHECKPOINT = "SELECT note FROM cg_log_checkpoint WHERE size >= :at_least ORDER BY size DESC LIMIT 1"
CHECKPOINTS = "SELECT size, note FROM cg_log_checkpoint ORDER BY size"
PUT_CHECKPOINT = "INSERT INTO cg_log_checkpoint (size, note) VALUES (:size, :note)"
FACT = "SELECT value FROM cg_log_fact WHERE name = :name"
PUT_FACT = "INSERT INTO cg_log_fact (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
CHANGE_FACT = """
    INSERT INTO cg_log_fact (name, value) VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
KEYS = "SELECT key FROM cg_log_public_key ORDER BY place"
PUT_KEY = "INSERT INTO cg_log_public_key (key) VALUES (:key) ON CONFLICT DO NOTHING"
COLUMNS = "SELECT number, id, subject, about, entry, sealed FROM cg_log_record"
ROW = f"""{COLUMNS} WHERE id = :id AND number >= 0 AND id <> x''
    UNION ALL {COLUMNS} WHERE id = :id AND number IS NULL AND id <> x'' LIMIT 1"""
ROWS = f"{COLUMNS} WHERE number >= :first ORDER BY number LIMIT :count"
NEWEST = f"""{COLUMNS} WHERE number >= 0 AND about >= :since AND about < :until
    ORDER BY about DESC, number DESC LIMIT :count OFFSET :skipped"""
CONTENTS = """SELECT number, length(entry) = 64 AND length(id) = 16 AND length(subject) = 16,
    CAST(entry || id || subject || about || sealed AS BLOB) FROM cg_log_record WHERE number >= 0 ORDER BY number"""
# Against the order of the index: of a label, what is older than `count` rows is not read.
ROWS_OF = f"""
    SELECT * FROM ({COLUMNS} WHERE subject = :subject AND number >= 0 AND substr(about, 9) >= :first
        AND substr(about, 9) < :after ORDER BY substr(about, 9) DESC, place DESC LIMIT :count) AS numbered
    UNION ALL SELECT * FROM ({COLUMNS} WHERE subject = :subject AND number IS NULL
        AND substr(about, 9) >= :first AND substr(about, 9) < :after ORDER BY place DESC) AS waiting"""  # noqa: S608 - constants
UNNUMBERED = f"{COLUMNS} WHERE number IS NULL OR number < 0 ORDER BY place"
IS_DUE = "SELECT 1 FROM cg_log_job WHERE due <= :now LIMIT 1"
TAKE_JOBS = """
    UPDATE cg_log_job SET due = :until WHERE place IN (
        SELECT place FROM cg_log_job WHERE due <= :now ORDER BY place LIMIT :count /*lock*/
    ) RETURNING place, id, tries
"""
PUT_OFF_JOB = "UPDATE cg_log_job SET due = :due, tries = :tries WHERE place = :place"
END_JOB = "DELETE FROM cg_log_job WHERE place = :place"
TEXTS = "SELECT digest, content FROM cg_log_shown ORDER BY digest"
TEXT = "SELECT content FROM cg_log_shown WHERE digest = :digest"
OLD = """
    SELECT number, subject, about, EXISTS (
        SELECT 1 FROM cg_log_record AS later WHERE later.subject = one.subject AND later.number >= 0
        AND substr(later.about, 1, 8) >= substr(one.about, 1, 8) AND substr(later.about, 1, 8) < :replaced_by
        AND (substr(later.about, 9) = :kind OR substr(later.about, 9, :length) = :kinds)
        AND (NOT :same_topic OR substr(later.about, 9) = substr(one.about, 9))
        AND (substr(later.about, 9) <> :imported OR substr(one.about, 9) = :imported)
        AND (substr(later.about, 1, 8), later.number) > (substr(one.about, 1, 8), one.number)
    ) FROM cg_log_record AS one
    WHERE number >= 0 AND about >= :since AND about < :until AND (about, number) > (:about, :number)
    AND (substr(about, 9) = :kind OR substr(about, 9, :length) = :kinds) ORDER BY about, number LIMIT :count
"""
REMOVE = "DELETE FROM cg_log_record WHERE number IN (:these) AND number >= 0"
PUT_PRUNED = "INSERT INTO cg_log_pruned (note) VALUES (:note)"
PRUNED = "SELECT note FROM cg_log_pruned ORDER BY place"
WITH_ROWS = """
    SELECT subject FROM cg_log_record WHERE subject IN (:these) AND number >= 0
    UNION SELECT subject FROM cg_log_record WHERE subject IN (:these) AND number IS NULL
"""


class LogStore:
    """Keep rows, tiles and checkpoints in a file, or with `PostgresLog` in a server's database. Raises LogDown.

    Every call is one transaction, but for those within `lease`.
    """

    def __init__(self, place: Path | str, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        """Write rows with their marks, texts, and jobs for the rows of these ids. Durable on return.

        Of two rows with one id the first gets a number.
        """
        with self.database.transaction():
            self.database.write_each(INSERT, (cells_of(*row) for row in rows))
            shown = ({"digest": digest, "content": content} for digest, content in texts)
            self.database.write_each(INSERT_TEXT, shown)
            self.database.write_each(INSERT_JOB, ({"id": one} for one in jobs))

    def insert_new(
        self, subjects: Mapping[bytes, SubjectKey], rows: Sequence[tuple[Sealed, bytes]]
    ) -> set[bytes]:
        """Write keys of new subjects, wrapped, by their handles, and rows sealed with them, in one commit.

        Durable on return. Return the subjects that were new. The others have a key already, so nothing is written for
        them. Only a server can have both.
        """
        raise NotImplementedError

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Do what follows as the only sequencer, in one transaction; False where another one is at it.

        Of a file there is one write lock, which the transaction holds.
        """
        with self.database.transaction():
            yield True

    def snapshot(self) -> AbstractContextManager[None]:
        """Read what follows as it is at one time; writers go on meanwhile."""
        return self.database.snapshot()

    def waiting(self, count: int) -> list[UnsequencedRecord]:
        """Return so many rows without a number, in the order they came."""
        return [UnsequencedRecord(*row) for row in self.database.rows(WAITING, count=count)]

    def has_waiting(self) -> bool:
        """Return whether a row has no number yet."""
        return self.database.value(HAS_WAITING) is not None

    def numbered(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the ids that a numbered record has."""
        return {one for (one,) in self.database.rows_in(NUMBERED, ids)}

    def drop(self, places: Sequence[int]) -> None:
        """Remove rows that have no number: another one of the same id was first."""
        self.database.write_in(DROP, places)

    def number(self, places: Sequence[int], first: int) -> None:
        """Number rows from `first` on."""
        numbers = ({"number": number, "place": place} for number, place in enumerate(places, first))
        self.database.write_each(NUMBER, numbers)

    def refuse(self, places: Sequence[int]) -> None:
        """Put rows aside that no worker wrote, under a negative number."""
        self.database.write_in(REFUSE, places)

    def size(self) -> int:
        """Return how many entries the newest checkpoint has."""
        return int(self.database.value(SIZE))

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile as long as it is; empty where there is none."""
        return _bytes_of(self.database.value(TILE, level=level, index=index))

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles."""
        places = tiles.items()
        rows = ({"level": level, "index": index, "hashes": hashes} for (level, index), hashes in places)
        self.database.write_each(PUT_TILE, rows)

    def checkpoint(self, *, at_least: int = 0) -> str | None:
        """Return the newest checkpoint, None where none is as large."""
        note: str | None = self.database.value(CHECKPOINT, at_least=at_least)
        return note

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield all checkpoints by size."""
        return self.database.stream(CHECKPOINTS)

    def put_checkpoint(self, size: int, note: str) -> None:
        """Write a checkpoint."""
        self.database.write(PUT_CHECKPOINT, size=size, note=note)

    def fact(self, name: str, value: str | None = None) -> str | None:
        """Return a fact of the log, first set to `value` where it has none."""
        found: str | None = self.database.value(FACT, name=name)
        if found is None and value is not None:
            self.database.write(PUT_FACT, name=name, value=value)
            found = self.database.value(FACT, name=name)
        return found

    def change_fact(self, name: str, value: str) -> None:
        """Set a fact to another value."""
        self.database.write(CHANGE_FACT, name=name, value=value)

    def public_keys(self) -> list[str]:
        """Return all public keys that ever signed, oldest first."""
        return [key for (key,) in self.database.rows(KEYS)]

    def add_key(self, key: str) -> None:
        """Keep a public key."""
        self.database.write(PUT_KEY, key=key)

    def row(self, id_: bytes) -> Row | None:
        """Return the row of a record."""
        row = self.database.row(ROW, id=id_)
        return None if row is None else Row(*row)

    def rows(self, first: int = 0, count: int = EVERY) -> Iterator[Row]:
        """Yield the numbered rows from a number on (at most `count`), as they are at one time."""
        return (Row(*row) for row in self.database.stream(ROWS, first=first, count=count))

    def newest(self, *, since: bytes, until: bytes, skipped: int, count: int) -> list[Row]:
        """Return the newest numbered rows of a time, which `about` begins with, after so many that are skipped."""
        rows = self.database.rows(NEWEST, since=since, until=until, skipped=skipped, count=count)
        return [Row(*row) for row in rows]

    def contents(self) -> Iterator[RowTuple]:
        """Yield what `verification.verify` takes of every numbered row, as they are at one time."""
        return self.database.stream(CONTENTS)

    def rows_of(
        self, subject: bytes, first: bytes = b"", after: bytes = b"\xff", count: int = EVERY
    ) -> list[Row]:
        """Return the rows of a subject whose labels are from `first` on and before `after`.

        First come the numbered rows, by label from the last one on, and of each label the newest first: at most
        `count`. All rows without a number follow, the newest first.
        """
        rows = self.database.rows(ROWS_OF, subject=subject, first=first, after=after, count=count)
        return [Row(*row) for row in rows]

    def unnumbered(self) -> list[Row]:
        """Return the rows that wait for a number, and those put aside (with a negative one)."""
        return [Row(*row) for row in self.database.rows(UNNUMBERED)]

    def text(self, digest: str) -> bytes | None:
        """Return a text that was shown."""
        content = self.database.value(TEXT, digest=digest)
        return None if content is None else _bytes_of(content)

    def texts(self) -> Iterator[Text]:
        """Yield every text that was shown, under its digest."""
        return ((digest, _bytes_of(content)) for digest, content in self.database.stream(TEXTS))

    def old(self, window: Window, after: tuple[bytes, int], count: int) -> list[Old]:
        """Return so many rows of a window, in the order of `about` and number, after a place in it."""
        rows = self.database.rows(OLD, **values_of(window, after, count))
        return [
            Old(number, subject, about, bool(is_replaced)) for number, subject, about, is_replaced in rows
        ]

    def remove(self, numbers: Sequence[int], note: str) -> None:
        """Remove numbered rows and keep the signed note that says so, in one transaction; their hashes stay."""
        with self.database.transaction():
            self.database.write_in(REMOVE, numbers)
            self.database.write(PUT_PRUNED, note=note)

    def pruned(self) -> list[str]:
        """Return the notes of what was removed, oldest first."""
        return [note for (note,) in self.database.rows(PRUNED)]

    def without_rows(self, subjects: Sequence[bytes]) -> list[bytes]:
        """Return those of the subjects that no row names."""
        named = {one for (one,) in self.database.rows_in(WITH_ROWS, subjects)}
        return [one for one in subjects if one not in named]

    def take_jobs(self, now: int, until: int, count: int) -> list[Job]:
        """Take jobs that are due; nobody else gets them before `until` (both in milliseconds)."""
        if self.database.value(IS_DUE, now=now) is None:
            return []
        return sorted(Job(*row) for row in self.database.rows(TAKE_JOBS, now=now, until=until, count=count))

    def end_job(self, place: int) -> None:
        """Remove a job."""
        self.database.write(END_JOB, place=place)

    def put_off_job(self, place: int, due: int, tries: int) -> None:
        """Have a job taken again later."""
        self.database.write(PUT_OFF_JOB, place=place, due=due, tries=tries)

    def close(self) -> None:
        self.database.close()


def _bytes_of(content: Any) -> bytes:
    """Return what a column of bytes holds: in SQLite, somebody who edits it may have put text there."""
    return content.encode() if isinstance(content, str) else bytes(content or b"")


def cells_of(one: Sealed, mac: bytes) -> dict[str, bytes]:
    """Return what a row holds of a record."""
    return {
        "id": one.id,
        "subject": one.subject,
        "about": one.about,
        "entry": one.entry,
        "sealed": one.sealed,
        "mac": mac,
    }


def values_of(window: Window, after: tuple[bytes, int], count: int) -> dict[str, object]:
    """Return what the statement of `old` asks for."""
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
