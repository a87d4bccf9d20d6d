"""A choice is not counted twice: its reload is no new view, and the visit continues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask, page, scope_of

from cookieguard import CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.features.statistics.engines.protocol import Days
from cookieguard.features.statistics.engines.sqlite.reader import SqliteFigures
from cookieguard.stats.hits import Dimension
from cookieguard.stats.user_agents import read_agent

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY = int(NOON.timestamp()) // 86_400
DAY = Days(TODAY, TODAY)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
SEARCH, SHOP = "https://search.example/", "https://shop.example"

Guard = Callable[..., CookieGuard]


class Shop:
    """A guarded shop, its clock, and the figures it counted."""

    def __init__(self, guard: Guard, state: Path, **stats: Any) -> None:
        # Loads its parser, which takes a busy machine longer than a worker waits at its end
        read_agent(FIREFOX.encode())
        self.now = NOON
        self.app = guard(
            page(b"<!doctype html><p>Hello"), clock=lambda: self.now, stats=StatsSettings(**stats)
        )
        self.file = state / "stats.db"

    def totals(self) -> tuple[int, int, int]:
        self.app.close()
        with closing(SqliteFigures(self.file)) as figures:
            (day,) = figures.by_day(DAY)
            return day.views, day.visits, day.visitors

    def sources(self) -> dict[str, int]:
        self.app.close()
        with closing(SqliteFigures(self.file)) as figures:
            return {one.value: one.visits for one in figures.breakdown(DAY, Dimension.SOURCE)}


class Person:
    """A browser that keeps cookies and sends a referrer."""

    def __init__(self, shop: Shop, client: str, *, tells_referrer: bool = True) -> None:
        self.shop, self.client, self.tells_referrer = shop, client, tells_referrer
        self.cookies: dict[str, str] = {}

    def opens(
        self, path: str, *, referrer: str = "", site: str = "none", seconds: float = 20, reloads: bool = False
    ) -> None:
        self.shop.now += timedelta(seconds=seconds)
        headers = [("accept", "text/html"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]
        if referrer and self.tells_referrer:
            headers.append(("referer", referrer))
        if reloads:  # as Chromium does, after a post to the same address too
            headers.append(("cache-control", "max-age=0"))
        self._send(path, "GET", [*headers, ("sec-fetch-site", site)])

    def clicks(self, path: str, here: str, *, seconds: float = 20) -> None:
        self.opens(path, referrer=SHOP + here, site="same-origin", seconds=seconds)

    def chooses(self, choice: str, here: str, *, script: bool = False, referrer: str = SEARCH) -> None:
        """Answer the banner; its page comes again, by the answer or by our script."""
        headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
        if self.tells_referrer:
            headers.append(("referer", SHOP + here))
        self.shop.now += timedelta(seconds=5)
        self._send("/_cg/consent", "POST", headers, f"choice={choice}&next={here}".encode())
        self.opens(
            here, referrer=referrer if script else SHOP + here, site="same-origin", seconds=0.4, reloads=True
        )

    def _send(self, path: str, method: str, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers += [("user-agent", FIREFOX), *([("cookie", cookie)] if cookie else [])]
        scope = scope_of(path, method=method, headers=headers, client=(self.client, 1))
        answer = ask(self.shop.app, scope, body=body)
        assert answer.status in (200, 303)
        self.cookies |= {name: value for name, value in answer.cookies().items() if value}


@pytest.fixture
def shop(guard: Guard, tmp_path: Path) -> Shop:
    return Shop(guard, tmp_path / "state")


@pytest.mark.parametrize("script", [True, False], ids=["by script", "without script"])
@pytest.mark.parametrize("tells_referrer", [True, False], ids=["referrer", "no referrer"])
@pytest.mark.parametrize("choice", ["accept", "reject"])
def test_three_people_who_choose_and_see_nine_pages_are_nine_views_and_three_visits(
    shop: Shop, script: bool, tells_referrer: bool, choice: str
) -> None:
    for number in range(3):
        person = Person(shop, f"203.0.113.{number + 5}", tells_referrer=tells_referrer)
        person.opens("/", referrer=SEARCH, site="cross-site")
        person.chooses(choice, "/", script=script)
        person.clicks("/mugs", "/")
        person.clicks("/mugs/7", "/mugs")

    assert shop.totals() == (9, 3, 3 if choice == "accept" else 0)
    assert shop.sources() == {"search.example" if tells_referrer else "(direct)": 3}


def test_a_choice_on_the_page_of_choices_counts_its_page_once(shop: Shop) -> None:
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")
    person.clicks("/mugs", "/")

    person.chooses("reject", "/mugs")  # withdrawn there
    person.clicks("/mugs/7", "/mugs")

    assert shop.totals() == (3, 1, 1)


def test_an_answer_knows_its_source_from_the_link_to_its_page_alone(shop: Shop) -> None:
    """Of who came from a search engine, and of who answers later, nothing says where they came from."""
    person = Person(shop, "203.0.113.5")
    person.opens("/mugs?utm_source=letter&utm_campaign=winter", site="cross-site")
    person.chooses("reject", "/mugs?utm_source=letter&utm_campaign=winter")
    person = Person(shop, "203.0.113.6")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("reject", "/")
    person = Person(shop, "203.0.113.7")
    person.opens("/?utm_source=letter", site="cross-site")
    person.clicks("/mugs", "/?utm_source=letter")
    person.chooses("accept", "/mugs")

    shop.app.close()
    with closing(SqliteFigures(shop.file)) as figures:
        found = {one.value: one.views for one in figures.breakdown(DAY, Dimension.GOAL_SOURCE)}
        hits = [hit for hit in figures.hits(TODAY) if hit.kind == "choice"]

    assert found == {"?refused < letter": 1}
    assert [(hit.page, hit.source, hit.campaign, hit.key) for hit in hits] == [
        ("/mugs", "letter", "winter", 0),
        ("/", "", "", 0),
        ("/mugs", "", "", 0),
    ]


def test_visitor_who_returns_after_a_pause_counts_as_a_second_visit(shop: Shop) -> None:
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")

    person.clicks("/mugs", "/", seconds=31 * 60)
    person.opens("/", seconds=3600)

    assert shop.totals() == (3, 3, 1)
    assert shop.sources() == {"search.example": 1, "": 1, "(direct)": 1}


def test_a_page_loaded_again_long_after_the_choice_is_a_view(shop: Shop) -> None:
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")

    person.clicks("/", "/", seconds=15)

    assert shop.totals() == (2, 1, 1)


@pytest.mark.parametrize("tells_referrer", [True, False], ids=["referrer", "no referrer"])
def test_the_next_page_right_after_a_choice_is_a_view(shop: Shop, tells_referrer: bool) -> None:
    person = Person(shop, "203.0.113.5", tells_referrer=tells_referrer)
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")

    person.clicks("/mugs", "/", seconds=1)

    assert shop.totals() == (2, 1, 1)


def test_page_of_the_choice_is_the_first_view_if_visitors_are_not_counted_before(
    guard: Guard, tmp_path: Path
) -> None:
    shop = Shop(guard, tmp_path / "state", before_consent="none")
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")
    person.clicks("/mugs", "/")

    assert shop.totals() == (2, 1, 1)


def test_with_a_key_from_the_first_view_on_the_visit_is_one_as_well(guard: Guard, tmp_path: Path) -> None:
    shop = Shop(guard, tmp_path / "state", before_consent="hashed")
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")
    person.chooses("accept", "/")
    person.clicks("/mugs", "/")

    assert shop.totals() == (2, 1, 1)
    assert shop.sources() == {"search.example": 1}


def test_without_a_referrer_only_the_first_view_is_an_arrival(shop: Shop) -> None:
    person = Person(shop, "203.0.113.5", tells_referrer=False)
    person.opens("/")
    for path in ("/mugs", "/mugs/7", "/cart", "/"):
        person.clicks(path, "/")

    assert shop.totals() == (5, 1, 0)
    assert shop.sources() == {"(direct)": 1}


@pytest.mark.parametrize("site", ["none", "cross-site", "same-site"])
def test_visit_from_another_site_without_a_referrer_counts_as_an_arrival(shop: Shop, site: str) -> None:
    Person(shop, "203.0.113.5", tells_referrer=False).opens("/", site=site)

    assert shop.sources() == {"(direct)": 1}


def test_a_landing_page_that_a_script_loads_again_is_no_second_arrival(shop: Shop) -> None:
    person = Person(shop, "203.0.113.5")
    person.opens("/", referrer=SEARCH, site="cross-site")

    person.opens("/", referrer=SEARCH, site="same-origin", seconds=300)

    assert shop.totals() == (2, 1, 0)
    assert Counter(shop.sources()) == Counter({"search.example": 1})
