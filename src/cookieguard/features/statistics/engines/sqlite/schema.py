"""The tables of statistics in SQLite, each with what it is for and how long it is kept.

Rollups are written in the transaction of the hits they sum up, so they are exact and nothing is counted again. Days
and hours are UTC, counted since 1970. `secure_delete` is on: what is forgotten is overwritten in the file.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cookieguard.features.statistics.engines.sqlite import crosstabs as sqlite_crosstabs
from cookieguard.features.statistics.engines.sqlite import exits as sqlite_exits
from cookieguard.features.statistics.engines.suppressed_views import TABLES, Words, views
from cookieguard.stats.hits import COLUMNS, TEXT_COLUMNS, empty

_TYPES = {name: f"{'TEXT' if name in TEXT_COLUMNS else 'INTEGER'} NOT NULL" for name in COLUMNS}
_TYPED = ",\n    ".join(f"{name} {kind}" for name, kind in _TYPES.items())

# Every hit, for filters and exports: 30 days. Its `key` becomes 0 once the day's key is destroyed.
HIT = f"CREATE TABLE IF NOT EXISTS hit (\n    id INTEGER PRIMARY KEY,\n    {_TYPED}\n)"
HIT_TIME = "CREATE INDEX IF NOT EXISTS hit_time ON hit (time)"
# What an earlier release's table lacks: empty or 0 of its hits, and of those an older worker still writes.
HIT_COLUMNS = "SELECT name FROM pragma_table_info('hit')"
ADD_COLUMN = {
    name: f"ALTER TABLE hit ADD COLUMN {name} {kind} DEFAULT {empty(name)!r}" for name, kind in _TYPES.items()
}
# For taking the keys of old days out without reading a month of hits.
HIT_KEY = "CREATE INDEX IF NOT EXISTS hit_key ON hit (time) WHERE key != 0"
HIT_SEARCH = "CREATE INDEX IF NOT EXISTS hit_search ON hit (time) WHERE search != ''"

# Sums of an hour: 25 months. People only, but for `bots`.
HOURLY = """CREATE TABLE IF NOT EXISTS hourly (
    hour INTEGER PRIMARY KEY, views INTEGER NOT NULL, visits INTEGER NOT NULL, arrivals INTEGER NOT NULL,
    errors INTEGER NOT NULL, bots INTEGER NOT NULL, bytes INTEGER NOT NULL, duration INTEGER NOT NULL
)"""
# Sums of a day by one dimension: 25 months. `dimension` is a Dimension; at most MAX_VALUES values of each a
# day, the rest is "(other)". The row with dimension and value empty holds the day's visitors.
DAILY = """CREATE TABLE IF NOT EXISTS daily (
    day INTEGER NOT NULL, dimension TEXT NOT NULL, value TEXT NOT NULL,
    views INTEGER NOT NULL, visits INTEGER NOT NULL, visitors INTEGER NOT NULL,
    PRIMARY KEY (day, dimension, value)
) WITHOUT ROWID"""
# What happened with consent: 25 months. `event` is an Event.
CONSENT = """CREATE TABLE IF NOT EXISTS consent (
    day INTEGER NOT NULL, policy TEXT NOT NULL, event TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (day, policy, event)
) WITHOUT ROWID"""
# What was held on pages: 25 months. `vendor` is empty where nobody declared the host.
HELD = """CREATE TABLE IF NOT EXISTS held (
    day INTEGER NOT NULL, host TEXT NOT NULL, page TEXT NOT NULL, vendor TEXT NOT NULL, purpose TEXT NOT NULL,
    views INTEGER NOT NULL, elements INTEGER NOT NULL,
    PRIMARY KEY (day, host, page, vendor, purpose)
) WITHOUT ROWID"""
# Bots: 25 months.
BOT = """CREATE TABLE IF NOT EXISTS bot (
    day INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, hits INTEGER NOT NULL,
    PRIMARY KEY (day, kind, name)
) WITHOUT ROWID"""
# Which keys of a day were seen with which value (`what`: eight bytes of its digest, or 0 if the visit goes on from the
# day before), so that each counts once; and when they were seen first and last, so that a visit is one: deleted with
# the day's key. A visitor's rows are next to each other, so a commit writes half the pages.
SEEN = """CREATE TABLE IF NOT EXISTS seen (
    day INTEGER NOT NULL, what INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (day, key, what)
) WITHOUT ROWID"""
VISIT = """CREATE TABLE IF NOT EXISTS visit (
    day INTEGER NOT NULL, key INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (day, key)
) WITHOUT ROWID"""
# Batches that were written, so that none is written twice: as long as a spool may be.
BATCH = "CREATE TABLE IF NOT EXISTS batch (id TEXT PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID"
# Batches whose hits are not in the sums yet, for some seconds. The transaction that adds them deletes the row. An older
# worker adds its hits at once, so its batches have no row.
WAITING = """CREATE TABLE IF NOT EXISTS waiting (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, batch TEXT NOT NULL
)"""
# What was dropped, by reason, in all workers: 25 months.
LOST = """CREATE TABLE IF NOT EXISTS lost (
    day INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, reason)
) WITHOUT ROWID"""

SCHEMA = (
    HIT,
    HIT_TIME,
    HIT_KEY,
    HOURLY,
    DAILY,
    CONSENT,
    HELD,
    BOT,
    SEEN,
    VISIT,
    BATCH,
    WAITING,
    LOST,
    *sqlite_crosstabs.SCHEMA,
    *sqlite_exits.SCHEMA,
)

# Who may open the file may read its tables too: views are for convenience, a role of its own is PostgreSQL's.
WORDS = Words(
    date="date({} * 86400, 'unixepoch')",
    moment="datetime({} * 3600, 'unixepoch')",
    today="(CAST(strftime('%s', 'now') AS INTEGER) / 86400)",
    greatest="max",
    whole="({} / {})",
    tables={table: table for table in TABLES},
)
VIEWS = {name: f"CREATE VIEW {name} AS {query}" for name, query in views(WORDS).items()}
LIST = re.compile(r"IN \(:(keys|values)\)")
EXISTING_VIEWS = "SELECT name, sql FROM sqlite_master WHERE type = 'view'"


@lru_cache
def in_file(statement: str) -> str:
    """Return a statement that was written for both databases in the words of a file."""
    return LIST.sub(r"IN (SELECT value FROM json_each(:\1))", statement.replace("cookieguard_", ""))
