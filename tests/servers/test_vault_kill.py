"""If a server is killed while it seals, each event opens with the private key or is lost whole."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPException
from ipaddress import IPv4Address
from itertools import cycle
from pathlib import Path

import pytest
from harness.servers import spawned, wait_until

from cookieguard.features.vault.sealed_events import make_keys, private_key, read_events
from cookieguard.features.vault.vault_records import open_box
from cookieguard.storage.state_directory import StateDirectory
from servers.clients import ask
from servers.shop import STATE
from servers.traces import Written, check_nothing_found

CLIENTS = [IPv4Address(f"127.71.{n}.{n + 9}") for n in range(1, 121)]
CONTROLS = [IPv4Address(f"127.72.{n}.{n + 9}") for n in range(1, 121)]
THREADS = 4
SECRET = "detail-that-is-sealed"


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_server_leaves_whole_events_and_nothing_in_the_clear(tmp_path: Path, kills: int) -> None:
    state, private = StateDirectory(tmp_path / STATE), StateDirectory(tmp_path / "private")
    today = datetime.now(UTC).date()
    make_keys(state, private, today=today, days=2)
    file = state.path / "vault" / f"{today}.jsonl"
    answered = 0

    for number in range(kills):
        log = tmp_path / f"server-{number}.log"
        with spawned(
            "servers.shop:make_app", "--factory", "--no-access-log", cwd=tmp_path, log_file=log
        ) as server:
            before = size_of(file)
            with ThreadPoolExecutor(THREADS) as pool:
                counts = [pool.submit(report, server.port, CLIENTS[n::THREADS]) for n in range(THREADS)]
                wait_until(lambda size=before: size_of(file) > size, "some are written")
                os.kill(server.process.pid, signal.SIGKILL)
                answered += sum(count.result() for count in counts)

    key = private_key(private, today)
    assert key is not None
    events = read_events(state, today)
    opened = [open_box(event, key) for event in events]
    assert len({event["id"] for event in events}) == len(events)
    assert len(file.read_bytes().splitlines()) <= len(events) + kills  # a kill cuts the line being written
    assert {one["detail"] for one in opened} == {SECRET}
    assert {one["address"] for one in opened} <= {str(client) for client in CLIENTS}
    check_nothing_found(Written(state.path), CLIENTS, CONTROLS)
    written = b"".join(path.read_bytes() for path in state.path.rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    assert 0 < len(events) <= answered + kills * THREADS
    print(f"{len(events)} of {answered} events are readable after {kills} kills")


def report(port: int, clients: list[IPv4Address]) -> int:
    """Report one risk after another until the server is gone, and return how many were answered."""
    answered = 0
    with suppress(OSError, HTTPException):
        for client in cycle(clients):
            reply = ask(port, f"/risk?detail={SECRET}", method="POST", source=str(client))
            answered += reply.status == 200
    return answered


def size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
