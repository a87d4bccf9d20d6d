"""A store that hangs delays the requests that need it by 2 s, and no others."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.postgres import postgres
from harness.servers import Process, spawned, wait_until
from harness.stats_engines import new_database

from servers.clients import Reply, ask

LOGINS = 100  # Starlette has 40 threads
SHOWN = 20


@pytest.mark.slow
def test_a_hundred_logins_before_a_hanging_store_hold_up_no_plain_function(tmp_path: Path) -> None:
    with postgres() as server:
        env = {"COOKIEGUARD_STORE": new_database(server)}
        log_file = tmp_path / "server.log"
        arguments = ("--factory", "--no-access-log")
        with (
            spawned("servers.shop:make_app", *arguments, env=env, cwd=tmp_path, log_file=log_file) as shop,
            ThreadPoolExecutor(LOGINS) as pool,
        ):
            assert ask(shop.port, "/keep?name=ada", method="POST").status == 200
            with_a_store = logins_sent(shop, pool)
            before = slowest(shop)
            assert {one.result().status for one in with_a_store} == {200}
            with server.hanging():
                logins = logins_sent(shop, pool)
                time.sleep(0.5)  # all of them wait by now
                waiting = sum(not one.done() for one in logins)
                during = slowest(shop)
                statuses = {one.result().status for one in logins}
            wait_until(lambda: ask(shop.port, "/plain").status == 200, "it goes on")

    print(f"slowest of {SHOWN} beside as many logins {before:.3f} s, while {waiting} waited {during:.3f} s")
    assert waiting > LOGINS / 2
    assert statuses == {200}
    assert during < before + 0.7  # whoever waits for the store waits 2 s


def logins_sent(shop: Process, pool: ThreadPoolExecutor) -> list[Future[Reply]]:
    """Send all logins at once."""
    return [pool.submit(ask, shop.port, "/keep?name=kim", method="POST") for _ in range(LOGINS)]


def slowest(shop: Process) -> float:
    """Return how long the slowest of some plain functions took."""
    return max(_seconds(shop) for _ in range(SHOWN))


def _seconds(shop: Process) -> float:
    start = time.monotonic()
    assert ask(shop.port, "/plain").text == "plain"
    return time.monotonic() - start
