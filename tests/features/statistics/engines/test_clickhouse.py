"""Statistics in ClickHouse, which has no transactions, come out right wherever a write is interrupted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from features.statistics.engines.test_stats_engines import BOTH, batches, write_all
from stats.traffic import DAY, MIDNIGHT, PLAIN, draw_hits, people, recount

from cookieguard.config import StatsSettings
from cookieguard.errors import ConfigError
from cookieguard.features.statistics.engines.open import open_engine
from cookieguard.features.statistics.engines.protocol import Days, EngineDown, HitReader
from cookieguard.stats.hits import OTHER, Batch, Dimension
from cookieguard.stats.rollups import MAX_VALUES

pytest.importorskip(
    "chdb", reason="ClickHouse is NOT tested: chdb is missing (pip install --group clickhouse)"
)
from cookieguard.features.statistics.engines.clickhouse.closing import _steps, close_day
from cookieguard.features.statistics.engines.clickhouse.engine import ClickhouseStats
from cookieguard.features.statistics.engines.clickhouse.writer import ClickhouseHits

pytestmark = pytest.mark.slow  # 300 MB to download, which `make test` does not ask for


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"chdb:///{tmp_path / 'clickhouse'}"


@pytest.fixture
def engine(url: str, tmp_path: Path) -> ClickhouseStats:
    return ClickhouseStats(url, tmp_path)


@pytest.fixture
def writer(url: str) -> Iterator[ClickhouseHits]:
    with closing(ClickhouseHits(url)) as writer:
        yield writer


@pytest.fixture
def figures(engine: ClickhouseStats, writer: ClickhouseHits) -> Iterator[HitReader]:
    assert writer is not None
    with closing(engine.reader()) as reader:
        yield reader


def everything(figures: HitReader, days: Days = BOTH) -> Mapping[str, object]:
    """Return all unfiltered figures."""
    return {
        "hours": figures.by_hour(days),
        "days": figures.by_day(days),
        **{by.value: figures.breakdown(days, by) for by in Dimension},
        "consent": figures.consent(days),
        "held": figures.held(days),
        "bots": figures.bots(days),
        "lost": figures.lost(days),
    }


class CutOff(Exception):
    """Raised in place of the end of a process."""


class Cut:
    """A client that accepts so many commands and then fails."""

    def __init__(self, client: Any, commands: int) -> None:
        self._client = client
        self._left = commands
        self.query = client.query

    def command(self, *arguments: Any, **options: Any) -> Any:
        if self._left == 0:
            raise CutOff
        self._left -= 1
        return self._client.command(*arguments, **options)


# A hundred queries of 0.1 s of CPU each: on a machine with 50 at work they took 300 s.
@pytest.mark.timeout(1200)
def test_closed_days_have_the_figures_they_had_when_open(writer: ClickhouseHits, figures: HitReader) -> None:
    write_all(writer, draw_hits(2000, seed=11))
    before = everything(figures)

    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)  # one open, one closed
    one_closed = everything(figures)
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)

    assert one_closed == before
    assert everything(figures) == before
    assert writer._client.query("SELECT count() FROM cookieguard_hit").result_rows == [(0,)]
    writer.forget(keys_before=DAY + 2, hits_before=DAY + 2, rollups_before=0)  # sums stay without hits
    assert everything(figures) == before


def test_too_many_hits_go_by_closed_days_oldest_first_and_leave_all_sums(
    writer: ClickhouseHits, figures: HitReader
) -> None:
    hits = draw_hits(900, seed=14, days=3)
    write_all(writer, hits)
    writer.forget(keys_before=DAY + 2, hits_before=0, rollups_before=0)
    before = everything(figures, Days(DAY, DAY + 2))
    first, second = (sum(hit.day == day for hit in hits) for day in (DAY, DAY + 1))

    assert writer.cap_hits(900) == 0
    assert writer.cap_hits(899) == first
    assert writer.cap_hits(900 - first) == 0
    assert everything(figures, Days(DAY, DAY + 2)) == before
    assert [len(list(figures.hits(DAY + day))) for day in (0, 1)] == [0, second]
    assert writer.cap_hits(1) == second  # the open day's stay: they are its sums
    assert everything(figures, Days(DAY, DAY + 2)) == before


COMMANDS = len(list(_steps())) + 3  # the batches it sums up, that it is done, and removing


@pytest.mark.parametrize("commands", [0, 2, 9, COMMANDS - 2, COMMANDS - 1])
def test_a_closing_may_be_cut_off_anywhere(writer: ClickhouseHits, figures: HitReader, commands: int) -> None:
    def found() -> list[object]:
        return [figures.by_day(BOTH), figures.breakdown(BOTH, Dimension.PAGE), figures.bots(BOTH)]

    write_all(writer, draw_hits(200, seed=12, days=1))
    before = found()

    with pytest.raises(CutOff):
        close_day(Cut(writer._client, commands), DAY)  # type: ignore[arg-type] # as much of a client as it needs

    assert found() == before
    close_day(writer._client, DAY)
    assert found() == before
    assert writer._client.query("SELECT count() FROM cookieguard_hit").result_rows == [(0,)]
    close_day(Cut(writer._client, COMMANDS), DAY)  # type: ignore[arg-type] # the control: no more than those


def test_late_hits_count_once_and_closed_days_are_not_counted_again(
    writer: ClickhouseHits, figures: HitReader
) -> None:
    first = [PLAIN._replace(key=key) for key in (1, 2, 3)]
    writer.write(Batch("a", first, {}, {}))
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    writer.write(Batch("a", first, {}, {}))  # from the spool of a worker that was not told it is written
    writer.write(Batch("b", [PLAIN._replace(key=4)], {}, {}))
    assert [(one.views, one.visitors) for one in figures.by_day(BOTH)] == [(4, 4)]
    assert len(list(figures.hits(DAY))) == 4  # type: ignore[attr-defined] # it is ours
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)

    assert [(one.views, one.visitors) for one in figures.by_day(BOTH)] == [(4, 4)]
    assert writer._client.query("SELECT count() FROM cookieguard_hit").result_rows == [(0,)]
    assert len(list(figures.hits(DAY))) == 4  # type: ignore[attr-defined]


def test_a_batch_over_midnight_is_written_once_too(writer: ClickhouseHits, figures: HitReader) -> None:
    batch = Batch("a", [PLAIN, PLAIN._replace(time=MIDNIGHT + 86_400)], {}, {})

    writer.write(batch)
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    writer.write(batch)

    assert [(one.at, one.views) for one in figures.by_day(BOTH)] == [(DAY, 1), (DAY + 1, 1)]


def test_visits_are_decided_together_whoever_writes_first(writer: ClickhouseHits, figures: HitReader) -> None:
    """Four workers get the views of one visitor in no order: half an hour apart they are one visit each."""
    views = [PLAIN._replace(time=MIDNIGHT + minute * 60, key=5) for minute in (0, 20, 40, 100, 110, 200)]

    for place in (3, 0, 5, 2, 4, 1):
        writer.write(Batch(f"b{place}", [views[place]], {}, {}))

    assert [(one.visits, one.visitors) for one in figures.by_day(BOTH)] == [(3, 1)]


def test_four_writers_at_once_lose_nothing(writer: ClickhouseHits, figures: HitReader, url: str) -> None:
    hits = draw_hits(1600, seed=9)

    def write(part: int) -> None:
        with closing(ClickhouseHits(url)) as mine:
            for batch in batches(hits[part::4], 25, prefix=f"{part}-"):
                mine.write(batch)
                mine.write(batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    pages = [(value, seen, visitors) for value, seen, _, visitors in recount(people(hits), "page")]
    assert [(o.value, o.views, o.visitors) for o in figures.breakdown(BOTH, Dimension.PAGE)] == pages
    assert sum(one.hits for one in figures.bots(BOTH)) == sum(bool(hit.bot) for hit in hits)


def test_four_writers_fold_at_once_at_the_limit(writer: ClickhouseHits, figures: HitReader, url: str) -> None:
    def write(part: int) -> None:
        hits = [PLAIN._replace(page=f"/{part}/{number}", key=number + 1) for number in range(400)]
        with closing(ClickhouseHits(url)) as mine:
            for batch in batches(hits, 100, prefix=f"{part}-"):
                mine.write(batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    for _ in range(2):  # open, and closed
        found = {one.value: one.views for one in figures.breakdown(BOTH, Dimension.PAGE)}
        assert len(found) == MAX_VALUES + 1
        assert found[OTHER] == 1600 - MAX_VALUES
        writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)


def test_forgotten_keys_and_hits_are_gone_from_the_files(writer: ClickhouseHits, tmp_path: Path) -> None:
    writer.write(Batch("a", [PLAIN._replace(key=0x1122334455667788, page="/very-old-page")], {}, {}))
    needles = (0x1122334455667788).to_bytes(8, "little"), b"/very-old-page"

    def found() -> list[bool]:
        contents = b"".join(read(path) for path in (tmp_path / "clickhouse").rglob("*") if path.is_file())
        return [needle in contents for needle in needles]

    assert found() == [True, True]
    writer.forget(keys_before=DAY + 1, hits_before=0, rollups_before=0)
    assert found() == [False, True]
    writer.forget(keys_before=DAY + 1, hits_before=DAY + 1, rollups_before=DAY + 1)
    assert found() == [False, False]


def read(path: Path) -> bytes:
    """Read a file that a merge may take away meanwhile."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


