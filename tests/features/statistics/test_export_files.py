"""Exported days hold only what may be shown, the same in each format, and no person in any file."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, people, recount, with_entries

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.statistics.export.files import closed_days, export_day, remove_drafts
from cookieguard.features.statistics.export.formats import FORMATS, to_csv, to_json, to_parquet
from cookieguard.features.statistics.export.tables import (
    Holds,
    Table,
    hits_table,
    sums_table,
)
from cookieguard.stats.hits import OTHER, Batch, Dimension, Hit
from cookieguard.stats.k_anonymity import rounded


def figures(path: Path, hits: list[Hit]) -> SqliteFigures:
    engine = SqliteHits(path)
    engine.write(Batch("a", hits, {}, {}))
    engine.close()
    return SqliteFigures(path)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[SqliteFigures]:
    reader = figures(tmp_path / "stats.db", draw_hits(3000, seed=5))
    yield reader
    reader.close()


def read_back(directory: Path, content: bytes) -> list[tuple[object, ...]]:
    """Read a Parquet file as DuckDB does."""
    file = directory / "read-back.parquet"
    file.write_bytes(content)
    return duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()


def test_figures_in_parquet_are_those_of_a_plain_recount(reader: SqliteFigures, tmp_path: Path) -> None:
    rows = read_back(tmp_path, to_parquet(sums_table(reader, DAY, list(Dimension))))

    views = people(hit for hit in with_entries(draw_hits(3000, seed=5)) if hit.day == DAY)
    by_page = [row[2:] for row in rows if row[1] == "page"]
    assert by_page == [(value, *map(rounded, counts)) for value, *counts in recount(views, "page")]
    (total,) = [row for row in rows if row[1] == "total"]
    assert total[0] == datetime.fromtimestamp(MIDNIGHT, UTC).date()
    assert total[3:] == (
        rounded(len(views)),
        rounded(sum(hit.entry for hit in views)),
        rounded(len({hit.key for hit in views if hit.key})),
    )


def test_single_hits_in_parquet_are_all_there_without_keys(reader: SqliteFigures, tmp_path: Path) -> None:
    table = hits_table(reader, DAY)

    rows = read_back(tmp_path, to_parquet(table))

    expected = [hit for hit in with_entries(draw_hits(3000, seed=5)) if hit.day == DAY]
    assert "key" not in table.columns
    assert len(rows) == len(expected) > 1000
    assert sum(row[19] for row in rows) == sum(hit.entry for hit in expected) > 100
    assert rows[0][0] == datetime.fromtimestamp(expected[0].time, UTC).replace(tzinfo=None)
    content = b"".join(to_bytes(hits_table(reader, DAY)) for to_bytes in (to_csv, to_json))
    keys = [str(hit.key).encode() for hit in expected if hit.key]
    assert keys
    assert not [key for key in keys if key in content]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_no_figure_of_fewer_than_five_is_exported(tmp_path: Path, counts: list[int]) -> None:
    """A page each, with so many visitors: those of fewer than five are neither named nor alone in the fold."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
    hits = [
        PLAIN._replace(page=f"/{page}", key=1 + visitor + 100 * page, time=MIDNIGHT + visitor)
        for page, count in enumerate(counts)
        for visitor in range(count)
    ]
    reader = figures(path, hits)
    try:
        table = sums_table(reader, DAY, list(Dimension))
    finally:
        reader.close()

    small = {f"/{page}" for page, count in enumerate(counts) if count < 5}
    assert not {row[2] for row in table.rows} & small
    for _, _, value, views, _, visitors in table.rows:
        assert int(str(views)) >= 5
        assert visitors is None or int(str(visitors)) >= 5
        if value == OTHER:
            assert len(small | {"?"}) > 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_a_spreadsheet_would_run_gets_a_quote(start: str) -> None:
    formula = f"{start}HYPERLINK(1)"
    table = Table({"value": Holds.TEXT, "views": Holds.COUNT}, [(formula, -5), ("a=b", None)], {})

    lines = to_csv(table).decode().split("\r\n")

    assert lines[0] == '"value","views"'
    assert lines[1].startswith(f"\"'{start}")
    assert lines[1].endswith(',"-5"')
    assert lines[2] == '"a=b",""'


