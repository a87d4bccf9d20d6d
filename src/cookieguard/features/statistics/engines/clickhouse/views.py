"""The views analysts get in ClickHouse (suppressed_views.py says what they show): over closed days alone.

Read with the rights of who made them, so an analyst needs none on a table.
"""

from __future__ import annotations

from cookieguard.features.statistics.engines.clickhouse.reader_sql import DONE
from cookieguard.features.statistics.engines.clickhouse.schema import ORDER, SUMS
from cookieguard.features.statistics.engines.suppressed_views import TABLES, Words, views


def _summed(table: str) -> str:
    """Return one row of each name and day, over all closings that are complete; counts may be subtracted from."""
    columns = [column.split()[0] for column in SUMS[table].split(", ")]
    counts = [name for name in columns if name not in ORDER[table].split(", ")]
    sums = ", ".join(f"toInt64(sum({name})) AS {name}" for name in counts)
    names = f"day, {ORDER[table]}"
    return f"(SELECT {names}, {sums} FROM cookieguard_{table} FINAL WHERE closing IN {DONE} GROUP BY {names})"  # noqa: S608


WORDS = Words(
    date="toDate({})",
    moment="toDateTime({} * 3600, 'UTC')",
    today="intDiv(toUnixTimestamp(now()), 86400)",
    greatest="greatest",
    whole="intDiv({}, {})",
    tables={table: _summed(table) for table in TABLES},
)
# What reads in part and says nothing. An analyst who may set it for his query would have a row, a name or a closing
# left out, and the difference is a person; what fails instead tells none.
_PARTS = ("group_by", "set", "join", "distinct", "sort", "read", "timeout", "transfer")
_LIMITS = (
    "max_rows_to_group_by",
    "max_rows_in_set",
    "max_bytes_in_set",
    "max_rows_in_join",
    "max_bytes_in_join",
)
# A name means the column, as it does in the other engines.
_SETTINGS = ", ".join(
    (
        "prefer_column_name_to_alias = 1",
        *(f"{limit} = 0" for limit in _LIMITS),
        *(f"{part}_overflow_mode = 'throw'" for part in _PARTS),
        "read_overflow_mode_leaf = 'throw'",
    )
)
# No condition of an analyst's is asked below a limit, so none sees a row that is not shown.
VIEWS = tuple(
    f"""CREATE OR REPLACE VIEW {name} DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
    {query} LIMIT {2**62} SETTINGS {_SETTINGS}"""
    for name, query in views(WORDS).items()
)
