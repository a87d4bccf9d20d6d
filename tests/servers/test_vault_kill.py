"""A server killed while it seals: each event is readable with the private key or lost whole, never in the clear."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from harness.servers import spawned, wait_until

from cookieguard.engines.files import StateDirectory
from cookieguard.engines.vault import make_keys, private_key, read_events
from cookieguard.stats.vault import open_box
from servers.clients import ask
from servers.shop import STATE
from servers.traces import Written, check_nothing_found

CLIENTS = [IPv4Address(f"127.71.{n}.{n + 9}") for n in range(1, 121)]
CONTROLS = [IPv4Address(f"127.72.{n}.{n + 9}") for n in range(1, 121)]
SECRET = "detail-that-is-sealed"


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_server_leaves_whole_events_and_nothing_in_the_clear(tmp_path: Path, kills: int) -> None:
    state, private = StateDirectory(tmp_path / STATE), StateDirectory(tmp_path / "private")
    today = datetime.now(UTC).date()
    make_keys(state, private, today=today, days=2)
    file = state.path / "vault" / f"{today}.jsonl"
    rest = iter(CLIENTS)

    for number in range(kills):
        log = tmp_path / f"server-{number}.log"
        with spawned(
            "servers.shop:make_app", "--factory", "--no-access-log", cwd=tmp_path, log_file=log
        ) as server:
            before = file.stat().st_size if file.exists() else 0
            with ThreadPoolExecutor(4) as pool:
                sent = [
                    pool.submit(report, server.port, client) for client in some(rest, len(CLIENTS) // kills)
                ]
                wait_until(
                    lambda size=before: file.exists() and file.stat().st_size > size, "some are written"
                )
                os.kill(server.process.pid, signal.SIGKILL)
                answered = sum(one.result() for one in sent)
        assert answered > 0

    key = private_key(private, today)
    assert key is not None
    events = read_events(state, today)
    opened = [open_box(event, key) for event in events]
    assert len(file.read_bytes().splitlines()) == len(events) > 0
    assert {one["detail"] for one in opened} == {SECRET}
    assert {one["address"] for one in opened} <= {str(client) for client in CLIENTS}
    check_nothing_found(Written(state.path), CLIENTS, CONTROLS)
    written = b"".join(path.read_bytes() for path in state.path.rglob("*") if path.is_file())
    assert SECRET.encode() not in written
    print(f"{len(events)} of {answered} events are readable after {kills} kills")


def report(port: int, client: IPv4Address) -> bool:
    with suppress(OSError):
        return ask(port, f"/risk?detail={SECRET}", method="POST", source=str(client)).status == 200
    return False


def some(rest: Iterator[IPv4Address], count: int) -> list[IPv4Address]:
    return [client for client, _ in zip(rest, range(count), strict=False)]
