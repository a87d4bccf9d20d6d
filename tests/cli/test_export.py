"""`cookieguard export`, and the queries that docs/export.md shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from harness.commands import run_in
from stats.traffic import PLAIN

from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.stats.hits import Batch
from demo_site.traffic import fill

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)


def export(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_in(directory, "export", *arguments)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shop with eight days of made-up visitors."""
    directory = tmp_path_factory.mktemp("shop")
    fill(directory / ".cookieguard", days=8, now=datetime.now(UTC))
    return directory


def test_each_closed_day_is_a_file_and_a_second_run_changes_none(shop: Path) -> None:
    first = export(shop, "--out", "exports")
    files = {path.name: path.stat().st_mtime_ns for path in (shop / "exports").iterdir()}

    second = export(shop, "--out", "exports")

    assert first.returncode == second.returncode == 0
    assert first.stdout.count("wrote exports/sums-") == len(files) >= 6
    assert f"sums-{datetime.now(UTC):%Y-%m-%d}.parquet" not in files  # today is not over
    assert second.stdout.startswith(f"{len(files)} days existed already\n")
    assert {path.name: path.stat().st_mtime_ns for path in (shop / "exports").iterdir()} == files


@pytest.fixture(scope="module")
def exported(shop: Path) -> Iterator[Path]:
    assert export(shop, "--out", "exports").returncode == 0
    assert export(shop, "--out", "private", "--what", "hits").returncode == 0
    return shop


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_queries_of_the_page_run(exported: Path, query: str) -> None:
    with chdir(exported):
        rows = duckdb.connect().execute(query).fetchall()

    assert rows
    assert all(value is not None for value in rows[0])


def test_there_are_queries_on_the_page() -> None:
    assert len(QUERIES) == 5


def test_options_choose_days_and_breakdowns(shop: Path) -> None:
    day = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}"

    done = export(
        shop,
        "--out",
        "some",
        "--format",
        "json",
        "--from",
        day,
        "--to",
        day,
        "--by",
        "country,device",
        "--json",
    )

    answer = json.loads(done.stdout)
    assert answer["written"] == [f"some/sums-{day}.json"]
    document = json.loads((shop / "some" / f"sums-{day}.json").read_text())
    assert document["about"]["cookieguard.day"] == day
    assert {row["dimension"] for row in document["rows"]} == {"total", "country", "device"}


def test_single_hits_say_what_they_are(shop: Path) -> None:
    done = export(shop, "--out", "private", "--what", "hits", "--again")

    assert "For the owner, not for analysts." in done.stdout
    assert (shop / "private").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        (("--what", "keys"), "--what"),
        (("--format", "xlsx"), "--format"),
        (("--from", "yesterday"), "--from"),
        (("--by", "key"), "--by"),
    ],
)
def test_impossible_option_is_refused_in_one_line(
    shop: Path, arguments: tuple[str, ...], setting: str
) -> None:
    done = export(shop, "--out", "never", *arguments)

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(f"cookieguard: {setting} is ")
    assert not (shop / "never").exists()


def test_without_statistics_or_room_it_says_so_in_one_line(shop: Path, tmp_path: Path) -> None:
    (shop / "a-file").touch()

    nothing = export(tmp_path, "--out", "exports")
    no_room = export(shop, "--out", "a-file", "--json")

    assert (nothing.returncode, nothing.stderr.count("\n")) == (3, 1)
    assert json.loads(no_room.stderr)["exit_code"] == 3
    assert "a-file" in no_room.stderr
    assert not (tmp_path / "exports").exists()


def test_export_without_a_closed_day_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / ".cookieguard").mkdir(mode=0o700)
    engine = SqliteHits(tmp_path / ".cookieguard" / "stats.db")
    engine.write(Batch("a", [PLAIN._replace(time=int(datetime.now(UTC).timestamp()))], {}, {}))
    engine.close()

    done = export(tmp_path, "--out", "exports")

    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        "no day with any hits is over yet",
    )
    assert not (tmp_path / "exports").exists()


WITHOUT = """
import sys
sys.modules["arro3"] = sys.modules["arro3.core"] = None
from cookieguard.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_missing_extra_is_named(shop: Path) -> None:
    commands = [sys.executable, "-c", WITHOUT, "export", "--out", "bare"]

    parquet = subprocess.run(commands, cwd=shop, capture_output=True, text=True, check=False)
    csv = subprocess.run(
        [*commands, "--format", "csv"], cwd=shop, capture_output=True, text=True, check=False
    )

    assert (parquet.returncode, parquet.stderr.count("\n")) == (3, 1)
    assert "pip install '.[export]'" in parquet.stderr
    assert csv.returncode == 0
