"""Statistics of real browsers: three visitors who agree and see nine pages count as nine views and three visits."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import serving

from cookieguard import Config, CookieGuard
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.stats.hits import Dimension

from .conftest import Visitors, answer
from .tiny import TinyShop, page

PATHS = ("/", "/mugs", "/teapots")
LINKS = "".join(f'<a href="{path}">to {path}</a>' for path in PATHS)
KEEPS_REFERRER = '<meta name="referrer" content="{}">'
# A headless Chromium is a bot
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
SEARCH = "https://search.example/"


@pytest.mark.parametrize("policy", some_of(["strict-origin-when-cross-origin", "no-referrer"], "no-referrer"))
@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_visitor_who_agrees_counts_as_one_visit_with_its_source(
    visit: Visitors, javascript: bool, policy: str, tmp_path: Path
) -> None:
    head = KEEPS_REFERRER.format(policy)
    guarded = CookieGuard(
        TinyShop({path: page(head, LINKS) for path in PATHS}), Config(state_dir=str(tmp_path / "state"))
    )
    begun = int(datetime.now(UTC).timestamp()) // 86_400
    with serving(guarded) as server:
        for _ in range(3):
            opened = visit(javascript=javascript, user_agent=FIREFOX).new_page()
            opened.goto(server.at("shop.localhost"), referer=SEARCH)
            answer(opened, "accept")
            for path in PATHS[1:]:
                opened.get_by_text(f"to {path}", exact=True).click()
                opened.wait_for_url(f"**{path}")
    guarded.close()

    with closing(SqliteFigures(tmp_path / "state" / "stats.db")) as figures:
        days = Days(begun, begun + 1)
        counted = [(one.views, one.visits) for one in figures.by_day(days)]
        sources = {one.value: one.visits for one in figures.breakdown(days, Dimension.SOURCE)}
    assert sum(views for views, _ in counted) == 9
    assert sum(visits for _, visits in counted) == 3
    assert sources == {"search.example": 3}
