"""`cookieguard report` writes one file without external requests, or says in one line why it cannot."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.commands import Shop, run_in

from demo_site.traffic import fill


def report(directory: Path, *arguments: str, command: str = "report") -> subprocess.CompletedProcess[str]:
    return run_in(directory, command, *arguments)


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


@pytest.mark.parametrize(
    ("tab", "told"),
    [
        *(("consent", "Accepted"), ("held", "ads.localhost"), ("bots", "Googlebot")),
        *(("pages", "Bounce rate"), ("goals", "order placed by country"), ("speed", "95 % within")),
    ],
)
def test_a_tab_is_one_file_that_asks_nobody(tmp_path: Path, tab: str, told: str) -> None:
    fill(tmp_path / ".cookieguard", days=8, now=datetime.now(UTC))

    done = report(tmp_path, "--out", "report.html", "--range", "7", "--tab", tab)
    mailed = report(tmp_path, "--preview", "--tab", tab)

    page = (tmp_path / "report.html").read_text()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "wrote report.html")
    assert told in page
    for way_out in ("<script", "<link", "<form", "href=", "src=", "url("):
        assert way_out not in page
    assert (mailed.returncode, mailed.stderr.count("\n")) == (3, 1)


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


def test_report_goes_to_each_once_a_week_as_text(tmp_path: Path) -> None:
    fill(tmp_path / ".cookieguard", days=8, now=datetime.now(UTC))
    shop = Shop(
        tmp_path,
        'origins = ["https://shop.example"]\n[stats]\nreport = ["owner@shop.example"]\n'
        '[mail]\nurl = "{relay}"\nsender = "Shop <privacy@shop.example>"\n',
    )
    relay = shop.relay
    shop.run("keys", "add")

    shown = shop.run("report", "--preview")
    with relay.up():
        sent = [shop.run("report", "--mail"), shop.run("report", "--mail")]

    assert [one.stdout for one in sent] == ["1 of 1 reports sent for this week\n"] * 2
    assert relay.counts == {"owner@shop.example": 1}
    text = relay.messages[0].get_payload(decode=True).decode().replace("\r", "")  # type: ignore[union-attr]
    assert "Visitor-days: " in text
    assert re.search(r"^ +[\d,]+ search\.example$", text, re.MULTILINE)
    assert re.search(r"^ +\d+ order placed, \d+ visitor-days, \d+ % of all visitors$", text, re.MULTILINE)
    assert shown.stdout.splitlines()[0] == " ".join(relay.messages[0]["Subject"].split())


def test_report_without_a_place_to_go_says_what_is_missing(tmp_path: Path) -> None:
    assert "--out" in report(tmp_path).stderr
    Shop(tmp_path).run("keys", "add")
    assert "stats.report" in report(tmp_path, "--mail").stderr


def test_report_that_is_asked_for_a_file_and_a_mail_does_not_leave_one_out_in_silence(tmp_path: Path) -> None:
    done = report(tmp_path, "--out", "report.html", "--mail")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "cookieguard: --out is given with --mail or --preview; allowed: one of them at a time\n"
    )
    assert not (tmp_path / "report.html").exists()


def test_report_says_what_it_is_compared_with(tmp_path: Path) -> None:
    fill(tmp_path / ".cookieguard", days=16, now=datetime.now(UTC))

    before, year = report(tmp_path, "--preview"), report(tmp_path, "--preview", "--beside", "year")
    wrong = report(tmp_path, "--preview", "--beside", "always")

    assert "% against the period before)" in before.stdout
    assert "The year before cannot be shown" in year.stdout
    assert "--beside" in wrong.stderr
