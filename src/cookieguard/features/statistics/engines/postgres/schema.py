"""The tables of statistics in PostgreSQL: the same as in SQLite, with partitions by UTC day for hits and visitors.

A deleted row stays in its file until its space is used again, while dropping a partition removes the file. So data that
must be deleted by the day has a partition for each day, and `cookieguard_day` lists the days that have partitions.
"""

from __future__ import annotations

from hashlib import blake2b

from cookieguard.features.statistics.engines.shared_sql import exits
from cookieguard.features.statistics.engines.sums import GOES_ON, OF_VISITOR
from cookieguard.features.statistics.engines.suppressed_views import TABLES, Dialect, views
from cookieguard.stats.hits import COLUMNS, FLEETING, OTHER, SECONDS_OF_DAY, TEXT_COLUMNS, Dimension, empty
from cookieguard.stats.visits import PAUSE

_SMALL = frozenset({"status", "entry", "gpc"})
_TYPES = {
    name: f'"{name}" {"TEXT" if name in TEXT_COLUMNS else "INTEGER" if name in _SMALL else "BIGINT"} NOT NULL'
    for name in COLUMNS
}
_TYPED = ", ".join(_TYPES.values())
# Rows of these tables change with every batch. Free space in each page keeps the new version of a row on that page.
_ROOM = "WITH (fillfactor = 70)"

