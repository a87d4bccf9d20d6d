"""All figures of a page are from the same moment, even if others write while they are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from harness.stats_engines import MAKERS
from stats.traffic import MIDNIGHT, PLAIN

from cookieguard.config import StatsSettings
from cookieguard.features.statistics.dashboard.overview import Overview, read_overview
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import HitEngine, HitReader, HitWriter
from cookieguard.stats.hits import Batch, Dimension, Hit

NOW = datetime.fromtimestamp(MIDNIGHT + 43_260, UTC)
QUESTIONS = ("span", "by_hour", "by_day", "by_day_of", "breakdown", "keyed_days", "lost")


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HitEngine]:
    """Return an engine that has transactions, empty."""
    with MAKERS[request.param]() as make:
        yield open_engine(StatsSettings(url=make(tmp_path)), tmp_path, environ={})


@pytest.fixture
def writer(engine: HitEngine) -> Iterator[HitWriter]:
    with closing(engine.writer()) as writer:
        yield writer


def disclosure(number: int, *, people: int = 60) -> list[Hit]:
    """Return visits of people today, by page."""
    return [
        PLAIN._replace(key=1000 * number + person + 1, page=f"/{person % 2}", source="(direct)")
        for person in range(people)
    ]


class Busy:
    """A reader of statistics in a shop that gets hits between any two queries."""

    def __init__(self, reader: HitReader, come: Callable[[], None]) -> None:
        self._reader, self._come = reader, come

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._reader, name)
        if name not in QUESTIONS:
            return asked

        def ask(*args: Any, **more: Any) -> Any:
            found = asked(*args, **more)
            self._come()
            return found

        return ask


def page(engine: HitEngine, writer: HitWriter, **filters: str) -> tuple[Overview, int]:
    """Read the page; return how many crowds came meanwhile as well."""
    came = count(1)

    def come() -> None:
        number = next(came)
        writer.write(Batch(f"b{number}", disclosure(number), {}, {}))

    writer.write(Batch("b0", disclosure(0), {}, {}))
    with closing(engine.reader()) as reader:
        where = {Dimension(name): value for name, value in filters.items()}
        selection = Selection("summary", RANGES["today"], where)
        found = read_overview(Busy(reader, come), selection, now=NOW, hit_days=30)  # type: ignore[arg-type]
    return found, next(came) - 1


@pytest.mark.parametrize("filters", [{}, {"page": "/1"}])
def test_figures_of_a_page_are_of_one_moment(
    filters: dict[str, str], engine: HitEngine, writer: HitWriter
) -> None:
    found, came = page(engine, writer, **filters)

    expected = 30 if filters else 60
    figures = {one.name: one.value for one in found.figures}
    assert came > 5
    assert found.range is RANGES["today"]
    assert (figures["Views"], figures["Visits"]) == (f"{expected}", f"{expected}")
    assert sum(point.views or 0 for point in found.points) == expected
    for table in found.tables:
        rows = [*table.rows, *([table.other] if table.other else [])]
        assert sum(row.main for row in rows) in (0, expected), table.title


def test_a_page_that_was_read_holds_nothing_still(tmp_path: Path) -> None:
    """Else the next page would miss what came after it, and the journal could not be emptied."""
    engine = open_engine(StatsSettings(), tmp_path, environ={})
    selection = Selection("summary", RANGES["today"], {})
    views = []
    with closing(engine.writer()) as writer:
        for number in range(2):
            writer.write(Batch(f"b{number}", disclosure(number), {}, {}))
            with closing(engine.reader()) as reader:
                found = read_overview(reader, selection, now=NOW, hit_days=30)
            views += [one.value for one in found.figures if one.name == "Views"]
        with closing(sqlite3.connect(tmp_path / "stats.db")) as other:
            ((is_busy, _, _),) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert views == ["60", "120"]
    assert not is_busy
