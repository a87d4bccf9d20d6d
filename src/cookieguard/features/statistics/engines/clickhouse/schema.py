"""The tables of statistics in ClickHouse: single hits of open days, and for closed days their hits and sums.

ClickHouse has no transactions over several tables, so writing must be repeatable: a row that is written again replaces
itself (ReplacingMergeTree, read with FINAL). A day stays open while its visitor keys exist, and its figures are counted
from hits. Closing it writes sums, and hits without keys, under the closing's name. They count once it is in `done`.
"""

from __future__ import annotations

from cookieguard.stats.hits import COLUMNS, LASTING, TEXT_COLUMNS

_FEW = frozenset(
    {"site", "kind", "browser", "os", "device", "language", "country", "consent", "policy", "event", "bot"}
)
_SMALL = frozenset({"status", "entry", "gpc"})


def _kind(name: str) -> str:
    if name in TEXT_COLUMNS:
        return "LowCardinality(String)" if name in _FEW else "String"
    return "Int32" if name in _SMALL else "Int64"


# A replaced part is removed at once, not after eight minutes, because it may hold deleted data. So the part that
# replaces it must be synced to disk first.
_SOON = "SETTINGS old_parts_lifetime = 0, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1"
_HIT = ", ".join(f"{name} {_kind(name)}" for name in COLUMNS)
_PAST = ", ".join(f"{name} {_kind(name)}" for name in LASTING)
SUMS = {
    "hourly": "hour Int64, views UInt64, visits UInt64, arrivals UInt64, errors UInt64, bots UInt64, bytes Int64,"
    " duration Int64",
    "daily": "dimension LowCardinality(String), value String, views UInt64, visits UInt64, visitors UInt64",
    "consent": "policy String, event String, times UInt64",
    "held": "host String, page String, vendor String, purpose String, views UInt64, elements UInt64",
    "bot": "kind String, name String, hits UInt64",
}
"""The columns of each table of sums, in addition to `day` and `closing`. ClickHouse's count() is unsigned."""
ORDER = {
    "hourly": "hour",
    "daily": "dimension, value",
    "consent": "policy, event",
    "held": "host, page, vendor, purpose",
    "bot": "kind, name",
}
"""The key columns of each table of sums, in addition to `day` and `closing`."""

SCHEMA = (
    # Hits of open days. `batch` and `place` identify a hit, so writing a batch again adds none. `goes_on` says that the
    # visitor was seen in the last half hour before midnight.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_hit (
        day Int64, batch String, place UInt32, goes_on UInt8, {_HIT}
    ) ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY (day, batch, place) {_SOON}""",
    # Hits of closed days, with their final `entry` and without a key column.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_past (
        day Int64, closing String, batch String, place UInt32, {_PAST}
    ) ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY (day, batch, place, closing) {_SOON}""",
    # Sums of closed days: kept 25 months.
    *(
        f"""CREATE TABLE IF NOT EXISTS cookieguard_{table} (
            day Int64, closing String, {columns}
        ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, {ORDER[table]}, closing) {_SOON}"""
        for table, columns in SUMS.items()
    ),
    # Hits that workers dropped, by reason: kept 25 months.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_lost (
        day Int64, batch String, reason String, count Int64
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, batch, reason) {_SOON}""",
    # Which batches of a day a closing has summed up: kept as long as a spool may keep one. They count nowhere else.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_closed (
        day Int64, batch String, closing String
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, batch, closing) {_SOON}""",
    # Closings that are complete. This table is created last, so if it exists, all others do.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_done (
        day Int64, closing String
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, closing) {_SOON}""",
)
# Columns that tables of an earlier release lack. They are empty or 0 in those hits.
HIT_COLUMNS = (
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'cookieguard_hit'"
)
ADD_COLUMN = {
    name: tuple(
        f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {_kind(name)}"
        for table, columns in (("cookieguard_past", LASTING), ("cookieguard_hit", COLUMNS))
        if name in columns
    )
    for name in COLUMNS
}
MARK = "EXISTS TABLE cookieguard_done"
