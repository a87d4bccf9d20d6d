"""The queue in PostgreSQL, for workers on many machines: the server's clock is the one of all leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cookieguard.engines.rights.protocol import Claimed, QueueDown, Row
from cookieguard.storage.postgres_connection import Reconnecting

STATEMENT_MILLISECONDS, LOCK_MILLISECONDS = 10_000, 5_000
MAKE_IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('cookieguard rights'))"
# Two workers that claim at the same time would not see each other's lease: of one person only one request is worked at.
CLAIM_IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('cookieguard rights claim'))"
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS cookieguard_rights_fact (name TEXT PRIMARY KEY, value BYTEA NOT NULL)",
    """CREATE TABLE IF NOT EXISTS cookieguard_rights (
        id TEXT PRIMARY KEY, place BIGSERIAL, who TEXT NOT NULL, is_open BOOLEAN NOT NULL, sealed BYTEA NOT NULL,
        version BIGINT NOT NULL, work_at TIMESTAMPTZ, lease TEXT NOT NULL DEFAULT '',
        lease_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity', tries INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_rights_who ON cookieguard_rights (who)",
    "CREATE INDEX IF NOT EXISTS cookieguard_rights_work ON cookieguard_rights (work_at) WHERE work_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS cookieguard_rights_file (id TEXT PRIMARY KEY, content BYTEA NOT NULL)",
)
SECRET = "INSERT INTO cookieguard_rights_fact VALUES ('secret', %s) ON CONFLICT DO NOTHING"  # noqa: S105
PUT_SECRET = "UPDATE cookieguard_rights_fact SET value = %s WHERE name = 'secret' AND value = %s"  # noqa: S105
READ_SECRET = "SELECT value FROM cookieguard_rights_fact WHERE name = 'secret'"  # noqa: S105
COLUMNS = "id, who, is_open, sealed, version"
LATER = "clock_timestamp() + make_interval(secs => %s)"  # NULL for NULL
ADD = f"""
    INSERT INTO cookieguard_rights (id, who, is_open, sealed, version, work_at)
    VALUES (%s, %s, %s, %s, 1, {LATER}) ON CONFLICT (id) DO NOTHING
"""  # noqa: S608
READ = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE id = %s"  # noqa: S608
WRITE = """
    UPDATE cookieguard_rights SET who = %s, is_open = %s, sealed = %s, version = version + 1
    WHERE id = %s AND version = %s
"""
OF = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE who = %s ORDER BY place"  # noqa: S608
OPEN = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE is_open ORDER BY place"  # noqa: S608
CLOSED = f"SELECT {COLUMNS} FROM cookieguard_rights WHERE NOT is_open ORDER BY place"  # noqa: S608
# Whoever wakes a request while a worker has it says so by '-infinity', which no claim leaves and no release takes away.
CLAIM = f"""
    UPDATE cookieguard_rights SET lease = %s, lease_until = {LATER}, work_at = greatest(work_at, 'epoch') WHERE id = (
        SELECT id FROM cookieguard_rights AS one
        WHERE work_at <= clock_timestamp() AND lease_until <= clock_timestamp() AND NOT EXISTS (
            SELECT 1 FROM cookieguard_rights AS other
            WHERE other.who = one.who AND other.lease_until > clock_timestamp()
        ) ORDER BY work_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING {COLUMNS}, tries
"""  # noqa: S608
RENEW = f"""
    UPDATE cookieguard_rights SET lease_until = {LATER}
    WHERE id = %s AND lease = %s AND lease_until > clock_timestamp()
"""  # noqa: S608
RELEASE = f"""
    UPDATE cookieguard_rights SET lease = '', lease_until = '-infinity',
        work_at = CASE WHEN work_at = '-infinity' THEN work_at ELSE {LATER} END,
        tries = CASE WHEN %s THEN tries + 1 ELSE 0 END
    WHERE id = %s AND lease = %s
"""  # noqa: S608
WAKE = "UPDATE cookieguard_rights SET work_at = '-infinity' WHERE id = %s"
KEEP = """
    INSERT INTO cookieguard_rights_file VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET content = excluded.content
"""
FILE = "SELECT content FROM cookieguard_rights_file WHERE id = %s"
FORGET_FILE = "DELETE FROM cookieguard_rights_file WHERE id = %s"
FORGET = "DELETE FROM cookieguard_rights WHERE id = %s"


