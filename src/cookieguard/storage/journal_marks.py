"""How far a database has followed the journal. The mark is in the database, so restoring a backup resets it too."""

from __future__ import annotations

from cookieguard.storage.database import Database

MAKE = """
    CREATE TABLE IF NOT EXISTS cookieguard_applied (
        part TEXT NOT NULL, journal TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (part, journal)
    )
"""
READ = "SELECT number FROM cookieguard_applied WHERE part = :part AND journal = :journal"
RAISE = """
    INSERT INTO cookieguard_applied AS old (part, journal, number) VALUES (:part, :journal, :number)
    ON CONFLICT (part, journal) DO UPDATE SET number = greatest(old.number, excluded.number)
"""


def mark_of(database: Database, journal: str) -> int:
    """Return the number of the last line that this part of a database has followed; -1 if it never did."""
    with database.transaction():
        database.take_turns("cookieguard journal")
        database.write(MAKE)
    number = database.value(READ, part=database.tables.main, journal=journal)
    return -1 if number is None else int(number)


def raise_mark(database: Database, journal: str, number: int) -> None:
    """Note that this part has followed the journal up to a line."""
    database.write(RAISE, part=database.tables.main, journal=journal, number=number)
