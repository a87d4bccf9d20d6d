"""On a full disk every page is still served, and all that could not be written is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from harness.asgi import ask, scope_of
from harness.disks import filled, small_disk
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cookieguard import CookieGuard, visitor_of
from cookieguard.config import StatsSettings
from cookieguard.config.store import StoreSettings

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
BEFORE, DURING, AFTER = 20, 400, 20


async def shop(scope: Any, receive: Any, send: Any) -> None:
    """Use every part that writes."""
    visitor = visitor_of(Request(scope))
    visitor.cart["mug"] = int(visitor.cart.get("mug", 0)) + 1
    visitor.goal("put into the cart")
    visitor.risk("abuse")
    await HTMLResponse("<!doctype html><p>Hello")(scope, receive, send)


def visit(app: CookieGuard, count: int) -> None:
    for number in range(count):
        headers = [("user-agent", FIREFOX), ("accept", "text/html")]
        answer = ask(app, scope_of(f"/{number}", headers=headers))
        assert (answer.status, answer.cookies().keys()) == (200, {"__Host-cg_session", "__Host-cg_cart"})
        assert "<p>Hello" in answer.text


def test_every_page_is_served_and_every_hit_and_line_is_kept_or_counted(
    guard: Callable[..., CookieGuard], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", size="3m") as place:
        # Without the store, whose cart changes wait for it: it has a test of its own.
        options: dict[str, Any] = {
            "stats": StatsSettings(pages="path"),
            "store": StoreSettings(enabled=False),
        }
        app = guard(shop, state_dir=str(place / "state"), **options)
        visit(app, BEFORE)
        app.close()
        with filled(place):
            visit(app, DURING)
            app.close()
        visit(app, AFTER)
        app.close()

        parts, sent = app._parts, BEFORE + DURING + AFTER
        assert parts.counting is not None
        assert parts.recorder is not None
        hits, told = kept(place / "state" / "stats.db")
        lines = sum(log.read_bytes().count(b"\n") for log in (place / "state" / "logs").iterdir())
        print(f"{hits} hits kept, lost {told}; {lines} lines kept, lost {dict(parts.recorder.dropped)}")
        assert hits + sum(told.values()) == 2 * sent  # a view and a goal each
        assert told == dict(parts.counting.sink.lost)
        assert lines + sum(parts.recorder.dropped.values()) == sent
        assert (min(hits, lines), sum(told.values()) > 0) >= (BEFORE + AFTER, True)


def kept(file: Path) -> tuple[int, dict[str, int]]:
    """Return how many hits there are, and what figures say was lost."""
    with closing(sqlite3.connect(file)) as database:
        ((hits,),) = database.execute("SELECT count(*) FROM hit")
        return hits, dict(database.execute("SELECT reason, sum(count) FROM lost GROUP BY reason"))
