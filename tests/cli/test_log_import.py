"""`cookieguard log import` takes each row of another tool's export once, and names rows without a choice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from harness.postgres import postgres

from cookieguard.cli.app import run
from cookieguard.features.records.upkeep import importing
from cookieguard.storage.keyring_source import beside

COOKIEBOT = """\
Key,Date,URL,Necessary,Preferences,Statistics,Marketing
k1,2026-05-01 10:00:00,https://shop.example/,true,true,false,false
k2,2026-05-01T11:00:00Z,https://shop.example/,true,false,false,false
"""
OSANO = [
    {
        "consentId": "o1",
        "timestamp": 1777629600000,
        "consents": {"ESSENTIAL": "ACCEPT", "ANALYTICS": "ACCEPT", "MARKETING": "DENY"},
    },
    {"consentId": "o2", "timestamp": "2026-05-02T10:00:00Z", "consents": "ANALYTICS=deny;MARKETING=accept"},
]
KLARO = [
    {
        "id": "r1",
        "subject_id": "s1",
        "created_at": "2026-05-01T10:00:00Z",
        "consents": {"Count": True, "ads": False},
    }
]
C15T = {
    "data": [
        {
            "id": "c1",
            "subjectId": "sub1",
            "externalId": "4711",
            "givenAt": "2026-05-01T10:00:00Z",
            "preferences": {"necessary": True, "measurement": True, "marketing": True},
        }
    ]
}


COLUMNS = {
    "cookiebot": "id=Key,time=Date,granted=Consent",
    "osano": "id=consentId,time=timestamp,granted=consents",
    "klaro": "subject=subject_id,time=created_at,granted=consents",
    "c15t": "subject=subjectId,customer=externalId,time=givenAt,granted=preferences",
}


def imported(name: str, source: str, *more: str) -> int:
    return run(["log", "import", name, "--from", source, "--columns", COLUMNS[source], *more])


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a shop with two vendors, and no log yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cookieguard.toml").write_text(
        'origins = ["https://shop.example"]\n'
        '[[vendors]]\nname = "Count"\npurpose = "statistics"\nhosts = ["count.example"]\n'
        '[[vendors]]\nname = "Ads"\npurpose = "marketing"\nhosts = ["ads.example"]\n'
    )
    return tmp_path


def exported(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["log", "export"]) == 0
    return [json.loads(line)["record"] for line in capsys.readouterr().out.splitlines()]


def granted(record: dict[str, Any]) -> list[str]:
    return [
        one["dpv:hasPurpose"]
        for one in record["dpv:hasProcess"]
        if one.get("dpv:hasConsentStatus") == "dpv:ConsentGiven" or "dpv:hasNecessity" in one
    ]


@pytest.mark.parametrize(
    ("source", "name", "content", "subjects", "given"),
    [
        (
            "cookiebot",
            "log.csv",
            COOKIEBOT,
            ["cookiebot:k1", "cookiebot:k2"],
            [["necessary", "preferences"], ["necessary"]],
        ),
        (
            "osano",
            "log.json",
            json.dumps(OSANO),
            ["osano:o1", "osano:o2"],
            [["necessary", "statistics"], ["marketing", "necessary"]],
        ),
        ("klaro", "log.jsonl", json.dumps(KLARO[0]), ["klaro:s1"], [["necessary", "statistics"]]),
        (
            "c15t",
            "log.json",
            json.dumps(C15T),
            ["customer:4711"],
            [["marketing", "necessary", "statistics"]],
        ),
    ],
)
def test_what_other_tools_export_becomes_records_marked_imported(
    capsys: pytest.CaptureFixture[str],
    source: str,
    name: str,
    content: str,
    subjects: list[str],
    given: list[list[str]],
) -> None:
    Path(name).write_text(content)

    assert imported(name, source) == 0
    records = exported(capsys)
    assert [one["dpv:hasDataSubject"]["@id"] for one in records] == subjects
    assert [granted(one) for one in records] == given
    for one in records:
        assert one["cg:event"] == one["cg:topic"] == "import"
        assert one["cg:imported"]["cg:from"] == source
        assert one["dct:created"] == one["dpv:hasConsentStatus"]["dpv:isIndicatedAtTime"]
    assert records[0]["dct:created"] == "2026-05-01T10:00:00.000Z"
    assert run(["log", "verify"]) == 0


def test_lost_keyring_is_not_replaced(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.csv").write_text(COOKIEBOT)
    keyring = beside(shop / ".cookieguard")
    assert imported("log.csv", "cookiebot") == 0
    keyring.rename(shop / "lost")

    assert imported("log.csv", "cookiebot") == 3
    assert "no keyring is in it" in capsys.readouterr().err
    assert not keyring.exists()


def test_a_log_in_a_server_outlives_the_state_directory_and_gets_no_second_keyring(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("log.csv").write_text(COOKIEBOT)
    with postgres() as server:
        monkeypatch.setenv("COOKIEGUARD_PROOF", server.url)
        assert imported("log.csv", "cookiebot") == 0
        for lost in (".cookieguard", ".cookieguard-keys"):
            (shop / lost).rename(shop / f"lost{lost}")
        refused = imported("log.csv", "cookiebot")
        server.stop()
        away = imported("log.csv", "cookiebot")

    said = capsys.readouterr().err
    assert (refused, away) == (3, 3)
    assert "no keyring is in it" in said
    assert "of a log that cannot be opened" in said
    assert not beside(shop / ".cookieguard").exists()


def test_a_dry_run_leaves_no_file(shop: Path) -> None:
    Path("log.csv").write_text(COOKIEBOT)

    assert imported("log.csv", "cookiebot", "--dry-run") == 0
    assert {one.name for one in shop.iterdir()} == {"cookieguard.toml", "log.csv"}


def test_a_row_comes_once_however_often_it_is_imported(capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.csv").write_text(COOKIEBOT)
    assert imported("log.csv", "cookiebot", "--dry-run") == 0
    assert not Path(".cookieguard/log.db").exists()
    assert imported("log.csv", "cookiebot") == 0
    Path("log.csv").write_text(COOKIEBOT + COOKIEBOT.splitlines()[1] + "\nk3,2026-05-03,,1,1,1,1\n")
    capsys.readouterr()

    assert imported("log.csv", "cookiebot", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"imported": 1, "known": 3, "too_old": 0, "bad": []}
    assert len(exported(capsys)) == 3


def test_bad_rows_are_named_by_line_and_the_others_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    bad = (
        "k4,yesterday,,1,1,1,1",
        "k5,2099-01-01,,1,1,1,1",
        "k6,2026-05-01,,1,1,perhaps,1",
        "k7,1,2,3,4,5,6,7,8",
    )
    Path("log.csv").write_text(COOKIEBOT + "\n".join([*bad, "k0,1999-01-01,,1,1,1,1"]))

    assert imported("log.csv", "cookiebot") == 1
    said = capsys.readouterr().out.splitlines()
    assert [one.partition(" has ")[0].partition(" is ")[0].partition(" says ")[0] for one in said[:4]] == [
        "BAD: line 4",
        "BAD: line 5",
        "BAD: line 6",
        "BAD: line 7",
    ]
    assert said[4] == "7 rows: 2 imported, 0 already there, 1 older than proof.keep, 4 bad"
    assert len(exported(capsys)) == 2


def test_columns_and_words_of_an_export_may_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.csv").write_text("\ufeffwer;wann;was;Werbung\na;2026-05-01;besucherzaehlung;ja\n", "utf-8")
    named = ["--columns", "subject=wer,id=wer,time=wann,granted=was"]

    assert run(["log", "import", "log.csv", "--from", "klaro", *named]) == 1
    assert "'besucherzaehlung'" in capsys.readouterr().out
    assert (
        run(["log", "import", "log.csv", "--from", "klaro", *named, "--words", "besucherzaehlung=statistics"])
        == 0
    )
    assert granted(exported(capsys)[0]) == ["necessary", "statistics"]
    assert run(["log", "import", "log.csv", "--from", "klaro", "--columns", "nobody=wer"]) != 0
    assert "--columns" in capsys.readouterr().err
    assert run(["log", "import", "gone.csv", "--from", "klaro"]) not in (0, 1)


@pytest.mark.parametrize("name", ["customer", "browser", "named", "a:b", "", "Klaro!"])
def test_no_tool_may_have_the_name_of_our_own_subjects(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.csv").write_text("id,time,granted\n4711,2026-05-01,statistics\n")

    assert run(["log", "import", "log.csv", "--from", name]) == 3
    assert "--from" in capsys.readouterr().err
    assert run(["log", "import", "log.csv", "--from", "another-tool"]) == 0
    assert [one["dpv:hasDataSubject"]["@id"] for one in exported(capsys)] == ["another-tool:4711"]


def test_a_document_that_is_too_large_to_be_read_as_a_whole_is_refused_with_what_reads_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("log.json").write_text(f"[{GOOD}, {GOOD}]")
    monkeypatch.setattr(importing, "LONGEST_DOCUMENT", 150)

    assert imported("log.json", "c15t") == 3
    assert "JSON lines of any length" in capsys.readouterr().err
    Path("log.jsonl").write_text(f"{GOOD}\n{GOOD}\n")
    assert imported("log.jsonl", "c15t") == 0


@pytest.mark.parametrize("text", ["[{]", '{"a": 1}\n{"a":', "\ud800", "a,b\n1", "[1, null, {}]", ""])
def test_import_of_any_file_ends_without_a_traceback(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("log.json").write_bytes(text.encode("utf-8", "surrogatepass"))

    assert imported("log.json", "c15t") in (0, 1, 3)
    assert "Traceback" not in capsys.readouterr().err


GOOD = '{"id": "a", "subjectId": "s", "givenAt": "2026-05-01", "preferences": {"marketing": true}}'


@pytest.mark.parametrize(
    "cell",
    [
        '"' + "[" * 100_000 + '"',
        "a" * 20_000,
        "a" * 200_000,
        f"{'a' * 2000}{' ' * 1900}",
        f'"{{x:{{{"}" * 99}"',
    ],
    ids=["nested", "one word", "longer than a field may be", "words and blanks", "braces"],
)
def test_a_cell_of_anything_costs_its_own_row_and_no_time(
    cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("log.csv").write_text(f"Key,Date,Consent\nk1,2026-05-01,{cell}\nk2,2026-05-01,statistics\n")
    before = time.process_time()

    assert imported("log.csv", "cookiebot") == 1
    assert time.process_time() - before < 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 rows: 1 imported, 0 already there")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1960-01-01"])
def test_a_time_that_no_record_can_have_is_a_bad_row_where_all_is_kept_too(
    moment: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "cookieguard.toml").open("a") as file:
        file.write('[[proof.keep]]\nkind = "consent"\ndays = 0\n')
    Path("log.csv").write_text(f"Key,Date,Consent\nk1,{moment},statistics\nk2,2026-05-01,statistics\n")

    assert imported("log.csv", "cookiebot") == 1
    assert capsys.readouterr().out.startswith(f"BAD: line 2 has the time '{moment}'")
    assert len(exported(capsys)) == 1


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        (GOOD.replace('"s"', '"s\u2028"') + "\n" + GOOD.replace('"a"', '"b"'), []),
        (GOOD + "\n{no\n" + GOOD.replace('"a"', '"b"'), ["line 2"]),
        (
            f'{{"total": 2, "more": [1], "data": [{GOOD}, {GOOD.replace(chr(97), "b", 1)}, 7], "next": null}}',
            ["entry 3"],
        ),
        (GOOD.replace("true}", 'true}, "consents": ["x"]'), []),
        (f"[{GOOD}, {GOOD.replace('2026-05-01', '9' * 5000)}]", ["entry 2"]),
    ],
    ids=[
        "line separator",
        "bad line",
        "object with a list",
        "list of its own",
        "digits",
    ],
)
def test_json_is_read_row_by_row_in_each_form(
    text: str, bad: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("log.json").write_text(text, "utf-8")

    assert imported("log.json", "c15t", "--json") == (1 if bad else 0)
    said = json.loads(capsys.readouterr().out)
    assert [one["where"] for one in said["bad"]] == bad
    assert said["imported"] == text.count("subjectId") - ("9" * 5000 in text)


def test_other_fields_of_cookiebots_cookie_are_not_taken_for_purposes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = "{stamp:'aGVsbG8=',necessary:true,statistics:true,marketing:false,method:'explicit',ver:1,region:'de'}"
    Path("log.csv").write_text(f'Key,Date,Consent\nk1,2026-05-01,"{state}"\n')

    assert imported("log.csv", "cookiebot") == 0
    assert granted(exported(capsys)[0]) == ["necessary", "statistics"]


@pytest.mark.parametrize("head", ["", "Key,Date,Consent\n"], ids=["lines", "csv"])
def test_a_file_is_read_as_it_is_used_however_large_it_is(head: str, tmp_path: Path) -> None:
    row = "k1,2026-05-01,statistics\n" if head.startswith("Key") else GOOD + "\n"
    (tmp_path / "large").write_text(head + row * (6_000_000 // len(row)))

    rows = importing.rows_of_file(tmp_path / "large")
    tracemalloc.start()
    try:
        count = sum(1 for _ in islice(rows, 5_000))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 5_000
    assert most < 2_000_000


def test_import_of_an_all_bad_file_names_the_first_rows_and_counts_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("log.csv").write_text("Key,Date,Consent\n" + "k1,never,\n" * 10_050)

    assert imported("log.csv", "cookiebot", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (len(said["bad"]), said["more_bad"]) == (10_000, 50)


@pytest.mark.slow
def test_an_import_that_is_killed_is_done_to_the_end_by_the_next(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"k{number},2026-05-01,,1,1,1,{number % 2}\n" for number in range(2500)]
    Path("log.csv").write_text("".join([COOKIEBOT.splitlines(keepends=True)[0], *rows]))
    asked = ["log", "import", "log.csv", "--from", "cookiebot", "--columns", COLUMNS["cookiebot"]]
    command = [sys.executable, "-m", "cookieguard.cli", *asked]
    log = shop / ".cookieguard" / "log.db-wal"
    for size in (1, 300_000):
        process = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (log.exists() and log.stat().st_size > size):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert imported("log.csv", "cookiebot") == 0
    assert len(exported(capsys)) == 2500
    assert run(["log", "verify"]) == 0
