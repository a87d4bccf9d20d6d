"""How records enter the log in PostgreSQL: what came together in one statement, one round trip and one commit.

A record that comes alone, as most do, has a statement of its own: a third of the work of arrays for the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from cookieguard.engines.proof.protocol import SubjectKey
from cookieguard.proof.log import Text
from cookieguard.proof.sealing import Sealed
from cookieguard.storage.postgres_connection import ByteaArray, Connection

INSERT = """
    INSERT INTO cg_log_record (id, subject, about, entry, sealed, mac)
    SELECT id, subject, about, entry, sealed, mac
    FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[])
        WITH ORDINALITY AS new (id, subject, about, entry, sealed, mac, at)
    WHERE (
        SELECT 1 FROM cg_log_record AS old WHERE old.id = new.id AND old.number >= 0 AND old.id <> '' LIMIT 1
    ) IS NULL
    ORDER BY at ON CONFLICT DO NOTHING
"""
INSERT_ONE = """
    INSERT INTO cg_log_record (id, subject, about, entry, sealed, mac) SELECT %s, %s, %s, %s, %s, %s
    WHERE NOT EXISTS (SELECT 1 FROM cg_log_record AS old WHERE old.id = %s AND old.number >= 0 AND old.id <> '')
    ON CONFLICT DO NOTHING
"""
INSERT_TEXT = "INSERT INTO cg_log_shown (digest, content) VALUES (%s, %s) ON CONFLICT DO NOTHING"
INSERT_JOBS = "INSERT INTO cg_log_job (id, due, tries) SELECT id, 0, 0 FROM unnest(%s::bytea[]) AS new (id)"
# Of a subject that nobody knows yet, as most are, where the keys lie in the same database.
INSERT_NEW_ONE = """
    WITH made AS (
        INSERT INTO cg_subject (handle, id, key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING id
    ), put AS (
        INSERT INTO cg_log_record (id, subject, about, entry, sealed, mac) SELECT %s, id, %s, %s, %s, %s FROM made
        WHERE NOT EXISTS (SELECT 1 FROM cg_log_record AS old WHERE old.id = %s AND old.number >= 0 AND old.id <> '')
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM made
"""
# Two parameters, since each costs more to send than what it holds: of a subject handle, id and key; of a row id,
# subject, entry, mark, the length of `about`, that, and what is sealed. In the order of the handles: two workers that
# make the same subjects never wait for each other.
INSERT_NEW = """
    WITH made AS (
        INSERT INTO cg_subject (handle, id, key)
        SELECT substr(new, 1, 16), substr(new, 17, 16), substr(new, 33) FROM unnest(%s::bytea[]) AS new
        ORDER BY 1 ON CONFLICT DO NOTHING RETURNING id
    ), put AS (
        INSERT INTO cg_log_record (id, subject, entry, mac, about, sealed)
        SELECT substr(new, 1, 16), substr(new, 17, 16), substr(new, 33, 64), substr(new, 97, 16),
            substr(new, 114, get_byte(new, 112)), substr(new, 114 + get_byte(new, 112))
        FROM unnest(%s::bytea[]) WITH ORDINALITY AS row (new, at)
        WHERE substr(new, 17, 16) IN (SELECT id FROM made) AND (
            SELECT 1 FROM cg_log_record AS old
            WHERE old.id = substr(new, 1, 16) AND old.number >= 0 AND old.id <> '' LIMIT 1
        ) IS NULL
        ORDER BY at ON CONFLICT DO NOTHING
    )
    SELECT id FROM made
"""


def insert(
    connection: Connection,
    rows: Sequence[tuple[Sealed, bytes]],
    texts: Sequence[Text],
    jobs: Sequence[bytes],
) -> None:
    """Write rows, texts and jobs."""
    if not (texts or jobs):
        _insert_rows(connection, rows)
        return
    with connection.transaction():
        _insert_rows(connection, rows)
        if texts:
            connection.cursor().executemany(INSERT_TEXT, texts)
        if jobs:
            connection.execute(INSERT_JOBS, (ByteaArray(jobs),))


def _insert_rows(connection: Connection, rows: Sequence[tuple[Sealed, bytes]]) -> None:
    cells = [(one.id, one.subject, one.about, one.entry, one.sealed, mac) for one, mac in rows]
    if len(cells) == 1:
        connection.execute(INSERT_ONE, (*cells[0], cells[0][0]))
    elif cells:
        connection.execute(INSERT, [ByteaArray(column) for column in zip(*cells, strict=True)])


def insert_new(
    cursor: psycopg.Cursor[tuple[Any, ...]],
    subjects: Mapping[bytes, SubjectKey],
    rows: Sequence[tuple[Sealed, bytes]],
) -> set[bytes]:
    """Write rows with the new keys they are sealed with; return the subjects of which both were written."""
    if len(rows) == 1 == len(subjects):
        ((handle, subject),), ((one, mac),) = subjects.items(), rows
        cells = (one.id, one.about, one.entry, one.sealed, mac, one.id)
        return {made for (made,) in cursor.execute(INSERT_NEW_ONE, (handle, *subject, *cells))}
    keys = ByteaArray(handle + id_ + key for handle, (id_, key) in subjects.items())
    packed = ByteaArray(
        b"".join((one.id, one.subject, one.entry, mac, bytes((len(one.about),)), one.about, one.sealed))
        for one, mac in rows
    )
    return {made for (made,) in cursor.execute(INSERT_NEW, (keys, packed))}
