"""The views in SQL show the rows that `stats/k_anonymity.py` allows, and never a cell below k."""

from __future__ import annotations

import random
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.stats_engines import MAKERS
from hypothesis import given
from hypothesis import strategies as st
from stats.traffic import DAY, draw_hits

from cookieguard.config import StatsSettings
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days, HitWriter
from cookieguard.features.statistics.engines.suppressed_views import TABLES
from cookieguard.stats.hits import OTHER, SECONDS_OF_DAY, Batch, Dimension
from cookieguard.stats.k_anonymity import STEP, Cell, K, column, people_of, rounded, suppress

LONG_AGO = 10_000  # days since 1970: every view shows days that are over
SOME = 400  # tables a run of the random test, each a day of its own
VIEWS = [f"cookieguard_by_{what}" for what in ("day", "hour", "value", "consent", "host", "bot")]
IN_PART = (  # settings of a query that reach below a view, and leave something out
    "max_rows_to_group_by = {}, group_by_overflow_mode = 'any'",
    "max_rows_in_set = {}, set_overflow_mode = 'break'",
)
Row = tuple[Any, ...]
Counts = tuple[int, int, int]  # views, visits, visitors


class Database:
    """One of the engines, with tables that tests write to directly."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.writer: HitWriter = open_engine(StatsSettings(url=url), folder, environ={}).writer()
        self.is_postgres = url.startswith("postgres")
        self.is_clickhouse = url.startswith("chdb")
        self._connection: Any
        if self.is_clickhouse:
            from cookieguard.features.statistics.engines.clickhouse.connection import connect

            self._connection = connect(url, seconds=10)
        elif self.is_postgres:
            import psycopg

            self._connection = psycopg.connect(url, autocommit=True)
        else:
            self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)

    def fill(self, table: str, rows: Sequence[Row]) -> None:
        """Let a table hold these rows alone; in ClickHouse what two closings wrote, and a third that is not done."""
        if self.is_clickhouse:
            self._fill_closings(table, rows)
            return
        name = f"cookieguard_{table}" if self.is_postgres else table
        marks = ", ".join(["%s" if self.is_postgres else "?"] * max(map(len, rows), default=0))
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"DELETE FROM {name}")
            if rows:
                cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            cursor.execute("COMMIT")

    def _fill_closings(self, table: str, rows: Sequence[Row]) -> None:
        """Write the first count of each row in two parts, to be added again."""
        of_day = table != "hourly"
        names = {"hourly": 1, "held": 5}.get(table, 3)
        parts: dict[str, list[Row]] = {"a": [], "b": [], "unfinished": []}
        for row in rows:
            day, rest = (row[0], row[1:]) if of_day else (row[0] // 24, row)
            label, (count, *more) = rest[: names - of_day], rest[names - of_day :]
            parts["a"].append((day, "a", *label, count // 2, *more))
            parts["b"].append((day, "b", *label, count - count // 2, *(0 for _ in more)))
            parts["unfinished"].append((day, "unfinished", *label, 100, *(100 for _ in more)))
        self._connection.command(f"TRUNCATE TABLE cookieguard_{table}")
        self._connection.command("TRUNCATE TABLE cookieguard_done")
        for part in parts.values():
            if part:
                self._connection.insert(f"cookieguard_{table}", part)
        self._connection.command("INSERT INTO cookieguard_done VALUES (1, 'a'), (1, 'b')")

    def end_days(self, before: int) -> None:
        """Close the days before one, where views show none that are not."""
        if self.is_clickhouse:
            self.writer.forget(keys_before=before, hits_before=0, rollups_before=0)

    def ask(self, query: str) -> list[Row]:
        """Return the rows of a query, days and hours as text in UTC."""
        if self.is_clickhouse:
            return [tuple(map(_as_text, row)) for row in self._connection.query(query).result_rows]
        with closing(self._connection.cursor()) as cursor:
            return [tuple(map(_as_text, row)) for row in cursor.execute(query).fetchall()]

    def close(self) -> None:
        self._connection.close()
        self.writer.close()


def _as_text(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return value if value is None or isinstance(value, int) else str(value)


@pytest.fixture(scope="module", params=some_of(MAKERS, "sqlite", "postgres"))
def named(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    with MAKERS[request.param]() as make:
        yield make


@pytest.fixture(scope="module")
def database(named: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("views")
    database = Database(named(folder), folder)
    yield database
    database.close()


def text_of(day: int) -> str:
    return f"{datetime.fromtimestamp(day * SECONDS_OF_DAY, UTC):%Y-%m-%d}"


def cell(value: str, counts: Counts) -> Cell:
    views, visits, visitors = counts
    return Cell(value, people_of(visitors=visitors, visits=visits, views=views), counts)


def expected(table: dict[str, Counts]) -> list[Row]:
    """Return what may be shown of a table: views, visits and visitors of each value, rounded.

    Of two equal numbers of visitors the same one is hidden as elsewhere: who sees both would see both numbers.
    """
    shown = suppress([cell(value, counts) for value, counts in table.items()])
    every = [*shown.rows, *([shown.other] if shown.other else [])]
    visitors = column({one.value: one.counts[2] for one in every})
    rows = [
        (one.value, *map(rounded, one.counts[:2]), None if seen is None else rounded(seen))
        for one, seen in zip(every, visitors, strict=True)
    ]
    return sorted(rows, key=lambda row: row[0])


def check(database: Database, tables: dict[int, dict[str, Counts]]) -> int:
    """Compare the view of a day's values with what Python lets through; return how many cells were folded."""
    rows = [(day, "page", value, *counts) for day, table in tables.items() for value, counts in table.items()]
    database.fill("daily", rows)
    found: dict[str, list[Row]] = defaultdict(list)
    for day, dimension, *row in database.ask("SELECT * FROM cookieguard_by_value"):
        assert dimension == "page"
        found[day].append(tuple(row))
    for day, table in tables.items():
        there = found[text_of(day)]
        assert sorted(there, key=lambda row: row[0]) == expected(table), table
        for _, views, visits, seen in there:
            assert not any((count or 0) % STEP for count in (views, visits, seen))
            assert seen is None or seen == 0 or seen >= K
    return sum(len(table) for table in tables.values()) - sum(map(len, found.values()))