SECOND = """
import sys
from pathlib import Path
from cookieguard.features.statistics.engines.clickhouse.writer import ClickhouseHits
from cookieguard.features.statistics.engines.protocol import EngineDown
try:
    ClickhouseHits(sys.argv[1])
except EngineDown as error:
    print(error)
"""


def test_second_process_on_one_clickhouse_directory_gets_an_error(writer: ClickhouseHits, url: str) -> None:
    assert writer is not None

    second = subprocess.run([sys.executable, "-c", SECOND, url], capture_output=True, text=True, check=True)

    assert second.stdout.startswith("ClickHouse: ")
    assert "/clickhouse" not in second.stdout


@pytest.mark.parametrize("query", ["", "?secure=true&distributed_product_mode=local"])
def test_a_server_that_does_not_answer_is_down_and_its_password_is_not_told(
    tmp_path: Path, query: str
) -> None:
    settings = StatsSettings(url=f"clickhouse://shop:hunter2@127.0.0.1:9/shop{query}")
    engine = open_engine(settings, tmp_path, environ={})

    for ask in (engine.writer, engine.reader, engine.existing, engine.retained):
        with pytest.raises(EngineDown) as raised:
            ask()
        assert str(raised.value).startswith("ClickHouse: ")
        assert "hunter2" not in f"{raised.value}{settings!r}"


@pytest.mark.parametrize("rest", ["host:port/shop", "", "a b/shop", "[::1/shop", "host:123456/shop"])
def test_a_url_that_names_no_server_is_refused_at_the_start_and_not_shown(rest: str) -> None:
    with pytest.raises(ConfigError) as raised:
        StatsSettings(url=f"clickhouse://shop:hunter2@{rest}")

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "rest", ["host", "u:p@host:8123/shop", "u:p@[::1]:8443/shop?secure=true", "10.0.0.1:8123"]
)
def test_a_url_that_names_one_is_taken(rest: str) -> None:
    assert StatsSettings(url=f"clickhouse://{rest}").url.endswith(rest)