@pytest.mark.parametrize("campaign", ["x;=1+1;", "x; =1+1", "x\t@SUM(1)", 'x;"=1+1', "x|-1+1", "x\n+1"])
@pytest.mark.parametrize("delimiter", ";\t|,")
def test_no_cell_is_a_formula_wherever_a_spreadsheet_parts_them(campaign: str, delimiter: str) -> None:
    table = Table(
        {"day": Holds.DAY, "campaign": Holds.TEXT, "views": Holds.COUNT},
        [(20_000, campaign, 5), (20_000, "spring; autumn - sale", 5)],
        {},
    )

    content = to_csv(table).decode()

    cells = [cell for row in csv.reader(content.splitlines(True), delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.strip(' "').startswith(("=", "+", "-", "@", "\t"))]
    assert "spring; autumn - sale" in content
    (_, (_, read, _), _) = csv.reader(content.splitlines(True))
    assert read.replace("'", "") == campaign


@pytest.mark.parametrize("ending", FORMATS)
def test_hostile_values_survive_each_format(ending: str, tmp_path: Path) -> None:
    values = ['"; DROP', "\u202e", "a\nb", "\ud800", "<script>", "", "\0"]
    table = Table({"value": Holds.TEXT}, [(value,) for value in values], {"a": "\u2028"})

    content = FORMATS[ending](table)

    if ending == "parquet":
        assert [row[0] for row in read_back(tmp_path, content)][:3] == values[:3]
    assert content


def test_a_day_without_enough_people_is_a_file_without_rows(tmp_path: Path) -> None:
    reader = figures(tmp_path / "few.db", [PLAIN._replace(key=1)] * 3)

    assert read_back(tmp_path, to_parquet(sums_table(reader, DAY, list(Dimension)))) == []
    assert len(read_back(tmp_path, to_parquet(hits_table(reader, DAY)))) == 3  # the control


def test_a_day_is_closed_an_hour_after_its_end() -> None:
    midnight = datetime.fromtimestamp(MIDNIGHT, UTC)

    def closed(after: timedelta) -> list[int]:
        return list(closed_days(Days(DAY - 2, DAY), midnight + after))

    assert closed(timedelta(minutes=59)) == [DAY - 2]
    assert closed(timedelta(minutes=61)) == [DAY - 2, DAY - 1]
    assert closed(timedelta(days=9)) == [DAY - 2, DAY - 1, DAY]
    assert list(closed_days(None, midnight)) == []


def test_a_file_that_is_there_is_left_alone_and_nothing_is_asked(tmp_path: Path) -> None:
    first = export_day(tmp_path, "sums", "csv", DAY, lambda: b"one")

    second = export_day(tmp_path, "sums", "csv", DAY, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    third = export_day(tmp_path, "sums", "csv", DAY, lambda: b"two", again=True)

    assert (first[1], second[1], third[1]) == (True, False, True)
    assert third[0].read_bytes() == b"two"
    assert third[0].stat().st_mode & 0o777 == 0o600


def test_a_failed_export_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    export_day(tmp_path, "sums", "csv", DAY, lambda: b"one")

    def fail() -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        export_day(tmp_path, "sums", "csv", DAY, fail, again=True)

    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"one"


def test_drafts_of_a_killed_export_go_and_other_files_stay(tmp_path: Path) -> None:
    names = [".sums-2026-11-20.parquet.0123456789abcdef", ".hits-2026-11-20.csv.0123456789abcdef"]
    for name in [*names, ".profile", "sums-2026-11-20.parquet"]:
        (tmp_path / name).write_bytes(b"x")

    remove_drafts(tmp_path, datetime.now(UTC) - timedelta(hours=1))  # still being written, perhaps
    assert len(list(tmp_path.iterdir())) == 4
    remove_drafts(tmp_path, datetime.now(UTC) + timedelta(seconds=5))

    assert {path.name for path in tmp_path.iterdir()} == {".profile", "sums-2026-11-20.parquet"}


def test_duckdb_is_never_given_the_live_file(reader: SqliteFigures, tmp_path: Path) -> None:
    """Reading for an export takes no lock that a writer waits for."""
    rows = reader.hits(DAY)
    next(rows)

    other = sqlite3.connect(tmp_path / "stats.db", timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")

    assert len(list(rows)) > 1000
