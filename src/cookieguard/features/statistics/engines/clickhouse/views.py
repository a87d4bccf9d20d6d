"""The SQL views for analysts in ClickHouse, over closed days only; `suppressed_views.py` says what they show.

They run with the rights of the user who created them, so an analyst needs no rights on the tables.
"""

from __future__ import annotations

from cookieguard.features.statistics.engines.clickhouse.reader_sql import DONE
from cookieguard.features.statistics.engines.clickhouse.schema import ORDER, SUMS
from cookieguard.features.statistics.engines.suppressed_views import TABLES, Dialect, views


def _summed(table: str) -> str:
    """Return a subquery with the sums over all complete closings. Counts are signed, so that the views can subtract."""
    columns = [column.split()[0] for column in SUMS[table].split(", ")]
    counts = [name for name in columns if name not in ORDER[table].split(", ")]
    sums = ", ".join(f"toInt64(sum({name})) AS {name}" for name in counts)
    names = f"day, {ORDER[table]}"
    return f"(SELECT {names}, {sums} FROM cookieguard_{table} FINAL WHERE closing IN {DONE} GROUP BY {names})"  # noqa: S608


DIALECT = Dialect(
    date="toDate({})",
    moment="toDateTime({} * 3600, 'UTC')",
    today="intDiv(toUnixTimestamp(now()), 86400)",
    greatest="greatest",
    whole="intDiv({}, {})",
    tables={table: _summed(table) for table in TABLES},
)
# Limits after which ClickHouse may return a partial result without an error. An analyst could set one to leave out a
# row, a name or a closing, and the difference would reveal one person. With 'throw' the query fails instead.
_PARTS = ("group_by", "set", "join", "distinct", "sort", "read", "timeout", "transfer")
_LIMITS = (
    "max_rows_to_group_by",
    "max_rows_in_set",
    "max_bytes_in_set",
    "max_rows_in_join",
    "max_bytes_in_join",
)
# Names mean columns before aliases, as in the other engines.
_SETTINGS = ", ".join(
    (
        "prefer_column_name_to_alias = 1",
        *(f"{limit} = 0" for limit in _LIMITS),
        *(f"{part}_overflow_mode = 'throw'" for part in _PARTS),
        "read_overflow_mode_leaf = 'throw'",
    )
)
# ClickHouse applies an analyst's conditions after a LIMIT, so they cannot test rows that the view does not show.
VIEWS = tuple(
    f"""CREATE OR REPLACE VIEW {name} DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
    {query} LIMIT {2**62} SETTINGS {_SETTINGS}"""
    for name, query in views(DIALECT).items()
)
