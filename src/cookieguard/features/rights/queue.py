"""The database tables of the request queue: sealed rows, each leased to one worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cookieguard.errors import CookieGuardError
from cookieguard.storage.database import Step, Tables
from cookieguard.storage.open import open_database


class QueueDown(CookieGuardError):
    """Report that the queue cannot be reached; the reason contains no URL and no stored value."""


class Row(NamedTuple):
    """Hold a request as the queue stores it: sealed, with a pseudonym of the person in `who`."""

    id: str
    who: str
    is_open: bool
    sealed: bytes
    version: int = 0


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
# WAKE sets LONG_AGO. A claim replaces it and a release keeps it, so a request woken during work is claimed again.
CLAIM = f"""
    UPDATE cookieguard_rights SET lease = :lease, lease_until = later(:seconds),
        work_at = CASE WHEN work_at = LONG_AGO THEN now() ELSE work_at END
    WHERE id = (
        SELECT id FROM cookieguard_rights AS one WHERE work_at <= now() AND lease_until <= now() AND NOT EXISTS (
            SELECT 1 FROM cookieguard_rights AS other WHERE other.who = one.who AND other.lease_until > now()
        ) ORDER BY work_at LIMIT 1 /*lock*/
    ) RETURNING {COLUMNS}, tries
"""  # noqa: S608
# Claims take turns: two at once would not see each other's lease, and could lease two requests of one person.
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
    """Store requests in a file or a database server. Used by one thread at a time.

    Raises QueueDown if the database cannot be reached, and if a backup replaced the open file, since writes would be
    lost and reads outdated. Times are durations, because all workers share only the database's clock.
    """

    def __init__(self, place: Path | str) -> None:
        self._database = open_database(place, TABLES)

    def secret(self, sealed: bytes) -> bytes:
        """Return the queue's sealed secret; a new queue stores the given one first."""
        with self._database.transaction():
            self._database.write(SECRET, sealed=sealed)
            return bytes(self._database.value(READ_SECRET))

    def put_secret(self, sealed: bytes, *, before: bytes) -> None:
        """Store the resealed secret, if the stored one is still `before`."""
        self._database.write(PUT_SECRET, sealed=sealed, before=before)

    def add(self, row: Row, *, work_in: float | None) -> bool:
        """Add a request; return False if its id is in use. `work_in` is None if there is no work on it."""
        return self._database.write(ADD, **row._asdict(), work_in=work_in) > 0

    def read(self, id_: str) -> Row | None:
        """Return a request; None if its id is unknown."""
        return next(iter(self._rows(READ, id=id_)), None)

    def write(self, row: Row) -> bool:
        """Replace the version from which `row` was made; return False if a newer one is stored by now."""
        return self._database.write(WRITE, **row._asdict()) > 0

    def of(self, who: str) -> Sequence[Row]:
        """Return all requests of one person, the newest last."""
        return self._rows(OF, who=who)

    def open_rows(self) -> Sequence[Row]:
        """Return all open requests."""
        return self._rows(BY_STATE, is_open=True)

    def closed_rows(self) -> Sequence[Row]:
        """Return all closed requests."""
        return self._rows(BY_STATE, is_open=False)

    def newest_closed(self, skipped: int, count: int) -> Sequence[Row]:
        """Return `count` closed requests after the first `skipped`, the newest first."""
        return self._rows(NEWEST_CLOSED, skipped=skipped, count=count)

    def claim(self, lease: str, seconds: float) -> tuple[Row, int] | None:
        """Lease a request with due work whose person has no other leased request; None if there is none.

        With it comes the number of failures since its last success.
        """
        with self._database.transaction():
            self._database.take_turns(CLAIM_IN_TURN)
            found = self._database.row(CLAIM, lease=lease, seconds=seconds)
        return None if found is None else (_row(*found[:-1]), found[-1])

    def renew(self, id_: str, lease: str, seconds: float) -> bool:
        """Extend a lease; return False if it has ended, and another worker may have the request."""
        return self._database.write(RENEW, id=id_, lease=lease, seconds=seconds) > 0

    def release(self, id_: str, lease: str, *, work_in: float | None, failed: bool) -> bool:
        """End a lease, with the next work in `work_in` seconds or never; return False if it is another worker's."""
        return self._database.write(RELEASE, id=id_, lease=lease, work_in=work_in, failed=failed) > 0

    def wake(self, id_: str) -> None:
        """Make work on a request due at once; if the request is leased, once that lease ends."""
        self._database.write(WAKE, id=id_)

    def keep_file(self, id_: str, content: bytes) -> None:
        """Store the file that a request produced, in place of an earlier one."""
        self._database.write(KEEP, id=id_, content=content)

    def file(self, id_: str) -> bytes | None:
        """Return the file that a request produced; None if there is none."""
        content = self._database.value(FILE, id=id_)
        self._database.require_own()
        return None if content is None else bytes(content)

    def forget_file(self, id_: str) -> None:
        """Delete the file that a request produced, also from the database's journal."""
        self._database.write(FORGET_FILE, id=id_)
        self._database.empty_journal()

    def forget(self, id_: str) -> None:
        """Delete a request and its file, also from the database's journal."""
        with self._database.transaction():
            self._database.write(FORGET_FILE, id=id_)
            self._database.write(FORGET, id=id_)
        self._database.empty_journal()

    def close(self) -> None:
        """Close the connection; never raises."""
        self._database.close()

    def _rows(self, statement: str, **values: object) -> list[Row]:
        rows = [_row(*found) for found in self._database.rows(statement, **values)]
        self._database.require_own()
        return rows


def _row(id_: str, who: str, is_open: Any, sealed: bytes, version: int) -> Row:
    return Row(id_, who, bool(is_open), sealed, version)
