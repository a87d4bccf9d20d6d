"""A staff token that is revoked by command stops working on both running workers."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.commands import Shop
from harness.servers import Process, spawned

from servers.clients import ask
from servers.shop import STATE

PROMISED, ALLOWED = 5, 20  # seconds; the machine of the test may be busy
SECONDS = 120


def test_revoked_token_is_over_in_every_worker_within_seconds(tmp_path: Path) -> None:
    (tmp_path / "cookieguard.toml").write_text(f'state_dir = "{STATE}"\n')
    desk = Shop(tmp_path)
    arguments = ("--factory", "--workers", "2", "--no-access-log")
    with spawned(
        "servers.shop:make_app",
        *arguments,
        env={"SHOP_RACERS": "2"},
        cwd=tmp_path,
        log_file=tmp_path / "server.log",
    ) as server:
        tokens = {
            name: json.loads(desk.run("staff", "add", name, "--role", "analyst", "--json").stdout)["token"]
            for name in ("Anna", "Bert")
        }
        assert until(server, tokens["Anna"], "Anna", is_known=True) < SECONDS

        assert desk.run("staff", "revoke", "Anna").returncode == 0
        took = until(server, tokens["Anna"], "Anna", is_known=False)

        assert took < ALLOWED
        assert until(server, tokens["Bert"], "Bert", is_known=True) < SECONDS
    print(f"both workers obeyed after {took:.1f} s; promised are {PROMISED} s")


def until(server: Process, token: str, name: str, *, is_known: bool) -> float:
    """Return after how many seconds every worker's last answer was that it knows the member, or does not."""
    started, last = time.monotonic(), dict.fromkeys(server.workers, not is_known)
    with ThreadPoolExecutor(8) as pool:
        while set(last.values()) != {is_known}:
            assert time.monotonic() - started < SECONDS, last
            headers = {"Authorization": f"Bearer {token}"}
            asked = [pool.submit(ask, server.port, "/_cg/staff", headers=headers) for _ in range(8)]
            for reply in (one.result() for one in asked):
                last[reply.pid] = name in reply.text
    return time.monotonic() - started
