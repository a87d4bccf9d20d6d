"""Records of subjects that nobody knows yet, as most are, where their keys lie in the same database: one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from cookieguard.engines.postgres_connection import ByteaArray
from cookieguard.engines.proof.protocol import SubjectKey
from cookieguard.proof.sealing import Sealed

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
        WHERE substr(new, 17, 16) IN (SELECT id FROM made) AND NOT EXISTS (
            SELECT 1 FROM cg_log_record AS old WHERE old.id = substr(new, 1, 16) AND old.number >= 0 AND old.id <> ''
        )
        ORDER BY at ON CONFLICT DO NOTHING
    )
    SELECT id FROM made
"""


def insert_new(
    cursor: psycopg.Cursor[tuple[Any, ...]],
    subjects: Mapping[bytes, SubjectKey],
    rows: Sequence[tuple[Sealed, bytes]],
) -> set[bytes]:
    """Write rows with the new keys they are sealed with; return the subjects of which both were written."""
    keys = ByteaArray(handle + id_ + key for handle, (id_, key) in subjects.items())
    cells = ByteaArray(
        b"".join((one.id, one.subject, one.entry, mac, bytes((len(one.about),)), one.about, one.sealed))
        for one, mac in rows
    )
    return {made for (made,) in cursor.execute(INSERT_NEW, (keys, cells))}