# Advisory locks under numbers that we chose. Every transaction takes them in this order and holds them to its end, so
# no two can wait for each other. Writers share the first, and a process that deletes old data holds it exclusively.
# Creating partitions needs the next one, and adding to the sums the last.
LOCK = "SELECT pg_advisory_xact_lock(4951760157141521100)"
LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(4951760157141521100)"
LOCK_DAYS = "SELECT pg_advisory_xact_lock(4951760157141521102)"
LOCK_SUMS = "SELECT pg_advisory_xact_lock(4951760157141521103)"
OF_KEYS = ("cookieguard_visit", "cookieguard_seen")  # tables whose rows are deleted with a day's keys
MARK = "SELECT to_regclass('cookieguard_mark')"
SCHEMA = (
    # Every hit, for filters and exports: kept 30 days. While a day has keys, queries compute `entry`. It is stored when
    # the keys are deleted and `key` becomes 0. `batch` is the number of the hit's batch.
    f"CREATE TABLE IF NOT EXISTS cookieguard_hit ({_TYPED}, batch BIGINT NOT NULL) PARTITION BY RANGE (time)",
    # To find new hits. It takes a fifth of the time of a COPY. A BRIN index would cost almost nothing, but covers new
    # pages only after autovacuum: until then each step of the sums would scan the whole day.
    "CREATE INDEX IF NOT EXISTS cookieguard_hit_batch ON cookieguard_hit (batch)",
    # When a visitor was first and last seen, in hits that are in the sums: kept two days.
    """CREATE TABLE IF NOT EXISTS cookieguard_visit (
        day INTEGER NOT NULL, key BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
        PRIMARY KEY (day, key)
    ) PARTITION BY LIST (day)""",
    # The source of that first view, which tables of an earlier release lack.
    *(
        f"ALTER TABLE cookieguard_visit ADD COLUMN IF NOT EXISTS {name} TEXT NOT NULL DEFAULT ''"
        for name in ("source", "medium", "campaign")
    ),
    # With which values a visitor was seen, so that each counts once: kept two days. `what` is eight bytes of a value's
    # hash, or 0 if the visit continues from the day before.
    """CREATE TABLE IF NOT EXISTS cookieguard_seen (
        day INTEGER NOT NULL, what BIGINT NOT NULL, key BIGINT NOT NULL, PRIMARY KEY (day, what, key)
    ) PARTITION BY LIST (day)""",
    # Days that have partitions, and whether hits of that day may still have keys.
    "CREATE TABLE IF NOT EXISTS cookieguard_day (day INTEGER PRIMARY KEY, has_keys BOOLEAN NOT NULL)",
    # Sums, as in the SQLite schema: kept 25 months. Text is sorted by its code points, as SQLite sorts it.
    f"""CREATE TABLE IF NOT EXISTS cookieguard_hourly (
        hour INTEGER PRIMARY KEY, views BIGINT NOT NULL, visits BIGINT NOT NULL, arrivals BIGINT NOT NULL,
        errors BIGINT NOT NULL, bots BIGINT NOT NULL, bytes BIGINT NOT NULL, duration BIGINT NOT NULL
    ) {_ROOM}""",
    f"""CREATE TABLE IF NOT EXISTS cookieguard_daily (
        day INTEGER NOT NULL, dimension TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL,
        views BIGINT NOT NULL, visits BIGINT NOT NULL, visitors BIGINT NOT NULL,
        PRIMARY KEY (day, dimension, value)
    ) {_ROOM}""",
    f"""CREATE TABLE IF NOT EXISTS cookieguard_consent (
        day INTEGER NOT NULL, policy TEXT COLLATE "C" NOT NULL, event TEXT COLLATE "C" NOT NULL,
        times BIGINT NOT NULL, PRIMARY KEY (day, policy, event)
    ) {_ROOM}""",
    f"""CREATE TABLE IF NOT EXISTS cookieguard_held (
        day INTEGER NOT NULL, host TEXT COLLATE "C" NOT NULL, page TEXT COLLATE "C" NOT NULL,
        vendor TEXT COLLATE "C" NOT NULL, purpose TEXT COLLATE "C" NOT NULL,
        views BIGINT NOT NULL, elements BIGINT NOT NULL, PRIMARY KEY (day, host, page, vendor, purpose)
    ) {_ROOM}""",
    f"""CREATE TABLE IF NOT EXISTS cookieguard_bot (
        day INTEGER NOT NULL, kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
        hits BIGINT NOT NULL, PRIMARY KEY (day, kind, name)
    ) {_ROOM}""",
    # Hits that workers dropped, by reason: kept 25 months.
    """CREATE TABLE IF NOT EXISTS cookieguard_lost (
        day INTEGER NOT NULL, reason TEXT COLLATE "C" NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (day, reason)
    )""",
    # Batches that were written, so that none is written twice: kept as long as a spool may keep one. A partial index
    # finds those that are not in the sums yet. `since` is the time of a batch's first hit.
    """CREATE TABLE IF NOT EXISTS cookieguard_batch (
        id TEXT PRIMARY KEY, day INTEGER NOT NULL, since BIGINT NOT NULL, hits INTEGER NOT NULL,
        is_summed BOOLEAN NOT NULL, number BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY
    )""",
    "CREATE INDEX IF NOT EXISTS cookieguard_batch_new ON cookieguard_batch (number) WHERE NOT is_summed",
    # A digest of the schema. This table is created last, so if it exists, all others do.
    "CREATE TABLE IF NOT EXISTS cookieguard_mark (digest TEXT NOT NULL)",
)
DIALECT = Dialect(
    date="(DATE '1970-01-01' + {})",
    moment="to_timestamp({} * 3600)",
    today="(CAST(extract(epoch FROM now()) AS BIGINT) / 86400)",
    greatest="greatest",
    whole="({} / {})",
    tables={table: f"cookieguard_{table}" for table in TABLES},
)
# Without security_barrier, PostgreSQL could call a function of the analyst on rows before they are folded.
VIEWS = tuple(
    f"CREATE OR REPLACE VIEW {name} WITH (security_barrier = true) AS {query}"
    for name, query in views(DIALECT).items()
)
# Columns that an earlier release's table lacks. They are empty or 0 in its hits, and in hits that an older worker adds.
# They are added only if missing, because ALTER TABLE waits for all readers.
HIT_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = 'cookieguard_hit'::regclass AND attnum > 0 AND NOT attisdropped
"""
ADD_COLUMN = {
    name: f"ALTER TABLE cookieguard_hit ADD COLUMN {kind} DEFAULT {empty(name)!r}"
    for name, kind in _TYPES.items()
}
DIGEST = blake2b("".join(SCHEMA + VIEWS).encode(), digest_size=8).hexdigest()
MADE_OF = "SELECT digest FROM cookieguard_mark"
FORGET_MARK = "DELETE FROM cookieguard_mark"
SET_MARK = "INSERT INTO cookieguard_mark VALUES (%s)"

DAYS = "SELECT day, has_keys FROM cookieguard_day WHERE day = ANY(%s::int[])"
ALL_DAYS = "SELECT day, has_keys FROM cookieguard_day ORDER BY day"
# Queries on the partition of a day: the number of its hits, its first and last time, and the day itself if a hit of it
# still has a key.
COUNT_HITS = "SELECT count(*) FROM cookieguard_hit_{}"
FIRST_HIT, LAST_HIT = (f"SELECT {which}(time) FROM cookieguard_hit_{{}}" for which in ("min", "max"))
DAY_OF_KEYS = "SELECT {0} FROM cookieguard_hit_{0} WHERE key != 0 LIMIT 1"


def make_day(day: int) -> tuple[str, ...]:
    """Return the statements that create a day's partitions, with ATTACH, since PARTITION OF blocks other queries."""
    return (
        f"CREATE TABLE cookieguard_hit_{day} (LIKE cookieguard_hit INCLUDING INDEXES)",
        f"ALTER TABLE cookieguard_hit ATTACH PARTITION cookieguard_hit_{day} {_span(day)}",
        *(
            statement
            for table in OF_KEYS
            for statement in (
                f"CREATE TABLE {table}_{day} (LIKE {table} INCLUDING INDEXES) {_ROOM}",
                f"ALTER TABLE {table} ATTACH PARTITION {table}_{day} FOR VALUES IN ({day})",
            )
        ),
        f"INSERT INTO cookieguard_day VALUES ({day}, true)",
    )