def test_random_tables_are_suppressed_as_in_python(database: Database) -> None:
    source, tables = random.Random(4), {}
    for day in range(LONG_AGO, LONG_AGO + SOME):
        most = source.choice([2, 5, 7, 12])
        values = source.sample([*"abcdefgh\u00e9", "", OTHER], source.randrange(1, 9))
        counts = [[source.randrange(most * each) for each in (10, 2, 1)] for _ in values]
        tables[day] = {value: tuple(three) for value, three in zip(values, counts, strict=True)}

    folded = check(database, tables)  # type: ignore[arg-type]

    assert folded > SOME


small = st.tuples(st.integers(0, 60), st.integers(0, 14), st.integers(0, 8))


@given(st.dictionaries(st.sampled_from([*"abcdefg", OTHER]), small, min_size=1))
def test_any_table_is_suppressed_as_in_python(database: Database, table: dict[str, Counts]) -> None:
    check(database, {LONG_AGO: table})


def test_every_table_of_three_small_counts_is_suppressed_as_in_python(database: Database) -> None:
    tables, day = {}, LONG_AGO
    for one in range(8):
        for two in range(one, 8):
            for three in range(two, 8):
                counts = [(10 * number, number, number) for number in (one, two, three)]
                tables[day] = dict(zip("abc", counts, strict=True))
                day += 1

    assert check(database, tables) > 0


