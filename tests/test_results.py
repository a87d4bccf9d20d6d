"""Figures in RESULTS.md and the README are those of the last whole run, each missed goal with its size."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUOTED = re.compile(r"<!-- results -->\n(.*?)\n<!-- /results -->", re.DOTALL)
PAGE = (ROOT / "RESULTS.md").read_text("utf-8")
WHOLE = (ROOT / "benchmarks" / "results.md").read_text("utf-8")
FIGURES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "`" in line
]
LINES_OF_ONE_PAGE = 60


def test_one_page_of_results_is_written_from_the_whole_run() -> None:
    written = subprocess.run(
        [sys.executable, "benchmarks/results.py", "--from-last-run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert written.stdout == PAGE
    assert len(PAGE.splitlines()) <= LINES_OF_ONE_PAGE


def test_twelve_figures_each_have_a_peer_a_limit_and_a_command() -> None:
    assert len(FIGURES) == 12
    assert [row for row in FIGURES if len(row) != 5 or not all(row)] == []
    commands = [command for row in FIGURES for command in re.findall(r"`python (.*?)`", row[4])]
    assert len(commands) == 12
    assert [one for one in commands if not (ROOT / one.split()[0]).is_file()] == []


def test_every_miss_is_shown_with_its_size() -> None:
    misses = re.findall(r"MISSED(?!: time|: growth)(.*?)\|", WHOLE)
    limits = [row[3] for row in FIGURES]

    assert len(misses) > 20
    assert [one for one in misses if not re.match(r" by [\d,.]+ \w", one)] == []
    assert all(re.search(r": met|: \*\*missed by [\d,.]+ \w", one) for one in limits)
    assert any("missed" in one for one in limits)


def test_the_readme_quotes_a_sentence_of_the_results() -> None:
    found = QUOTED.findall((ROOT / "README.md").read_text())

    assert len(found) == 1
    assert re.search(r"[0-9] MB a second .* times python-lolhtml", found[0])
    assert f"\n{found[0]}\n" in PAGE


def test_the_readme_names_no_other_speed() -> None:
    rest = QUOTED.sub("", (ROOT / "README.md").read_text())

    assert QUOTED.search((ROOT / "README.md").read_text())
    assert re.findall(r"[0-9.,]+ ?(?:MB/s|GB/s|MB a second|times faster|x faster)", rest) == []
