"""The tables of statistics in ClickHouse: single hits of open days, and for closed days their hits and sums.

ClickHouse has no transactions over tables, so nothing here depends on one. A row that is written again is the same row
(ReplacingMergeTree, read with FINAL). A day stays open while its visitor keys live; its figures are counted from
hits then. Closing it writes sums and hits without keys under the name of that closing, which count once `done` says so.
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


# A part that nobody reads any more is unlinked at once, not after eight minutes: it may hold what is forgotten. So the
# part that replaces it must be on the disk before.
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
"""The columns of each table of sums, besides `day` and `closing`; counts are unsigned, as ClickHouse counts."""
ORDER = {
    "hourly": "hour",
    "daily": "dimension, value",
    "consent": "policy, event",
    "held": "host, page, vendor, purpose",
    "bot": "kind, name",
}
"""What tells the rows of a table of sums apart, besides `day` and `closing`."""

SCHEMA = (
    # Hits of open days. `batch` and `place` name a hit, so that a batch written again adds nothing. `goes_on` says
    # that the visitor was there in the last half hour before midnight.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_hit (
        day Int64, batch String, place UInt32, goes_on UInt8, {_HIT}
    ) ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY (day, batch, place) {_SOON}""",
    # Hits of closed days, their entries decided: no key column.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_past (
        day Int64, closing String, batch String, place UInt32, {_PAST}
    ) ENGINE = ReplacingMergeTree PARTITION BY day ORDER BY (day, batch, place, closing) {_SOON}""",
    # Sums of closed days: 25 months.
    *(
        f"""CREATE TABLE IF NOT EXISTS cookieguard_{table} (
            day Int64, closing String, {columns}
        ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, {ORDER[table]}, closing) {_SOON}"""
        for table, columns in SUMS.items()
    ),
    # What was dropped, by reason, in all workers: 25 months.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_lost (
        day Int64, batch String, reason String, count Int64
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, batch, reason) {_SOON}""",
    # Which batches of a day a closing has summed up: as long as a spool may be. They count nowhere else.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_closed (
        day Int64, batch String, closing String
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, batch, closing) {_SOON}""",
    # Closings that are complete. Made last, so that it says all others are there.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_done (
        day Int64, closing String
    ) ENGINE = ReplacingMergeTree PARTITION BY intDiv(day, 30) ORDER BY (day, closing) {_SOON}""",
)
# What tables of an earlier release lack: empty or 0 of their hits.
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
