"""Notes of the staff on the figures are made by form or command, and appear on the chart, in files and in mail."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cli.test_report import report
from features.statistics.test_sheets import sheet
from features.statistics.test_stats_page import EVIL, NOW, Office, office, people
from harness.asgi import Answer, ask

from cookieguard.features.statistics.dashboard.overview import read_overview
from cookieguard.features.statistics.dashboard.report_text import report_lines
from cookieguard.features.statistics.dashboard.selection import RANGES, Selection
from cookieguard.features.statistics.engines.sqlite.engine import SqliteStats
from cookieguard.features.statistics.notes import (
    MAX_TEXT,
    MOST_NOTES,
    NOTES_FILE,
    change_notes,
    new_note,
    read_notes,
    with_note,
)
from demo_site.traffic import fill

__all__ = ["office"]

OURS = ("sec-fetch-site", "same-origin")


def post(
    office: Office, *, token: str | None = None, origin: tuple[str, str] = OURS, **fields: str
) -> Answer:
    bearer = f"Bearer {office.token if token is None else token}"
    headers = [("authorization", bearer), origin, ("content-type", "application/x-www-form-urlencoded")]
    body = urlencode(fields).encode()
    return ask(office.app, path="/_cg/stats", method="POST", headers=headers, body=body)


def notes(text: str) -> list[tuple[str, str]]:
    line = r'<time datetime="([^"]*)">[^<]*</time><bdi>(.*?)</bdi> <small><bdi>Anna</bdi>'
    return re.findall(line, text)


def test_a_note_is_drawn_on_its_day_and_can_be_removed(office: Office) -> None:
    office.write([*people(30), *people(30, days_ago=4)])

    answer = post(office, day="2026-11-20", text="Winter campaign", selection="?range=7")

    assert (answer.status, answer.get("location")) == (303, "/_cg/stats?tab=summary&range=7")
    text = office.get("range=7").text
    assert notes(text) == [("2026-11-20", "Winter campaign")]
    assert re.findall(r"<title>([^<]*; [^<]*)</title>", text) == [
        "20 Nov: 60 views, 30 visitors; 20 Nov: Winter campaign"
    ]
    assert text.count('<line class="n"') == 1
    assert notes(office.get("range=today").text) == []  # of another day
    (note,) = read_notes(office.state)
    assert post(office, remove=note.id).status == 303
    assert notes(office.get("range=7").text) == []


def test_a_note_moves_no_figure(office: Office) -> None:
    office.write([*people(30), *people(30, days_ago=4, country="FR")])
    before = sheet(office, "range=7&table=Totals"), sheet(office, "range=7&table=Countries")

    post(office, day="2026-11-20", text="Winter campaign")

    assert (sheet(office, "range=7&table=Totals"), sheet(office, "range=7&table=Countries")) == before
    course = {one["From"]: one["Notes"] for one in sheet(office, "range=7&table=Course")}
    assert {day: note for day, note in course.items() if note} == {"2026-11-20": "20 Nov: Winter campaign"}


def test_a_note_is_text(office: Office) -> None:
    office.write([*people(30), *people(30, days_ago=4)])

    post(office, day="2026-11-20", text=EVIL)

    assert "<script" not in office.get("range=7").text
    assert "&lt;script&gt;" in office.get("range=7").text


@pytest.mark.parametrize(
    "fields",
    [
        {"day": "2026-11-20", "text": ""},
        {"day": "2026-11-20", "text": " "},
        {"day": "2026-11-20", "text": "x" * (MAX_TEXT + 1)},
        {"day": "2026-11-20", "text": "two\nlines"},
        {"day": "2026-13-20", "text": "deploy"},
        {"day": "20261120", "text": "deploy"},
        {"text": "deploy"},
        {"day": "2026-11-20", "text": "deploy", "selection": "?range=31"},
    ],
)
def test_what_is_no_note_is_refused(office: Office, fields: dict[str, str]) -> None:
    office.write(people(30))

    answer = post(office, **fields)

    assert answer.status == 400
    assert not read_notes(office.state)


@pytest.mark.parametrize("origin", [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")])
def test_another_site_makes_no_note(office: Office, origin: tuple[str, str]) -> None:
    assert post(office, origin=origin, day="2026-11-20", text="deploy").status == 403
    assert post(office, token="", day="2026-11-20", text="deploy").status == 403
    assert not read_notes(office.state)
    assert post(office, day="2026-11-20", text="deploy").status == 303  # the control


def test_a_file_that_is_none_takes_no_figure_away(office: Office) -> None:
    office.write(people(30))
    path = office.state / NOTES_FILE
    path.write_text('[{"id": 1}]')
    path.chmod(0o600)

    answer = office.get()

    assert answer.status == 200
    assert "Views" in answer.text
    assert "the file of notes is not readable" in answer.text


def test_the_oldest_goes_where_there_are_many() -> None:
    found = [new_note("2026-11-20", f"deploy {at}", "x") for at in range(MOST_NOTES)]

    after = with_note(found, new_note("2026-11-21", "last", "x"))

    assert len(after) == MOST_NOTES
    assert after[-1].text == "last"


def test_a_release_notes_itself_and_is_in_the_mail(tmp_path: Path) -> None:
    fill(tmp_path / ".cookieguard", days=9, now=NOW)
    change_notes(
        tmp_path / ".cookieguard", lambda before: with_note(before, new_note(f"{NOW:%Y-%m-%d}", "x", "y"))
    )

    made = command(tmp_path, "deploy 1.4")
    listed = command(tmp_path)
    wrong = command(tmp_path, "--remove", "none")
    gone = command(tmp_path, "--remove", made.stdout.splitlines()[-1].split()[0])

    assert "deploy 1.4 (command line)" in made.stdout
    assert listed.stdout == made.stdout
    assert (wrong.returncode, wrong.stderr.count("\n")) == (3, 1)
    assert "deploy" not in gone.stdout


def test_a_note_made_in_another_folder_than_the_shops_is_refused(tmp_path: Path) -> None:
    done = command(tmp_path, "deploy 1.4")

    assert done.returncode == 3
    assert f"state_dir is {tmp_path}/.cookieguard (no such directory)" in done.stderr
    assert list(tmp_path.iterdir()) == []


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return report(directory, *arguments, command="note")


def test_the_mail_has_the_notes_of_its_days(office: Office) -> None:
    office.write([*people(30), *people(30, days_ago=4)])
    marks = [new_note(day, "deploy", "Anna") for day in ("2026-11-20", "2026-10-01")]

    overview = read_overview(
        SqliteStats("", office.state).reader(),
        Selection("summary", RANGES["7"], {}),
        now=NOW,
        hit_days=30,
        marks=marks,
    )

    assert [line for line in report_lines(overview, shop="", made="") if "deploy" in line] == [
        "  2026-11-20  deploy (Anna)"
    ]
