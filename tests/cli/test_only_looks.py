"""Commands that only read leave no file in an empty folder, and refuse tables of a newer release."""

from __future__ import annotations

import io
import sqlite3
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.asgi import ask, page
from harness.policies import put_version

from cookieguard import CookieGuard
from cookieguard.cli.app import run

FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
ID = "A" * 22
NEWER = 99
LOOKS = (
    "access list",
    "check",
    "doctor",
    "explain https://ads.example/a.js",
    "export --out out",
    "keys list",
    "letter --preview",
    "log checkpoint",
    "log export",
    f"log show {ID}",
    "log verify",
    "note",
    "policy diff 2026-01-01",
    "policy status",
    "processing",
    f"receipt show {ID}",
    "report --out out",
    "requests list",
    f"requests show {ID}",
    "reveal --day 2026-12-01",
    "staff journal",
    "staff list",
)
IN_LOG = ("doctor", "log verify", "log checkpoint", "log export", f"log show {ID}", f"receipt show {ID}")
IN_STORE = ("doctor", "access list", "policy status", "policy announce NEXT", "work", "retention run")
REFUSED = {
    "store.db": IN_STORE,
    "log.db": (*IN_LOG, "log erase customer:1", "log prune", "retention run", "policy announce NEXT"),
    "subjects.db": (*IN_LOG, "log erase customer:1", "log prune", "retention run"),
    "store-outbox.db": ("doctor", "policy status", "policy send", "policy announce NEXT", "work"),
    "store-requests.db": ("doctor", "requests list", "requests list --all", "work", "work --again"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration and a policy, in which no shop was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "cookieguard.toml").write_text(
        'origins = ["https://shop.example"]\n[policy]\nfolder = "policy"\n'
        '[mail]\nurl = "smtp://127.0.0.1:9"\nsender = "privacy@shop.example"\n'
        'customers = "demo_site.shop.customers:active"\n'
    )
    put_version(tmp_path / "policy", "2026-01-01")
    return tmp_path


def said(command: str) -> tuple[int, str]:
    """Run a command; return its exit code and all it printed."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = int(run(command.split()))
    return code, out.getvalue()


@pytest.mark.parametrize("command", LOOKS)
def test_a_command_that_only_looks_leaves_an_empty_folder_empty(folder: Path, command: str) -> None:
    before = sorted(folder.rglob("*"))

    code, _ = said(command)

    assert code in (0, 1, 3)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("name", REFUSED)
def test_each_command_refuses_tables_of_a_newer_release_in_one_line(folder: Path, name: str) -> None:
    today = datetime.now(UTC).date()
    next_ = str(today + timedelta(days=20))
    put_version(folder / "policy", next_, announced=str(today), effective=next_)
    guard = CookieGuard(page(b"<title>a</title>"), "cookieguard.toml")
    ask(guard, path="/_cg/consent", method="POST", headers=FORM, body=b"choice=reject")
    guard.close()
    for command in ("policy status", "requests list"):  # with the files of outbox and queue
        assert said(command)[0] == 0
    with closing(sqlite3.connect(folder / ".cookieguard" / name)) as file:
        file.execute(f"PRAGMA user_version = {NEWER}")

    for command in REFUSED[name]:
        code, text = said(command.replace("NEXT", next_))
        (line, *others) = [line for line in text.splitlines() if f"schema {NEWER}" in line]
        assert code != 0, command
        assert "run the release that wrote them" in line, command
        assert command.startswith(("doctor", "retention")) or (others, text.strip()) == ([], line), command
        assert "cookieguard: its tables" not in line, command  # whose, the line must say