def drop_day(day: int) -> tuple[str, ...]:
    """Return the statements that drop a day's hits, and its visitors if they still exist."""
    return (
        _drop(day),
        f"DELETE FROM cookieguard_day WHERE day = {day}",
    )


def copy_without_keys(day: int) -> tuple[str, str]:
    """Return the statements that copy a day's hits without keys and with their final `entry`."""
    name = f"cookieguard_hit_{day}_new"
    checks = f"CHECK (key = 0), CHECK ({_within(day)})"
    columns = (*COLUMNS, "batch")
    into = ", ".join(f'"{name}"' for name in columns)
    names = ", ".join(FLEETING.get(name, f'"{name}"') for name in columns)
    hits = decided(f"time >= {day * SECONDS_OF_DAY} AND time < {(day + 1) * SECONDS_OF_DAY}")
    return (
        f"CREATE TABLE {name} (LIKE cookieguard_hit INCLUDING INDEXES, {checks})",
        f"INSERT INTO {name} ({into}) SELECT {names} FROM {hits} AS hits ORDER BY batch, place",
    )


def keep_exits(day: int) -> str:
    """Return the statement that adds a day's exit pages to the sums. It must run before the keys are deleted."""
    pages = f"SELECT d.value FROM cookieguard_daily AS d WHERE d.day = {day} AND d.dimension = 'page'"
    return f"""
        INSERT INTO cookieguard_daily AS kept
        SELECT {day}, '{Dimension.EXIT}', CASE WHEN value IN ({pages}) THEN value ELSE '{OTHER}' END AS name,
            sum(views), sum(visits), sum(visitors)
        FROM ({exits(f"cookieguard_hit_{day} WHERE true", "batch, ctid")}) AS found GROUP BY name
        ON CONFLICT (day, dimension, value) DO UPDATE
        SET views = kept.views + excluded.views, visits = kept.visits + excluded.visits,
            visitors = kept.visitors + excluded.visitors
    """


def take_copy(day: int) -> tuple[str, ...]:
    """Return the statements that replace a day's hits by their copy, and drop its visitors."""
    return (
        _drop(day),
        f"ALTER TABLE cookieguard_hit_{day}_new RENAME TO cookieguard_hit_{day}",
        f"ALTER TABLE cookieguard_hit ATTACH PARTITION cookieguard_hit_{day} {_span(day)}",
        f"UPDATE cookieguard_day SET has_keys = false WHERE day = {day}",
    )


def _drop(day: int) -> str:
    """Return the statement that drops a day's hits and its visitors."""
    return f"DROP TABLE IF EXISTS {', '.join(f'{table}_{day}' for table in (*OF_KEYS, 'cookieguard_hit'))}"


def _span(day: int) -> str:
    return f"FOR VALUES FROM ({day * SECONDS_OF_DAY}) TO ({(day + 1) * SECONDS_OF_DAY})"


def _within(day: int) -> str:
    """Return a condition that proves the partition's bounds, so that PostgreSQL attaches it without reading a row."""
    return f"time IS NOT NULL AND time >= {day * SECONDS_OF_DAY} AND time < {(day + 1) * SECONDS_OF_DAY}"


def decided(where: str) -> str:
    """Return a subquery for the hits of whole days, selected by `where`, with their final `entry`.

    It decides `entry` from all views of a visitor's key. Hits without a key keep theirs.
    """
    names = ", ".join(f'"{name}"' for name in COLUMNS if name != "entry")
    goes_on = f"""EXISTS (
        SELECT FROM cookieguard_seen AS s WHERE s.day = time / 86400 AND s.what = {GOES_ON} AND s.key = views.key
    )"""
    return f"""(
        SELECT {names}, entry, batch, ctid AS place FROM cookieguard_hit WHERE {where} AND NOT {OF_VISITOR}
        UNION ALL SELECT {names}, CASE WHEN prior IS NULL THEN NOT {goes_on} ELSE time > prior + {PAUSE} END::int,
            batch, place
        FROM (
            SELECT *, ctid AS place, lag(time) OVER (
                PARTITION BY time / 86400, key ORDER BY time, batch, ctid
            ) AS prior FROM cookieguard_hit WHERE {where} AND {OF_VISITOR}
        ) AS views
    )"""
