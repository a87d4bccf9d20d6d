"""The SQL that creates the store's tables, and changes those of older releases, one step per release."""

from __future__ import annotations

from cookieguard.storage.database import Step

# The tables of the release that kept keys and times unencrypted; `sealing_migration.py` moves their rows.
MAKE_CLEAR = (
    """CREATE TABLE IF NOT EXISTS cookieguard_change (
        one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL
    )""",
    "INSERT INTO cookieguard_change VALUES (1, 0) ON CONFLICT DO NOTHING",
    """CREATE TABLE IF NOT EXISTS cookieguard_ending (
        what TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL,
        number INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', since INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (what, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS cookieguard_kept (
        shelf TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (shelf, key)
    ) WITHOUT ROWID""",
)
# For tables of a release that did not store the owner of a session
OWNERS = (
    "ALTER TABLE cookieguard_ending ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE cookieguard_ending ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
)
# `until` is the end of a day in both tables; the exact times are sealed.
SEAL = (
    "DROP INDEX IF EXISTS cookieguard_ending_number",
    "DROP INDEX IF EXISTS cookieguard_ending_change",
    "DROP INDEX IF EXISTS cookieguard_kept_until",
    "ALTER TABLE cookieguard_ending RENAME TO cookieguard_clear_ending",
    "ALTER TABLE cookieguard_kept RENAME TO cookieguard_clear_kept",
    "CREATE TABLE cookieguard_secret (number INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
    "CREATE TABLE cookieguard_change_mark (number INTEGER PRIMARY KEY, mark BLOB NOT NULL)",
    """CREATE TABLE cookieguard_ending (
        what TEXT NOT NULL, key BLOB NOT NULL, number INTEGER NOT NULL, until INTEGER NOT NULL,
        sealed BLOB NOT NULL, PRIMARY KEY (what, number, key)
    ) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX cookieguard_ending_key ON cookieguard_ending (key)",
    """CREATE TABLE cookieguard_kept (
        shelf TEXT NOT NULL, key BLOB NOT NULL, owner BLOB NOT NULL, sealed BLOB NOT NULL,
        version INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (shelf, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX cookieguard_kept_owner ON cookieguard_kept (shelf, owner) WHERE owner <> x''",
    "CREATE INDEX cookieguard_kept_until ON cookieguard_kept (until)",
)
STEPS = (Step(MAKE_CLEAR), Step(OWNERS, unless=("cookieguard_ending", "owner")), Step(SEAL))
