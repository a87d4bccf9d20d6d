"""The command `cookieguard report`: one file that asks nobody, or one line that says why not."""

from __future__ import annotations

import json
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from cookieguard.cli.app import run
from demo_site.traffic import fill


def report(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    out, err = StringIO(), StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err):
        code = int(run(("report", *arguments)))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_report_is_one_file_that_asks_nobody(tmp_path: Path) -> None:
    written = fill(tmp_path / ".cookieguard", days=8, now=datetime.now(UTC))

    done = report(tmp_path, "--out", "report.html", "--range", "7")

    page = (tmp_path / "report.html").read_text()
    assert (done.returncode, done.stdout) == (0, "wrote report.html\n")
    assert written > 1000
    assert "Visitor-days" in page
    assert '<bdi title="search.example">search.example</bdi>' in page
    assert "default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;" in page
    for way_out in ("<script", "<link", "<form", "href=", "src=", "url("):
        assert way_out not in page
    answer = report(tmp_path, "--out", "report.html", "--json")
    assert json.loads(answer.stdout)["range"] == "30"


def test_report_says_in_one_line_why_there_is_none(tmp_path: Path) -> None:
    nothing = report(tmp_path, "--out", "report.html")
    unknown = report(tmp_path, "--out", "report.html", "--range", "31")

    assert (nothing.returncode, nothing.stderr.count("\n")) == (3, 1)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "report.html").exists()


def test_report_says_which_file_cannot_be_written(tmp_path: Path) -> None:
    fill(tmp_path / ".cookieguard", days=2, now=datetime.now(UTC))

    done = report(tmp_path, "--out", "nowhere/report.html")

    assert done.returncode == 3
    assert "--out" in done.stderr
