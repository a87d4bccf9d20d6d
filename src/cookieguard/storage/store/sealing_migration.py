"""Seal the rows that an older release kept unencrypted: once, some at a time, before a worker asks the store anything.

Each batch is one transaction, so whoever is killed in it is followed by the next worker that opens the store.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, NamedTuple

from cookieguard.identity.revocations import Revocation, Revoked
from cookieguard.storage.database import Database
from cookieguard.storage.store.sealed_rows import SealedRows, end_of_day

logger = logging.getLogger("cookieguard")

AT_ONCE = 10_000  # rows: about 0.5 s, in which another worker waits for the lock
TURN = "cookieguard store sealing"
MAIL_LISTS, OVERSIZED = "mail-list", "spilled"
KINDS = frozenset(map(str, Revoked))
Row = tuple[Any, ...]
Values = dict[str, Any]


class Table(NamedTuple):
    """Say how the rows of a table are read in the order of their keys, sealed, and deleted."""

    name: str
    read: str
    put: str
    delete: str
    seal: Callable[[SealedRows, Row], Values | None]
    key: str = "key"


def move_clear_rows(database: Database, rows: SealedRows) -> None:
    """Seal the rows of an older release and delete their tables, for good."""
    if not database.has("cookieguard_clear_kept", "shelf"):
        return
    moved = sum(_move(database, rows, table) for table in TABLES)
    database.empty_journal()
    with database.transaction():
        database.take_turns(TURN)
        for table in TABLES:
            database.write(f"DROP TABLE IF EXISTS {table.name}")
    if moved:
        logger.info("store: %d rows of an older release are sealed now", moved)


def _move(database: Database, rows: SealedRows, table: Table) -> int:
    moved, last = 0, ("", "")
    while True:
        with database.transaction():
            database.take_turns(TURN)
            if not database.has(table.name, "key"):  # another worker was faster
                return moved
            found = database.rows(table.read, first=last[0], second=last[1], count=AT_ONCE)
            sealed = [one for row in found if (one := table.seal(rows, row)) is not None]
            sealed.sort(
                key=itemgetter(table.key)
            )  # random names in the order of the table touch each page once
            database.write_each(table.put, sealed)
            database.write_each(table.delete, [{"first": row[0], "second": row[1]} for row in found])
        moved += len(found)
        if len(found) < AT_ONCE:
            return moved
        last = found[-1][:2]


def _sealed_ending(rows: SealedRows, row: Row) -> Values | None:
    what, key, at, until, owner, since, number = row
    if what not in KINDS:  # of a newer release, which was tried
        return None
    name = rows.name(what, key)
    sealed = rows.close_revocation(Revocation(Revoked(what), key, at, until, owner, since), name=name)
    return {"what": what, "key": name, "number": number, "until": end_of_day(until), "sealed": sealed}


def _mark(_: SealedRows, row: Row) -> Values:
    return {"number": int(row[1]), "mark": row[2]}


def _sealed_value(rows: SealedRows, row: Row) -> Values:
    shelf, key, value, version, until = row
    place = rows.place(shelf, key)
    return {
        **place._asdict(),
        "owner": rows.owner(_owner_of(shelf, key, value)),
        "sealed": rows.close_value(key, bytes(value), until, name=place.key),
        "version": version,
        "until": end_of_day(until),
    }


def _owner_of(shelf: str, key: str, value: bytes) -> str:
    """Return whose a value is, if its key is not what it is looked up by."""
    if shelf == MAIL_LISTS:
        return key.partition(":")[2]
    with suppress(ValueError, AttributeError):
        return str(json.loads(value).get("o", "")) if shelf == OVERSIZED else ""
    return ""


ENDING = Table(
    "cookieguard_clear_ending",
    """SELECT what, key, at, until, owner, since, number FROM cookieguard_clear_ending
    WHERE (what, key) > (:first, :second) ORDER BY what, key LIMIT :count""",
    """INSERT INTO cookieguard_ending (what, key, number, until, sealed)
    VALUES (:what, :key, :number, :until, :sealed) ON CONFLICT DO NOTHING""",
    "DELETE FROM cookieguard_clear_ending WHERE what = :first AND key = :second",
    _sealed_ending,
)
DELETE_KEPT = "DELETE FROM cookieguard_clear_kept WHERE shelf = :first AND key = :second"
# Random, and no row of a customer's
MARKS = Table(
    "cookieguard_clear_kept",
    """SELECT shelf, key, value FROM cookieguard_clear_kept
    WHERE shelf = 'change' AND (shelf, key) > (:first, :second) ORDER BY shelf, key LIMIT :count""",
    "INSERT INTO cookieguard_change_mark (number, mark) VALUES (:number, :mark) ON CONFLICT DO NOTHING",
    DELETE_KEPT,
    _mark,
    key="number",
)
KEPT = Table(
    "cookieguard_clear_kept",
    """SELECT shelf, key, value, version, until FROM cookieguard_clear_kept
    WHERE (shelf, key) > (:first, :second) ORDER BY shelf, key LIMIT :count""",
    """INSERT INTO cookieguard_kept (shelf, key, owner, sealed, version, until)
    VALUES (:shelf, :key, :owner, :sealed, :version, :until) ON CONFLICT DO NOTHING""",
    DELETE_KEPT,
    _sealed_value,
)
TABLES: Sequence[Table] = (ENDING, MARKS, KEPT)
