"""A release with a new dimension extends existing tables of statistics without damage and without counting twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from features.statistics.engines.test_stats_engines import batches, engine_at, write_all
from harness.quick import some_of
from harness.stats_engines import MAKERS, drop_column
from stats.traffic import DAY, MIDNIGHT, PLAIN

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.stats.hits import Batch, Dimension, Hit

BOTH = Days(DAY, DAY + 1)


@pytest.fixture(scope="module", params=some_of(MAKERS, "sqlite", "postgres"))
def named(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    with MAKERS[request.param]() as make:
        yield make


def views(count: int, medium: str, *, day: int = 0, first: int = 1) -> list[Hit]:
    one = PLAIN._replace(source="search.example", medium=medium, time=MIDNIGHT + 43_200 + day * 86_400)
    return [one._replace(key=first + at, time=one.time + at) for at in range(count)]


def test_hits_of_before_have_none_and_those_after_are_counted(
    named: Callable[[Path], str], tmp_path: Path
) -> None:
    url = named(tmp_path)
    engine = engine_at(url, tmp_path)
    with closing(engine.writer()) as old:
        write_all(old, views(7, ""))
    drop_column(url, "medium")

    with closing(engine.writer()) as new:
        for batch in batches([*views(5, "mail", first=50), *views(6, "mail", day=1)], 4, "new"):
            new.write(batch)

    with closing(engine.reader()) as reader:
        assert [tuple(one) for one in reader.breakdown(BOTH, Dimension.MEDIUM)] == [("mail", 11, 11, 11)]
        of_de = reader.breakdown(BOTH, Dimension.MEDIUM, {Dimension.COUNTRY: "DE"})
        assert [tuple(one) for one in of_de] == [("mail", 11, 11, 11)]
        assert [one.views for one in reader.by_day(BOTH)] == [12, 6]
        hits = [hit for day in (DAY, DAY + 1) for hit in reader.hits(day)]  # type: ignore[attr-defined]
        assert sorted(hit.medium for hit in hits) == [""] * 7 + ["mail"] * 11


def test_days_are_closed_after_it_as_ever(named: Callable[[Path], str], tmp_path: Path) -> None:
    url = named(tmp_path)
    engine = engine_at(url, tmp_path)
    with closing(engine.writer()) as old:
        write_all(old, views(7, ""))
    drop_column(url, "medium")

    with closing(engine.writer()) as new:
        new.write(Batch("new", views(5, "mail", first=50), {}, {}))
        new.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    with closing(engine.reader()) as reader:
        hits = list(reader.hits(DAY))  # type: ignore[attr-defined]
        assert sorted(hit.medium for hit in hits) == [""] * 7 + ["mail"] * 5
        assert {(hit.country, hit.page, hit.key, hit.entry) for hit in hits} == {("DE", "/", 0, 1)}
        assert [tuple(one) for one in reader.breakdown(BOTH, Dimension.MEDIUM)] == [("mail", 5, 5, 5)]
