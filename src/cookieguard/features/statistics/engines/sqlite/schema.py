"""The tables of statistics in SQLite, each with its purpose and how long its rows are kept.

A transaction adds hits to the sums and marks them as summed, so sums are exact. Days and hours are UTC, counted since
1970. `secure_delete` is on, so deleted rows are overwritten in the file.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.suppressed_views import TABLES, Dialect, views
from cookieguard.stats.hits import COLUMNS, TEXT_COLUMNS, empty

_TYPES = {name: f"{'TEXT' if name in TEXT_COLUMNS else 'INTEGER'} NOT NULL" for name in COLUMNS}
_TYPED = ",\n    ".join(f"{name} {kind}" for name, kind in _TYPES.items())

SCHEMA = (
    # Every hit, for filters and exports: kept 30 days. Its `key` becomes 0 once the day's key is destroyed.
    f"CREATE TABLE IF NOT EXISTS hit (\n    id INTEGER PRIMARY KEY,\n    {_TYPED}\n)",
    "CREATE INDEX IF NOT EXISTS hit_time ON hit (time)",
    # To remove the keys of old days without reading a month of hits.
    "CREATE INDEX IF NOT EXISTS hit_key ON hit (time) WHERE key != 0",
    # Sums of an hour: kept 25 months. All but `bots` count people only.
    """CREATE TABLE IF NOT EXISTS hourly (
    hour INTEGER PRIMARY KEY, views INTEGER NOT NULL, visits INTEGER NOT NULL, arrivals INTEGER NOT NULL,
    errors INTEGER NOT NULL, bots INTEGER NOT NULL, bytes INTEGER NOT NULL, duration INTEGER NOT NULL
)""",
    # Sums of a day by one dimension: kept 25 months. Each dimension has at most MAX_VALUES values a day, and "(other)"
    # for the rest. The row with an empty dimension and value holds the day's visitors.
    """CREATE TABLE IF NOT EXISTS daily (
    day INTEGER NOT NULL, dimension TEXT NOT NULL, value TEXT NOT NULL,
    views INTEGER NOT NULL, visits INTEGER NOT NULL, visitors INTEGER NOT NULL,
    PRIMARY KEY (day, dimension, value)
) WITHOUT ROWID""",
    # Visitors' choices: kept 25 months. `event` is an Event.
    """CREATE TABLE IF NOT EXISTS consent (
    day INTEGER NOT NULL, policy TEXT NOT NULL, event TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (day, policy, event)
) WITHOUT ROWID""",
    # Elements held on pages: kept 25 months. `vendor` is empty for a host that is not declared.
    """CREATE TABLE IF NOT EXISTS held (
    day INTEGER NOT NULL, host TEXT NOT NULL, page TEXT NOT NULL, vendor TEXT NOT NULL, purpose TEXT NOT NULL,
    views INTEGER NOT NULL, elements INTEGER NOT NULL,
    PRIMARY KEY (day, host, page, vendor, purpose)
) WITHOUT ROWID""",
    # Hits of bots: kept 25 months.
    """CREATE TABLE IF NOT EXISTS bot (
    day INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, hits INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) WITHOUT ROWID""",
    # Which visitor was seen with which value on a day, so that each counts once. `what` is a digest of eight bytes, or
    # 0 if the visit continues from the day before. `visit` holds when visitors were first and last seen, to tell visits
    # apart. Both are deleted with the day's key. A visitor's rows are next to each other, which halves the pages a
    # commit writes.
    """CREATE TABLE IF NOT EXISTS seen (
    day INTEGER NOT NULL, what INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (day, key, what)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS visit (
    day INTEGER NOT NULL, key INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (day, key)
) WITHOUT ROWID""",
    # Batches that were written, so that none is written twice: kept as long as a spool may keep one.
    "CREATE TABLE IF NOT EXISTS batch (id TEXT PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID",
    # Batches whose hits are not in the sums yet: kept for some seconds, until the transaction that adds them. A worker
    # of an older release adds hits at once, so its batches have no row.
    """CREATE TABLE IF NOT EXISTS waiting (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, batch TEXT NOT NULL
)""",
    # Hits that workers dropped, by reason: kept 25 months.
    """CREATE TABLE IF NOT EXISTS lost (
    day INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, reason)
) WITHOUT ROWID""",
    *sqlite_crosstabs.SCHEMA,
    *sqlite_exits.SCHEMA,
)
# Columns that an earlier release's table lacks. They are empty or 0 in its hits, and in hits that an older worker adds.
HIT_COLUMNS = "SELECT name FROM pragma_table_info('hit')"
ADD_COLUMN = {
    name: f"ALTER TABLE hit ADD COLUMN {name} {kind} DEFAULT {empty(name)!r}" for name, kind in _TYPES.items()
}
HIT_SEARCH = "CREATE INDEX IF NOT EXISTS hit_search ON hit (time) WHERE search != ''"

# In SQLite the views are a convenience, not a protection: a program that can open the file can read all tables. Roles
# with access to the views alone exist in PostgreSQL.
DIALECT = Dialect(
    date="date({} * 86400, 'unixepoch')",
    moment="datetime({} * 3600, 'unixepoch')",
    today="(CAST(strftime('%s', 'now') AS INTEGER) / 86400)",
    greatest="max",
    whole="({} / {})",
    tables={table: table for table in TABLES},
)
VIEWS = {name: f"CREATE VIEW {name} AS {query}" for name, query in views(DIALECT).items()}
LIST = re.compile(r"IN \(:(keys|values)\)")
EXISTING_VIEWS = "SELECT name, sql FROM sqlite_master WHERE type = 'view'"


@lru_cache
def in_file(statement: str) -> str:
    """Return a statement that was written for both databases as SQLite takes it."""
    return LIST.sub(r"IN (SELECT value FROM json_each(:\1))", statement.replace("cookieguard_", ""))
