"""Keys are rotated by command while two workers serve: customers stay logged in, and retired keys stop working."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.servers import ROOT, Process, spawned

from cookieguard.keyring import Keyring, to_text
from cookieguard.storage.keyring_source import beside
from servers.clients import Reply, ask
from servers.shop import STATE

SESSION = "__Host-cg_session"
NOTICED = 5  # seconds, what is promised
SECONDS = 120  # in which both workers must have answered


@pytest.mark.slow  # under load in make test, see test_rotation_under_load.py
def test_session_outlives_add_promote_and_retire_in_every_worker(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    arguments = ("--factory", "--workers", "2", "--no-access-log")
    with spawned(
        "servers.shop:make_app", *arguments, env={"SHOP_RACERS": "2"}, cwd=tmp_path, log_file=log
    ) as server:
        visitor = ask(server.port, "/keep?name=anna", method="POST").cookies
        idle = ask(server.port, "/keep?name=idle", method="POST").cookies
        old = key_of(visitor)

        new = run(tmp_path, "add")["key"]["id"]
        assert run(tmp_path, "promote", new, fails=True)["exit_code"] == 4
        time.sleep(NOTICED)
        assert {key_of(one.cookies) for one in keep_in_both(server)} == {old}

        make_older(tmp_path, new, minutes=11)
        run(tmp_path, "promote", new)
        assert names(in_both(server, visitor)) == {"anna"}
        assert names(in_both(server, idle)) == {"idle"}
        time.sleep(NOTICED)
        assert {key_of(one.cookies) for one in keep_in_both(server)} == {new}
        renewed = next(one.cookies for one in in_both(server, visitor) if SESSION in one.cookies)
        assert key_of(renewed) == new
        visitor |= renewed

        assert run(tmp_path, "retire", old, fails=True)["exit_code"] == 4
        make_older(tmp_path, old, minutes=181 * 24 * 60)
        run(tmp_path, "retire", old)
        time.sleep(NOTICED)
        assert names(in_both(server, visitor)) == {"anna"}
        assert names(in_both(server, idle)) == {None}
        assert server.process.poll() is None

    written = (tmp_path / "shop.log").read_text()
    assert "session cookie refused (signed with an unknown key): it counts as empty" in written
    assert "forged" not in written
    print(f"both workers of {server.workers} went from {old} to {new}")


def run(directory: Path, *arguments: str, fails: bool = False) -> dict[str, object]:
    """Run `cookieguard keys ...` on the shop's keyring and return its JSON."""
    command = [
        sys.executable,
        "-m",
        "cookieguard.cli",
        "keys",
        *arguments,
        "--json",
        "--keyring",
        f"{STATE}-keys/keyring",
    ]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode != 0) is fails, done.stderr
    found: dict[str, object] = json.loads(done.stderr if fails else done.stdout)
    return found


def make_older(directory: Path, key_id: str, *, minutes: int) -> None:
    """Let time pass for one key: put the last of its times back."""
    file = beside(directory / STATE)
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes)
    lines = []
    for line in file.read_text().splitlines():
        fields = line.split()
        if fields and fields[0] == key_id:
            never_signed = fields[2] == fields[4]
            fields[4] = to_text(moment)
            fields[2] = to_text(moment if never_signed else moment - timedelta(hours=1))
        lines.append(" ".join(fields))
    draft = file.with_name("draft")
    draft.touch(mode=0o600)
    draft.write_text("\n".join(lines))
    Keyring.loads(draft.read_text())
    draft.rename(file)


def in_both(server: Process, cookies: dict[str, str]) -> list[Reply]:
    """Ask for the visitor's state until both workers have answered."""
    return both(server, "/state", cookies=cookies)


def keep_in_both(server: Process) -> list[Reply]:
    """Begin sessions until both workers have begun one."""
    return both(server, "/keep?name=other", method="POST")


def both(
    server: Process, path: str, *, method: str = "GET", cookies: dict[str, str] | None = None
) -> list[Reply]:
    replies: list[Reply] = []
    deadline = time.monotonic() + SECONDS
    while {reply.pid for reply in replies} != set(server.workers):
        assert time.monotonic() < deadline, f"only {[reply.pid for reply in replies]} of {server.workers}"
        replies.append(ask(server.port, path, method=method, cookies=cookies))
        assert replies[-1].status == 200
    return replies


def names(replies: list[Reply]) -> set[str | None]:
    """Return whom the workers took the visitor for."""
    return {json.loads(reply.text)["name"] for reply in replies}


def key_of(cookies: dict[str, str]) -> str:
    """Return the id of the key that a session cookie was signed with."""
    return cookies[SESSION].split(".")[1]
