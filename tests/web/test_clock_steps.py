"""If the clock jumps by a day while two workers serve, keys and visitors stay separate, and today's figures stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, scope_of
from harness.parts import part_of
from harness.servers import wait_until
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cookieguard import CookieGuard, visitor_of
from cookieguard.config import StatsSettings
from cookieguard.features.checks import examine
from cookieguard.storage.runtime_directory import runtime_place
from cookieguard.web.parts.guard import Core

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
CLIENTS = ("198.51.100.7", "203.0.113.8", "2001:db8::9")


async def shop(scope: Any, receive: Any, send: Any) -> None:
    session = visitor_of(Request(scope)).session
    session["views"] = int(session.get("views", 0)) + 1
    await HTMLResponse(f"<!doctype html><p>{session['views']}")(scope, receive, send)


class Office:
    """Two workers on one clock, and readers of what they wrote."""

    def __init__(self, guard: Callable[..., CookieGuard], state: Path) -> None:
        self.now = NOON
        stats = StatsSettings(before_consent="hashed")
        self.workers = [guard(shop, clock=lambda: self.now, stats=stats) for _ in range(2)]
        self.state = state
        self.runtime = runtime_place("", state)
        self.key_files: set[bytes] = set()

    def everybody_comes(self) -> dict[str, int]:
        """Have every client visit both workers; return each one's visitor key."""
        keys: dict[str, int] = {}
        for client in CLIENTS:
            known = len(self._rows("SELECT id FROM hit"))
            for worker in self.workers:
                headers = [("user-agent", FIREFOX), ("accept", "text/html")]
                assert ask(worker, scope_of(headers=headers, client=(client, 1))).status == 200
                worker.close()
            # A worker that closes waits 5 s for its writer, which on a busy machine may be longer at its first hit.
            wait_until(lambda: len(self._rows("SELECT id FROM hit")) == known + 2, "both are written")  # noqa: B023
            (key,) = {key for (key,) in self._rows(f"SELECT key FROM hit ORDER BY id LIMIT 9 OFFSET {known}")}
            keys[client] = key
        self.key_files |= {path.read_bytes() for path in self.runtime.glob("visitor-day-*")}
        return keys

    def job(self) -> None:
        """Do what the retention job of a worker does."""
        retention = part_of(self.workers[0], Core).retention
        assert retention is not None
        run = retention.look()
        assert run is not None
        assert run.failed == {}

    def views(self) -> dict[int, int]:
        """Return views by day, from sums; they equal the hits'."""
        sums = dict(self._rows("SELECT hour / 24, sum(views) FROM hourly GROUP BY 1"))
        assert sums == dict(self._rows("SELECT time / 86400, count(*) FROM hit GROUP BY 1"))
        return sums

    def warnings(self) -> dict[str, str]:
        config = self.workers[0]._parts.config
        found = examine(config, environ={}, now=self.now)
        return {one.check: one.found for one in found if not one.is_fine}

    def _rows(self, query: str) -> list[Any]:
        file = self.state / "stats.db"
        if not file.exists():
            return []
        with closing(sqlite3.connect(file)) as database:
            return database.execute(query).fetchall()


@pytest.mark.parametrize("step", [DAY, -DAY], ids=["ahead", "back"])
def test_clock_set_by_a_day_and_set_right_again(
    step: timedelta, guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    office = Office(guard, tmp_path / "state")
    today = int(NOON.timestamp()) // 86_400
    before = office.everybody_comes()
    office.job()

    office.now += step
    during = office.everybody_comes()
    office.job()
    warned_during = office.warnings()
    views_during = office.views()
    office.now -= step
    after = office.everybody_comes()
    office.job()

    each = 2 * len(CLIENTS)
    assert views_during == {today: each, today + step.days: each}
    assert office.views() == {today: 2 * each, today + step.days: each}
    every_key = [*before.values(), *during.values(), *after.values()]
    # Nobody is taken for another, and no day goes on under its old key
    assert len(set(every_key)) == 3 * len(CLIENTS)
    assert len(office.key_files) == 3
    there = {path.read_bytes() for path in office.runtime.glob("visitor-day-*")}
    assert len(there) == 1
    if step > timedelta(0):
        assert "in the future" in office.warnings()["newest hit"]
    else:
        assert "in the future" in warned_during["newest hit"]
        assert "newest hit" not in office.warnings()


def test_sessions_survive_a_clock_that_was_ahead_for_a_while(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    office = Office(guard, tmp_path / "state")
    worker, headers = office.workers[0], [("user-agent", FIREFOX), ("accept", "text/html")]
    first = ask(worker, scope_of(headers=headers))
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in first.cookies().items()))

    texts = []
    for step in (DAY, -DAY):
        office.now += step
        texts.append(ask(worker, scope_of(headers=[*headers, cookie])).text)

    assert ["<p>2" in text for text in texts] == [True, True]