@pytest.mark.parametrize(
    ("table", "view", "names"),
    [("consent", "consent", 2), ("bot", "bot", 2), ("held", "host", 3)],
)
def test_what_is_counted_by_times_is_suppressed_as_in_python(
    database: Database, table: str, view: str, names: int
) -> None:
    source, rows = random.Random(5), []
    for day in range(LONG_AGO, LONG_AGO + 100):
        for name in source.sample("abcdefgh", source.randrange(1, 8)):
            times = source.randrange(1, 12)
            row = (day, name, "x", "y", "z", times, 2 * times) if table == "held" else (day, name, "x", times)
            rows.append(row)
    database.fill(table, rows)

    found = defaultdict(list)
    for day, *row in database.ask(f"SELECT * FROM cookieguard_by_{view}"):
        found[day].append((row[0], row[names]))

    at = 5 if table == "held" else 3
    for day in {row[0] for row in rows}:
        shown = suppress([Cell(row[1], row[at], (row[at],)) for row in rows if row[0] == day])
        every = [*shown.rows, *([shown.other] if shown.other and table == "bot" else [])]
        assert sorted(found[text_of(day)]) == sorted((one.value, rounded(one.people)) for one in every)


def test_a_choice_of_few_is_not_the_fold_less_what_the_page_tells(database: Database) -> None:
    """The statistics page tells 40 and 12: a sum of what the view hides would give the 3 away, and so for hosts."""
    times = {"accepted": 12, "refused": 3, "shown": 40}
    choices = [(LONG_AGO, "1", event, count) for event, count in times.items()]
    database.fill("consent", [*choices, (LONG_AGO, "1", "partly", 9), (LONG_AGO, "2", "partly", 4)])
    held = {"ads.example": 12, "spy.example": 3, "cdn.example": 40}
    database.fill("held", [(LONG_AGO, host, "/", "", "marketing", n, n) for host, n in held.items()])

    chosen = database.ask("SELECT policy, event, times FROM cookieguard_by_consent ORDER BY event")
    hosts = database.ask("SELECT host, views FROM cookieguard_by_host ORDER BY host")

    assert chosen == [("1", "accepted", 10), ("1", "shown", 40)]
    assert hosts == [("cdn.example", 40)]


def test_hours_are_hidden_where_the_day_would_give_them_back(database: Database) -> None:
    visits = [0, 2, 30, 30, 40]
    rows = [(LONG_AGO * 24 + at, 5 * count, count, count, 0, 0, 0, 0) for at, count in enumerate(visits)]
    database.fill("daily", [(LONG_AGO, "", "", 0, 0, 0)])
    database.fill("hourly", rows)

    hours = database.ask("SELECT * FROM cookieguard_by_hour ORDER BY 1")
    days = database.ask("SELECT * FROM cookieguard_by_day")

    day = text_of(LONG_AGO)
    assert days == [(day, 510, 100, 0)]
    assert hours == [(f"{day} 03:00:00", 150, 30), (f"{day} 04:00:00", 200, 40)]


@pytest.mark.parametrize(
    ("visitors", "visits", "views", "shown"),
    [
        (4, 9, 90, []),
        (4, 10, 53, [(50, 10, None)]),
        (5, 5, 5, [(10, 10, 10)]),
        (0, 9, 90, []),
        (0, 1, 520, []),
    ],
)
def test_a_day_of_few_people_is_not_shown(
    database: Database, visitors: int, visits: int, views: int, shown: list[Row]
) -> None:
    database.fill("daily", [(LONG_AGO, "", "", 0, 0, visitors)])
    database.fill("hourly", [(LONG_AGO * 24, views, visits, 0, 0, 0, 0, 0)])

    assert [row[1:] for row in database.ask("SELECT * FROM cookieguard_by_day")] == shown


def test_what_workers_write_is_in_the_views_once_its_day_is_over(database: Database, tmp_path: Path) -> None:
    for table in TABLES:
        database.fill(table, [])
    today = int(datetime.now(UTC).timestamp()) // SECONDS_OF_DAY
    hits = [
        hit._replace(time=hit.time + (today - 1 - DAY) * SECONDS_OF_DAY) for hit in draw_hits(3000, seed=2)
    ]
    database.writer.write(Batch("a", hits, {}, {}))
    database.end_days(today)
    reader = open_engine(StatsSettings(url=database.url), tmp_path, environ={}).reader()
    slices = reader.breakdown(Days(today - 1, today - 1), Dimension.PAGE)

    found = database.ask("SELECT day, value, views FROM cookieguard_by_value WHERE dimension = 'page'")

    assert sorted(found) == sorted((text_of(today - 1), one.value, rounded(one.views)) for one in slices)
    for view in VIEWS:
        days = {str(day)[:10] for day, *_ in database.ask(f"SELECT * FROM {view}")}
        assert days == {text_of(today - 1)}, view
    reader.close()
    again = Database(database.url, tmp_path)  # the next start finds them made
    assert again.ask("SELECT count(*) FROM cookieguard_by_day") == [(1,)]
    again.close()


