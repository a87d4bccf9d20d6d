"""Encrypts the rows that an older release kept in clear, in batches, when a worker opens the store.

Each batch is one transaction. If a worker is killed, the next one that opens the store continues.
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
HAS_ROWS = "SELECT EXISTS (SELECT 1 FROM cookieguard_kept) OR EXISTS (SELECT 1 FROM cookieguard_ending)"
MAIL_LISTS, OVERSIZED = "mail-list", "spilled"
KINDS = frozenset(map(str, Revoked))
Row = tuple[Any, ...]
Values = dict[str, Any]


class Table(NamedTuple):
    """An old table, whose rows are read in the order of their keys, sealed into a new table, and deleted."""

    name: str
    key: str
    columns: str
    put: str
    seal: Callable[[SealedRows, Row], Values | None]
    sorted_by: str = "key"
    only: str = ""

    @property
    def read(self) -> str:
        """Return the statement that reads some rows after a key."""
        where = f"({self.key}) > (:first, :second) {self.only}"
        return f"SELECT {self.key}, {self.columns} FROM {self.name} WHERE {where} ORDER BY {self.key} LIMIT :count"  # noqa: S608 - names of ours

    @property
    def delete(self) -> str:
        """Return the statement that deletes what was read."""
        where = (
            f"({self.key}) > (:first, :second) AND ({self.key}) <= (:last_first, :last_second) {self.only}"
        )
        return f"DELETE FROM {self.name} WHERE {where}"  # noqa: S608 - names of ours


def move_clear_rows(database: Database, rows: SealedRows) -> None:
    """Seal the rows of an older release and delete their tables, for good."""
    if not database.has("cookieguard_clear_kept", "shelf"):
        return
    moved = sum(_move(database, rows, table) for table in TABLES)
    if database.value(HAS_ROWS):  # a new store has none, and many workers may open it at once
        database.empty_journal()
    with database.transaction():
        database.take_turns(TURN)
        for table in TABLES:
            database.write(f"DROP TABLE IF EXISTS {table.name}")
    if moved:
        logger.info("store: %d rows of an older release are sealed now", moved)


def _move(database: Database, rows: SealedRows, table: Table) -> int:
    moved, first, second = 0, "", ""
    while True:
        with database.transaction():
            database.take_turns(TURN)
            if not database.has(table.name, "key"):  # another worker was faster
                return moved
            found = database.rows(table.read, first=first, second=second, count=AT_ONCE)
            if not found:
                return moved
            sealed = [values for row in found if (values := table.seal(rows, row)) is not None]
            # The new names are random. Writing them in the table's order touches each of its pages only once.
            database.write_each(table.put, sorted(sealed, key=itemgetter(table.sorted_by)))
            to = found[-1]
            last = {"last_first": to[0], "last_second": to[1]}
            database.write(table.delete, first=first, second=second, **last)
        moved += len(found)
        first, second = to[:2]


def _sealed_ending(rows: SealedRows, row: Row) -> Values | None:
    what, key, at, until, owner, since, number = row
    if what not in KINDS:  # written by a newer release that the shop had tried
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
    """Return the owner of a value, if values of this kind are looked up by owner."""
    if shelf == MAIL_LISTS:
        return key.partition(":")[2]
    with suppress(ValueError, AttributeError):
        return str(json.loads(value).get("o", "")) if shelf == OVERSIZED else ""
    return ""


ENDING = Table(
    name="cookieguard_clear_ending",
    key="what, key",
    columns="at, until, owner, since, number",
    put="""INSERT INTO cookieguard_ending (what, key, number, until, sealed)
    VALUES (:what, :key, :number, :until, :sealed) ON CONFLICT DO NOTHING""",
    seal=_sealed_ending,
)
# Random bytes, which belong to no customer
MARKS = Table(
    name="cookieguard_clear_kept",
    key="shelf, key",
    columns="value",
    put="INSERT INTO cookieguard_change_mark (number, mark) VALUES (:number, :mark) ON CONFLICT DO NOTHING",
    seal=_mark,
    sorted_by="number",
    only="AND shelf = 'change'",
)
KEPT = Table(
    name="cookieguard_clear_kept",
    key="shelf, key",
    columns="value, version, until",
    put="""INSERT INTO cookieguard_kept (shelf, key, owner, sealed, version, until)
    VALUES (:shelf, :key, :owner, :sealed, :version, :until) ON CONFLICT DO NOTHING""",
    seal=_sealed_value,
)
TABLES: Sequence[Table] = (ENDING, MARKS, KEPT)
