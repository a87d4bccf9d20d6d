"""A shop's folder in which tests run `cookieguard` commands as its owner does."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from cookieguard.cli.app import run
from demo_site.shop.database import SCHEMA
from harness.relays import new_relay


def run_in(directory: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in this process, because starting another one takes most of a test's time."""
    out, err = StringIO(), StringIO()
    with (
        chdir(directory),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "stdin", StringIO(stdin))
        code = int(run(arguments))
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


class Shop:
    """Run commands in a folder; `{relay}` in its configuration becomes the address of the shop's mail relay."""

    def __init__(self, directory: Path, config: str = "") -> None:
        self.directory = directory
        self.state = directory / ".cookieguard"
        self.relay = new_relay()
        if config:
            (directory / "cookieguard.toml").write_text(config.replace("{relay}", self.relay.url))

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command; return its exit code and all it wrote."""
        return run_in(self.directory, *arguments, stdin=stdin)

    def ask(self, *arguments: str, **options: Any) -> Any:
        """Run a command that must succeed, and return its JSON."""
        done = self.run(*arguments, "--json", **options)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def refuse(self, *arguments: str, code: int = 4, **options: Any) -> str:
        """Run a command that must fail with this exit code, and return its one line."""
        done = self.run(*arguments, **options)
        assert (done.returncode, done.stdout) == (code, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("cookieguard: ")
        return line


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Give the shop that `pytest.mark.shop` describes with the parameters of `_make`; an empty folder without it."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # commands that import an app add the folder
    modules = set(sys.modules)
    mark = request.node.get_closest_marker("shop")
    yield _make(tmp_path, monkeypatch, **(mark.kwargs if mark else {}))
    for name in {path.stem for path in tmp_path.glob("*.py")} - modules:
        sys.modules.pop(name, None)


def _make(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    config: str = "",
    files: Mapping[str, str] = {},
    customers: int = 0,
    has_keys: bool = False,
    kind: type[Shop] = Shop,
) -> Shop:
    for name, text in files.items():
        (directory / name).write_text(text)
    if customers:
        monkeypatch.setenv("DEMO_DATABASE", str(directory / "shop.sqlite3"))
        with closing(sqlite3.connect(directory / "shop.sqlite3")) as database, database:
            database.executescript(SCHEMA)
            rows = [
                (f"{at:05}", "Anna", f"c{at}@mail.example", "", "", "", "", "") for at in range(customers)
            ]
            database.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    if files:
        monkeypatch.syspath_prepend(str(directory))
    made = kind(directory, config)
    assert not has_keys or made.run("keys", "add").returncode == 0
    return made