def test_views_of_one_person_are_no_crowd(database: Database) -> None:
    """One who agreed and looked at 52 pages, one who refused and looked at 50: rows that said so before."""
    many = [(LONG_AGO, "country", "DE", 90, 30, 30), (LONG_AGO, "country", "FR", 60, 20, 20)]
    alone = [(LONG_AGO, "country", "LI", 52, 1, 1), (LONG_AGO, "country", "SM", 50, 1, 0)]
    database.fill("daily", [*many, *alone])

    found = database.ask("SELECT value, views, visitors FROM cookieguard_by_value ORDER BY value")

    assert found == [("(other)", 160, 20), ("DE", 90, 30)]


def test_a_dimension_of_an_earlier_release_is_in_no_view(database: Database) -> None:
    """A part of another breakdown would show the others by subtraction from the whole."""
    kept = [(LONG_AGO, "country", "DE", 90, 30, 30), (LONG_AGO, "country", "FR", 60, 20, 20)]
    database.fill("daily", [*kept, (LONG_AGO, "agreed_country", "DE", 80, 0, 25)])

    found = database.ask("SELECT DISTINCT dimension FROM cookieguard_by_value")

    assert found == [("country",)]


def test_an_analyst_of_postgresql_reads_views_alone_and_nothing_through_them(database: Database) -> None:
    if not database.is_postgres:
        pytest.skip("roles of PostgreSQL")
    import psycopg

    database.fill("daily", [(LONG_AGO, "", "", 0, 0, 3), (LONG_AGO + 1, "", "", 0, 0, 50)])
    database.fill(
        "hourly", [((LONG_AGO + at) * 24, views, 0, 0, 0, 0, 0, 0) for at, views in ((0, 7), (1, 60))]
    )
    told: list[str] = []
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        connection.execute("CREATE ROLE analyst")
        connection.execute(f"GRANT SELECT ON {', '.join(VIEWS)} TO analyst")
        connection.execute("""
            CREATE FUNCTION peek(BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql COST 0.0001
            AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$
        """)

        def peeked() -> list[str]:
            told.clear()
            connection.execute("SET ROLE analyst")
            connection.execute("SELECT * FROM cookieguard_by_day WHERE peek(views)")
            connection.execute("RESET ROLE")
            return sorted(told)

        assert peeked() == ["60"]
        connection.execute("ALTER VIEW cookieguard_by_day RESET (security_barrier)")
        assert peeked() == ["10", "60"]  # so it was the barrier
        connection.execute("ALTER VIEW cookieguard_by_day SET (security_barrier = true)")
        connection.execute("SET ROLE analyst")
        for table in ("daily", "hourly", "hit", "visit", "consent", "held", "bot"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM cookieguard_{table}")


def test_an_analyst_of_clickhouse_sees_no_row_that_is_not_shown(database: Database) -> None:
    if not database.is_clickhouse:
        pytest.skip("of ClickHouse")
    from clickhouse_connect.driver.exceptions import ClickHouseError

    database.fill("daily", [(LONG_AGO, "", "", 0, 0, 3), (LONG_AGO + 1, "", "", 0, 0, 50)])
    rows = [((LONG_AGO + at) * 24, views, 0, 0, 0, 0, 0, 0) for at, views in ((0, 7), (1, 60))]
    database.fill("hourly", rows)
    database.fill(
        "bot", [(LONG_AGO, "tool", "curl", 7), (LONG_AGO, "ai", "gpt", 3), (LONG_AGO, "ai", "x", 3)]
    )

    def is_asked_about(view: str, column: str, number: int) -> bool:
        """Return whether the view lets a condition read this number; the condition fails if it does."""
        try:
            database.ask(f"SELECT * FROM {view} WHERE throwIf({column} = {number}) = 0")
        except ClickHouseError:
            return True
        return False

    assert is_asked_about("cookieguard_by_day", "views", 60)
    assert is_asked_about("cookieguard_by_bot", "hits", 10)
    assert not any(is_asked_about("cookieguard_by_day", "views", number) for number in (3, 4, 5, 7))
    assert not any(is_asked_about("cookieguard_by_bot", "hits", number) for number in (2, 3))
    pages = [(LONG_AGO, "page", f"/{at}", 3 + at, 1, 1 + at % 4) for at in range(6)]
    database.fill("daily", [(LONG_AGO, "", "", 0, 0, 50), (LONG_AGO, "page", "/", 901, 301, 91), *pages])
    database.fill("hourly", [(LONG_AGO * 24 + at, 300, 60, 0, 0, 0, 0, 0) for at in (0, 1)])
    for view in ("cookieguard_by_value", "cookieguard_by_day"):
        shown = sorted(database.ask(f"SELECT * FROM {view}"), key=str)
        for part in IN_PART:
            for most in range(1, 8):
                setting = f"{part.format(most)}, max_block_size = 1, max_threads = 1"
                found = database.ask(f"SELECT * FROM {view} SETTINGS {setting}")
                assert sorted(found, key=str) == shown, setting
    (asked,) = database.ask("SELECT create_table_query FROM system.tables WHERE name = 'cookieguard_by_day'")
    assert "SQL SECURITY DEFINER" in str(asked)


def blocks(part: str) -> list[str]:
    """Return the SQL of one part of the page that describes the views."""
    page = (Path(__file__).parents[4] / "docs" / "sql-views.md").read_text()
    (text,) = [one for one in page.split("\n## ") if one.startswith(part)]
    return re.findall(r"```sql\n(.*?)```", text, re.DOTALL)


def test_the_queries_of_the_page_are_answered(database: Database) -> None:
    times = [(LONG_AGO, "x", "y", 50), (LONG_AGO, "z", "y", 60)]
    database.fill("daily", [(LONG_AGO, "", "", 0, 0, 50), (LONG_AGO, "page", "/", 60, 50, 50)])
    database.fill("hourly", [(LONG_AGO * 24, 60, 50, 0, 0, 0, 0, 0)])
    database.fill("consent", times)
    database.fill("bot", times)
    database.fill("held", [(LONG_AGO, "ads.example", "/", "", "marketing", 50, 60)])
    if not database.is_postgres:
        pytest.skip("they are PostgreSQL's")

    for query in blocks("Queries"):
        asked = re.sub(
            r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '1990-01-01T00:00:00Z' AND '2020-01-01'", query
        )
        assert database.ask(asked), query
    assert {view for view in VIEWS if any(view in query for query in blocks("Queries"))} == set(VIEWS)
    assert all(view in blocks("PostgreSQL")[0] for view in VIEWS)


def test_a_copy_of_the_views_holds_what_they_show_and_no_table(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'stats.db'}", tmp_path)
    database.fill("daily", [(LONG_AGO, "page", "/rare", 3, 1, 1), (LONG_AGO, "page", "/", 60, 50, 50)])
    (statements,) = blocks("SQLite")

    with closing(sqlite3.connect(tmp_path / "stats.db")) as connection:
        connection.executescript(statements.replace("analyst.db", str(tmp_path / "analyst.db")))

    with closing(sqlite3.connect(tmp_path / "analyst.db")) as copy:
        names = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
        rows = copy.execute("SELECT * FROM cookieguard_by_value").fetchall()
    assert names == set(VIEWS)
    assert rows == database.ask("SELECT * FROM cookieguard_by_value") != []
    assert b"/rare" not in (tmp_path / "analyst.db").read_bytes()
    database.close()
