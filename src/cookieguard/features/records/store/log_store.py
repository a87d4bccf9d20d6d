"""The store of the log's rows, for SQLite and PostgreSQL; `postgres_log.py` overrides what only PostgreSQL can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cookieguard.features.records.store.rows import AgedRow, HookJob, Row, UnsequencedRecord, Window
from cookieguard.features.records.store.subjects import DURABLE, SubjectKey
from cookieguard.features.records.values.consents import Event
from cookieguard.features.records.values.log import LogDown, Text
from cookieguard.features.records.values.sealing import Sealed
from cookieguard.features.records.values.verification import RowTuple
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database

EVERY = 2**62  # as a number of rows: no limit
MAKE = (
    """CREATE TABLE IF NOT EXISTS cg_log_record (
        place PLACE PRIMARY KEY, number INTEGER, id BLOB NOT NULL, subject BLOB NOT NULL, about BLOB NOT NULL,
        entry BLOB NOT NULL, sealed BLOB NOT NULL, mac BLOB NOT NULL
    )""",
    # The indexes by id and subject have numbered rows only, so that a commit writes fewer pages.
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_id ON cg_log_record (id) WHERE number >= 0 AND id <> x''",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_number ON cg_log_record (number) WHERE number IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS cg_log_record_waiting ON cg_log_record (place) WHERE number IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS cg_log_record_waiting_id ON cg_log_record (id) WHERE number IS NULL",
    # These find a subject's newest record of a kind, and its next record in time, however many records it has.
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
    # Earlier releases keep the schema's number here, and read it if a shop returns to one of them.
    "INSERT INTO cg_log_fact VALUES ('schema', '5') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
)
# The first schema, which had no jobs, has an index of the same name that must be dropped.
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
        # Each query has an index. Otherwise a plan made while the log was small later scans all of it: in a log of
        # 8,000 records, one more took 2.7 ms of the server's CPU instead of 0.15 ms.
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
# The order is the index backwards, so that rows of a label beyond the newest `count` are not read.
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

    Each call is one transaction, except for the calls within `lease`.
    """

    def __init__(self, place: Path | str, *, make: bool = True) -> None:
        self.database = open_database(place, TABLES, make=make)

    def insert(
        self, rows: Sequence[tuple[Sealed, bytes]], texts: Iterable[Text], jobs: Sequence[bytes] = ()
    ) -> None:
        """Write rows with their marks, texts, and jobs for the rows of these ids. All are on disk on return.

        If two rows have the same id, only the first gets a number.
        """
        with self.database.transaction():
            self.database.write_each(INSERT, (cells_of(*row) for row in rows))
            shown = ({"digest": digest, "content": content} for digest, content in texts)
            self.database.write_each(INSERT_TEXT, shown)
            self.database.write_each(INSERT_JOB, ({"id": id_} for id_ in jobs))

    def insert_new(
        self, subjects: Mapping[bytes, SubjectKey], rows: Sequence[tuple[Sealed, bytes]]
    ) -> set[bytes]:
        """Write wrapped keys of new subjects by their handles, and rows sealed with these keys, in one commit.

        Return the subjects that were new; all is on disk on return. The others already have a key, so their rows are
        not written. Only a server has rows and keys in one database.
        """
        raise NotImplementedError

    @contextmanager
    def lease(self) -> Iterator[bool]:
        """Run the block in one transaction; yield whether it alone numbers rows, as a file's write lock ensures."""
        with self.database.transaction():
            yield True

    def snapshot(self) -> AbstractContextManager[None]:
        """Run the block's reads on the state of one moment, without blocking writers."""
        return self.database.snapshot()

    def waiting(self, count: int) -> list[UnsequencedRecord]:
        """Return at most `count` rows without a number, in the order they were written."""
        return [UnsequencedRecord(*row) for row in self.database.rows(WAITING, count=count)]

    def has_waiting(self) -> bool:
        """Return whether a row has no number yet."""
        return self.database.value(HAS_WAITING) is not None

    def numbered(self, ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the ids that a numbered record has."""
        return {id_ for (id_,) in self.database.rows_in(NUMBERED, ids)}

    def drop(self, places: Sequence[int]) -> None:
        """Remove rows without a number; another row of the same id was first."""
        self.database.write_in(DROP, places)

    def number(self, places: Sequence[int], first: int) -> None:
        """Number rows from `first` on."""
        numbers = ({"number": number, "place": place} for number, place in enumerate(places, first))
        self.database.write_each(NUMBER, numbers)

    def refuse(self, places: Sequence[int]) -> None:
        """Set rows aside that no worker wrote, by giving them negative numbers."""
        self.database.write_in(REFUSE, places)

    def size(self) -> int:
        """Return the number of entries that the newest checkpoint covers."""
        return int(self.database.value(SIZE))

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile's stored hashes, empty if there is no such tile."""
        return _bytes_of(self.database.value(TILE, level=level, index=index))

    def put_tiles(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Write tiles by level and index; existing ones are replaced."""
        places = tiles.items()
        rows = ({"level": level, "index": index, "hashes": hashes} for (level, index), hashes in places)
        self.database.write_each(PUT_TILE, rows)

    def checkpoint(self, *, at_least: int = 0) -> str | None:
        """Return the newest checkpoint, None if it covers fewer than `at_least` entries."""
        note: str | None = self.database.value(CHECKPOINT, at_least=at_least)
        return note

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield all checkpoints by size."""
        return self.database.stream(CHECKPOINTS)

    def put_checkpoint(self, size: int, note: str) -> None:
        """Write a signed checkpoint over `size` entries."""
        self.database.write(PUT_CHECKPOINT, size=size, note=note)

    def fact(self, name: str, value: str | None = None) -> str | None:
        """Return a fact of the log. If it is missing and `value` is given, set it first."""
        found: str | None = self.database.value(FACT, name=name)
        if found is None and value is not None:
            self.database.write(PUT_FACT, name=name, value=value)
            found = self.database.value(FACT, name=name)
        return found

    def change_fact(self, name: str, value: str) -> None:
        """Set a fact of the log; an earlier value is replaced."""
        self.database.write(CHANGE_FACT, name=name, value=value)

    def public_keys(self) -> list[str]:
        """Return all public keys that ever signed, oldest first."""
        return [key for (key,) in self.database.rows(KEYS)]

    def add_key(self, key: str) -> None:
        """Add a public key, unless the log has it."""
        self.database.write(PUT_KEY, key=key)

    def row(self, id_: bytes) -> Row | None:
        """Return a record's row by its digested id, numbered or waiting; None if there is none."""
        row = self.database.row(ROW, id=id_)
        return None if row is None else Row(*row)

    def rows(self, first: int = 0, count: int = EVERY) -> Iterator[Row]:
        """Yield at most `count` numbered rows from a number on, as of one moment."""
        return (Row(*row) for row in self.database.stream(ROWS, first=first, count=count))

    def newest(self, *, since: bytes, until: bytes, skipped: int, count: int) -> list[Row]:
        """Return the newest numbered rows made from `since` on and before `until`, without the first `skipped`."""
        rows = self.database.rows(NEWEST, since=since, until=until, skipped=skipped, count=count)
        return [Row(*row) for row in rows]

    def contents(self) -> Iterator[RowTuple]:
        """Yield all numbered rows in the form that `verification.verify` takes, as of one moment."""
        return self.database.stream(CONTENTS)

    def rows_of(
        self, subject: bytes, first: bytes = b"", after: bytes = b"\xff", count: int = EVERY
    ) -> list[Row]:
        """Return the rows of a subject whose labels are from `first` on and before `after`.

        At most `count` numbered rows come first, by label in descending order, and the newest first within a label.
        All rows without a number follow, the newest first.
        """
        rows = self.database.rows(ROWS_OF, subject=subject, first=first, after=after, count=count)
        return [Row(*row) for row in rows]

    def unnumbered(self) -> list[Row]:
        """Return the rows that wait for a number, and those set aside, which have negative numbers."""
        return [Row(*row) for row in self.database.rows(UNNUMBERED)]

    def text(self, digest: str) -> bytes | None:
        """Return the shown text with a digest, None if the store has none."""
        content = self.database.value(TEXT, digest=digest)
        return None if content is None else _bytes_of(content)

    def texts(self) -> Iterator[Text]:
        """Yield each shown text with its digest."""
        return ((digest, _bytes_of(content)) for digest, content in self.database.stream(TEXTS))

    def old(self, window: Window, after: tuple[bytes, int], count: int) -> list[AgedRow]:
        """Return at most `count` rows of a window that follow the `about` and number of `after`, in that order."""
        rows = self.database.rows(OLD, **values_of(window, after, count))
        return [
            AgedRow(number, subject, about, bool(is_replaced)) for number, subject, about, is_replaced in rows
        ]

    def remove(self, numbers: Sequence[int], note: str) -> None:
        """Remove numbered rows and add the signed note about them, in one transaction; the tiles keep their hashes."""
        with self.database.transaction():
            self.database.write_in(REMOVE, numbers)
            self.database.write(PUT_PRUNED, note=note)

    def pruned(self) -> list[str]:
        """Return the signed notes of removed rows, oldest first."""
        return [note for (note,) in self.database.rows(PRUNED)]

    def without_rows(self, subjects: Sequence[bytes]) -> list[bytes]:
        """Return those of the subjects that no row names."""
        named = {subject for (subject,) in self.database.rows_in(WITH_ROWS, subjects)}
        return [subject for subject in subjects if subject not in named]

    def take_jobs(self, now: int, until: int, count: int) -> list[HookJob]:
        """Return jobs that are due, and reserve them: no other call gets them before `until` (in milliseconds)."""
        if self.database.value(IS_DUE, now=now) is None:
            return []
        return sorted(
            HookJob(*row) for row in self.database.rows(TAKE_JOBS, now=now, until=until, count=count)
        )

    def end_job(self, place: int) -> None:
        """Remove a job."""
        self.database.write(END_JOB, place=place)

    def put_off_job(self, place: int, due: int, tries: int) -> None:
        """Set a job's next due time in milliseconds, and its number of failed calls."""
        self.database.write(PUT_OFF_JOB, place=place, due=due, tries=tries)

    def close(self) -> None:
        self.database.close()


def _bytes_of(content: Any) -> bytes:
    """Return a column's value as bytes. In SQLite it can be text, if somebody edited the file."""
    return content.encode() if isinstance(content, str) else bytes(content or b"")


def cells_of(record: Sealed, mac: bytes) -> dict[str, bytes]:
    """Return the columns of a sealed record's row."""
    return {
        "id": record.id,
        "subject": record.subject,
        "about": record.about,
        "entry": record.entry,
        "sealed": record.sealed,
        "mac": mac,
    }


def values_of(window: Window, after: tuple[bytes, int], count: int) -> dict[str, object]:
    """Return the parameters of the statement `OLD`."""
    kinds = f"{window.kind}:".encode()
    return {
        "kind": window.kind.encode(),
        "kinds": kinds,
        "imported": kinds + Event.IMPORT.value.encode(),  # an import does not replace the shop's own records
        "length": len(kinds),
        "since": window.since,
        "until": window.until,
        "replaced_by": window.replaced_by,
        "same_topic": window.same_topic,
        "about": after[0],
        "number": after[1],
        "count": count,
    }
