"""The queue of requests: sealed rows, each leased to one worker at a time. In a file it is beside the store's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cookieguard.features.rights.protocol import Claimed, QueueDown, Row
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database

MAKE = (
    "CREATE TABLE IF NOT EXISTS cookieguard_rights_fact (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS cookieguard_rights (
        id TEXT PRIMARY KEY, /*postgres place BIGSERIAL,*/ who TEXT NOT NULL, is_open BOOLEAN NOT NULL,
        sealed BLOB NOT NULL, version INTEGER NOT NULL, work_at MOMENT, lease TEXT NOT NULL DEFAULT '',
        lease_until MOMENT NOT NULL DEFAULT LONG_AGO, tries INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_rights_who ON cookieguard_rights (who)",
    "CREATE INDEX IF NOT EXISTS cookieguard_rights_work ON cookieguard_rights (work_at) WHERE work_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS cookieguard_rights_file (id TEXT PRIMARY KEY, content BLOB NOT NULL)",
)
TABLES = Tables(
    main="cookieguard_rights",
    steps=(Step(MAKE),),
    down=QueueDown,
    short=(
        ("cookieguard_rights_fact", "fact"),
        ("cookieguard_rights_file", "file"),
        ("cookieguard_rights", "request"),
        ("ORDER BY place", "ORDER BY rowid"),
    ),
    busy_seconds=5.0,
    statement_milliseconds=10_000,
    lock_milliseconds=5_000,
)
SECRET = "INSERT INTO cookieguard_rights_fact VALUES ('secret', :sealed) ON CONFLICT DO NOTHING"  # noqa: S105 - SQL
PUT_SECRET = "UPDATE cookieguard_rights_fact SET value = :sealed WHERE name = 'secret' AND value = :before"  # noqa: S105
READ_SECRET = "SELECT value FROM cookieguard_rights_fact WHERE name = 'secret'"  # noqa: S105 - SQL
COLUMNS = "id, who, is_open, sealed, version"
ADD = """
    INSERT INTO cookieguard_rights (id, who, is_open, sealed, version, work_at)
    VALUES (:id, :who, :is_open, :sealed, 1, later(:work_in)) ON CONFLICT DO NOTHING
"""
READ = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE id = :id"  # noqa: S608 - names of ours
WRITE = """
    UPDATE cookieguard_rights SET who = :who, is_open = :is_open, sealed = :sealed, version = version + 1
    WHERE id = :id AND version = :version
"""
OF = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE who = :who ORDER BY place"  # noqa: S608
BY_STATE = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE is_open = :is_open ORDER BY place"  # noqa: S608
NEWEST_CLOSED = f"""
    SELECT {COLUMNS} FROM cookieguard_rights WHERE NOT is_open ORDER BY place DESC LIMIT :count OFFSET :skipped
"""  # noqa: S608
# A request that is woken while a worker has it gets LONG_AGO, which no claim leaves and no release takes away.
CLAIM = f"""
    UPDATE cookieguard_rights SET lease = :lease, lease_until = later(:seconds),
        work_at = CASE WHEN work_at = LONG_AGO THEN now() ELSE work_at END
    WHERE id = (
        SELECT id FROM cookieguard_rights AS one WHERE work_at <= now() AND lease_until <= now() AND NOT EXISTS (
            SELECT 1 FROM cookieguard_rights AS other WHERE other.who = one.who AND other.lease_until > now()
        ) ORDER BY work_at LIMIT 1 /*lock*/
    ) RETURNING {COLUMNS}, tries
"""  # noqa: S608
# Two workers that claim at the same time would not see each other's lease; one request of a person is worked at.
CLAIM_IN_TURN = "cookieguard rights claim"
RENEW = """
    UPDATE cookieguard_rights SET lease_until = later(:seconds)
    WHERE id = :id AND lease = :lease AND lease_until > now()
"""
RELEASE = """
    UPDATE cookieguard_rights SET lease = '', lease_until = LONG_AGO,
        work_at = CASE WHEN work_at = LONG_AGO THEN LONG_AGO ELSE later(:work_in) END,
        tries = CASE WHEN :failed THEN tries + 1 ELSE 0 END
    WHERE id = :id AND lease = :lease
"""
WAKE = "UPDATE cookieguard_rights SET work_at = LONG_AGO WHERE id = :id"
KEEP = """
    INSERT INTO cookieguard_rights_file VALUES (:id, :content)
    ON CONFLICT (id) DO UPDATE SET content = excluded.content
