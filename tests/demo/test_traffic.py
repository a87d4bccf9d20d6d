"""The demo's made-up visitors: written once, and open to the analyst whose token the demo prints."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.asgi import ask

from cookieguard.engines.stats.protocol import Days
from cookieguard.engines.stats.sqlite.reader import SqliteFigures
from cookieguard.stats.hits import Dimension
from demo_site import shop
from demo_site.analyst import demo_token
from demo_site.settings import guard_config
from demo_site.traffic import fill

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
TODAY = int(NOW.timestamp()) // 86_400
ADS = "http://ads.localhost:8001"


def test_traffic_fills_every_day_once(tmp_path: Path) -> None:
    written = fill(tmp_path / "state", days=4, now=NOW)

    figures = SqliteFigures(tmp_path / "state" / "stats.db")
    assert figures.span() == Days(TODAY - 3, TODAY)
    assert written > 1000
    assert min(day.visitors for day in figures.by_day(Days(TODAY - 3, TODAY))) > 20
    assert {one.value for one in figures.breakdown(Days(TODAY - 3, TODAY), Dimension.SOURCE)} >= {
        "(direct)",
        "newsletter",
    }
    goals = {one.value for one in figures.breakdown(Days(TODAY - 3, TODAY), Dimension.GOAL)}
    assert goals == {"put into the cart", "order placed", "newsletter"}
    assert fill(tmp_path / "state", days=4, now=NOW) == 0


def test_token_of_the_demo_opens_the_dashboard(tmp_path: Path) -> None:
    state = tmp_path / "state"
    fill(state, days=2, now=NOW)
    config = guard_config(ads_origin=ADS, state_dir=state)
    app = shop.create_app(ads_origin=ADS, database=tmp_path / "shop.db", guard=config, clock=lambda: NOW)

    old, token = (demo_token(state, now=NOW) for _ in range(2))

    answers = [
        ask(app, path="/_cg/stats", host="shop.localhost", headers=[("authorization", f"Bearer {one}")])
        for one in (token, old)
    ]
    app.close()
    assert [answer.status for answer in answers] == [200, 403]
    assert "search.example" in answers[0].text