class PostgresQueue(Reconnecting):
    """Be a Queue in the tables `cookieguard_rights*` of one database, made where there are none.

    A connection that a restart of the server ended is opened anew by the next question.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, statement=STATEMENT_MILLISECONDS, lock=LOCK_MILLISECONDS, down=QueueDown)
        with self._open_connection() as connection, connection.transaction():
            connection.execute(MAKE_IN_TURN)
            for statement in SCHEMA:
                connection.execute(statement)

    def secret(self, sealed: bytes) -> bytes:
        """Return the secret."""
        self._run(SECRET, sealed)
        (found,) = self._rows(READ_SECRET)
        return bytes(found[0])

    def put_secret(self, sealed: bytes, *, before: bytes) -> None:
        """Seal the secret anew."""
        self._run(PUT_SECRET, sealed, before)

    def add(self, row: Row, *, work_in: float | None) -> bool:
        """Add a request."""
        return self._run(ADD, row.id, row.who, row.is_open, row.sealed, work_in)

    def read(self, id_: str) -> Row | None:
        """Return a request."""
        return next((_row(one) for one in self._rows(READ, id_)), None)

    def write(self, row: Row) -> bool:
        """Write a request."""
        return self._run(WRITE, row.who, row.is_open, row.sealed, row.id, row.version)

    def of(self, who: str) -> Sequence[Row]:
        """Return a person's requests."""
        return [_row(one) for one in self._rows(OF, who)]

    def open_rows(self) -> Sequence[Row]:
        """Return what is open."""
        return [_row(one) for one in self._rows(OPEN)]

    def closed_rows(self) -> Sequence[Row]:
        """Return what is closed."""
        return [_row(one) for one in self._rows(CLOSED)]

    def claim(self, lease: str, seconds: float) -> Claimed | None:
        """Lease a request."""
        with self._open_connection() as connection, connection.transaction():
            connection.execute(CLAIM_IN_TURN)
            found = connection.execute(CLAIM, (lease, seconds)).fetchone()
        return None if found is None else Claimed(_row(found[:-1]), int(found[-1]))

    def renew(self, id_: str, lease: str, seconds: float) -> bool:
        """Keep a lease."""
        return self._run(RENEW, seconds, id_, lease)

    def release(self, id_: str, lease: str, *, work_in: float | None, failed: bool) -> bool:
        """End a lease."""
        return self._run(RELEASE, work_in, failed, id_, lease)

    def wake(self, id_: str) -> None:
        """Have work begin."""
        self._run(WAKE, id_)

    def keep_file(self, id_: str, content: bytes) -> None:
        """Keep a file."""
        self._run(KEEP, id_, content)

    def file(self, id_: str) -> bytes | None:
        """Return a file."""
        return next((bytes(one[0]) for one in self._rows(FILE, id_)), None)

    def forget_file(self, id_: str) -> None:
        """Delete a file."""
        self._run(FORGET_FILE, id_)

    def forget(self, id_: str) -> None:
        """Delete a request."""
        with self._open_connection() as connection, connection.transaction():
            connection.execute(FORGET_FILE, (id_,))
            connection.execute(FORGET, (id_,))

    def _run(self, statement: str, *values: object) -> bool:
        with self._open_connection() as connection:
            return connection.execute(statement, values).rowcount > 0

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._open_connection() as connection:
            return connection.execute(statement, values).fetchall()


def _row(found: Sequence[Any]) -> Row:
    id_, who, is_open, sealed, version = found
    return Row(str(id_), str(who), bool(is_open), bytes(sealed), int(version))
