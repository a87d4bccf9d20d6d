"""The demo's made-up visitors are written once, and staff open the figures with the tokens that the demo prints."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from harness.asgi import ask

from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.stats.hits import Dimension
from demo_site import shop
from demo_site.__main__ import FILLED_DAYS
from demo_site.settings import guard_config
from demo_site.staff import demo_tokens
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
    rows = figures.breakdown(Days(TODAY - 3, TODAY), Dimension.GOAL)
    goals = {one.value.partition(": ")[0] for one in rows}  # what an order was worth follows, in steps
    assert goals == {"put into the cart", "order placed", "newsletter"}
    assert fill(tmp_path / "state", days=4, now=NOW) == 0


def test_demo_has_two_whole_months_before_this_one_on_any_date() -> None:
    days = (date(2024, 1, 1) + timedelta(days=number) for number in range(4 * 366))

    for today in days:
        last_month = today.replace(day=1) - timedelta(days=1)
        month_before = last_month.replace(day=1) - timedelta(days=1)
        assert today - timedelta(days=FILLED_DAYS - 1) <= month_before.replace(day=1), today


def test_tokens_of_the_demo_open_dashboard_queue_and_what_is_due(tmp_path: Path) -> None:
    state = tmp_path / "state"
    fill(state, days=2, now=NOW)
    config = guard_config(ads_origin=ADS, state_dir=state)
    app = shop.create_app(ads_origin=ADS, database=tmp_path / "shop.db", guard=config, clock=lambda: NOW)

    old, tokens = (demo_tokens(state, now=NOW) for _ in range(2))

    asked = [
        ("stats", tokens["analyst"]),
        ("stats", old["analyst"]),
        ("requests", tokens["support"]),
        ("due", tokens["analyst"]),
        ("due", tokens["support"]),
        ("due", tokens["owner"]),
    ]
    answers = [
        ask(app, path=f"/_cg/{page}", host="shop.localhost", headers=[("authorization", f"Bearer {one}")])
        for page, one in asked
    ]
    app.close()
    assert [answer.status for answer in answers] == [200, 403, 200, 403, 200, 200]
    assert "search.example" in answers[0].text