"""
FILE = "SELECT content FROM cookieguard_rights_file WHERE id = :id"
FORGET_FILE = "DELETE FROM cookieguard_rights_file WHERE id = :id"
FORGET = "DELETE FROM cookieguard_rights WHERE id = :id"


class Queue:
    """Keep requests, in a file or a server's database. Used by one thread at a time.

    Raises QueueDown where it cannot be asked, and where a backup took the place of the file in use: what would be
    written is lost, and what is read is old. Times are durations: the database has the clock that all workers share.
    """

    def __init__(self, place: Path | str) -> None:
        self._database = open_database(place, TABLES)

    def secret(self, sealed: bytes) -> bytes:
        """Return the queue's secret, sealed: the one that is there, else the one that is given."""
        with self._database.transaction():
            self._database.write(SECRET, sealed=sealed)
            return bytes(self._database.value(READ_SECRET))

    def put_secret(self, sealed: bytes, *, before: bytes) -> None:
        """Keep the secret under another seal, where `before` is what is kept."""
        self._database.write(PUT_SECRET, sealed=sealed, before=before)

    def add(self, row: Row, *, work_in: float | None) -> bool:
        """Add a request; False where one of this id is there. None: there is no work at it."""
        return self._database.write(ADD, **row._asdict(), work_in=work_in) > 0

    def read(self, id_: str) -> Row | None:
        """Return a request."""
        return next(iter(self._rows(READ, id=id_)), None)

    def write(self, row: Row) -> bool:
        """Write a request over the version it was made of; False where another one is there by now."""
        return self._database.write(WRITE, **row._asdict()) > 0

    def of(self, who: str) -> Sequence[Row]:
        """Return all requests of one person, the newest last."""
        return self._rows(OF, who=who)

    def open_rows(self) -> Sequence[Row]:
        """Return all that are open."""
        return self._rows(BY_STATE, is_open=True)

    def closed_rows(self) -> Sequence[Row]:
        """Return all that are closed."""
        return self._rows(BY_STATE, is_open=False)

    def newest_closed(self, skipped: int, count: int) -> Sequence[Row]:
        """Return so many that are closed, the newest first."""
        return self._rows(NEWEST_CLOSED, skipped=skipped, count=count)

    def claim(self, lease: str, seconds: float) -> Claimed | None:
        """Lease a request that has work due, of a person of whom no other one is leased; None where there is none."""
        with self._database.transaction():
            self._database.take_turns(CLAIM_IN_TURN)
            found = self._database.row(CLAIM, lease=lease, seconds=seconds)
        return None if found is None else Claimed(_row(*found[:-1]), found[-1])

    def renew(self, id_: str, lease: str, seconds: float) -> bool:
        """Keep a lease longer; False where it is another worker's by now."""
        return self._database.write(RENEW, id=id_, lease=lease, seconds=seconds) > 0

    def release(self, id_: str, lease: str, *, work_in: float | None, failed: bool) -> bool:
        """End a lease; say when there is work again, None for none; False where it was another worker's."""
        return self._database.write(RELEASE, id=id_, lease=lease, work_in=work_in, failed=failed) > 0

    def wake(self, id_: str) -> None:
        """Have work at a request begin at once, whatever it waited for; while it is leased, once that lease ends."""
        self._database.write(WAKE, id=id_)

    def keep_file(self, id_: str, content: bytes) -> None:
        """Keep what a request brought forth, in place of what was there."""
        self._database.write(KEEP, id=id_, content=content)

    def file(self, id_: str) -> bytes | None:
        """Return what a request brought forth."""
        content = self._database.value(FILE, id=id_)
        self._database.require_own()
        return None if content is None else bytes(content)

    def forget_file(self, id_: str) -> None:
        """Delete what a request brought forth, from the journal too."""
        self._database.write(FORGET_FILE, id=id_)
        self._database.empty_journal()

    def forget(self, id_: str) -> None:
        """Delete a request and what it brought forth, from the journal too."""
        with self._database.transaction():
            self._database.write(FORGET_FILE, id=id_)
            self._database.write(FORGET, id=id_)
        self._database.empty_journal()

    def close(self) -> None:
        """Let go of the connection; never raises."""
        self._database.close()

    def _rows(self, statement: str, **values: object) -> list[Row]:
        rows = [_row(*found) for found in self._database.rows(statement, **values)]
        self._database.require_own()
        return rows


def _row(id_: str, who: str, is_open: Any, sealed: bytes, version: int) -> Row:
    return Row(id_, who, bool(is_open), sealed, version)
