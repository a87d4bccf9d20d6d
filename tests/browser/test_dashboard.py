"""The dashboard without scripts, on a phone and in the dark; axe finds no violation on any page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Locator, Page
from stats.traffic import PLAIN

from cookieguard import Config, CookieGuard
from cookieguard.config import StatsSettings
from cookieguard.features.people.staff_list import change_staff
from cookieguard.features.statistics.engines.sqlite.engine import STATS_FILE
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.features.statistics.notes import change_notes, new_note, with_note
from cookieguard.identity.staff_token import Member, staff_codec, write_token
from cookieguard.keyring import Keyring
from cookieguard.stats.hits import Batch, Hit
from cookieguard.storage.keyring_source import beside

from .conftest import Visitors
from .test_axe import BROKEN, LOOKS, axe, violations
from .tiny import TinyShop

__all__ = ["axe"]

QUERIES = (
    "",
    "?range=7&beside=year",
    "?country=DE",
    "?tab=consent",
    "?range=30&campaign=winter",
    "?tab=held",
    "?tab=bots",
    "?range=7&tab=pages",
    "?tab=goals",
    "?tab=speed",
    "?tab=pages&from=2026-01-02&to=2026-01-03",
)
NOW = int(time.time())
DAY = 86_400


def of_day(ago: int, first: int) -> Iterator[Hit]:
    """Give some visitors' views, choices and orders."""
    for at in range(80):
        here = ("DE", "FR")[at % 2]
        view = PLAIN._replace(
            time=NOW - ago * DAY - 60 * at, key=first + at, country=here, source="(direct)", consent="all"
        )
        if at % 4 == 0:
            view = view._replace(key=0, consent="refused", entry=1)
        held = '[["ads.example",2,"Ads","marketing"],["spy.example",1,"","marketing"]]'
        yield view._replace(held=held, campaign="winter", event="shown")
        slow = {"duration": 1500, "search": "blue mug"} if at % 2 else {}
        yield view._replace(page="/cart", source="", **slow)
        yield view._replace(page="/old-cart", source="", kind="error", status=404)
        yield view._replace(kind="goal", event="order placed", source="")
        yield view._replace(kind="goal", event="order placed: 50 to 100", source="")
        yield view._replace(kind="choice", event=("accepted", "refused", "partly")[at % 3], source="", key=0)
        yield view._replace(bot="search", browser="Googlebot", key=0, source="")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve a shop with statistics of two years; give its address and an analyst's token."""
    state = tmp_path_factory.mktemp("dashboard") / "state"
    stats = StatsSettings(funnel=("/", "/cart", "order placed"), time_zone="Europe/Berlin")
    guarded = CookieGuard(TinyShop({"/broken": BROKEN}), Config(state_dir=str(state), dev=True, stats=stats))
    with closing(SqliteHits(state / STATS_FILE)) as engine:
        for ago in (0, 1, 2, 5, 364, 365, 372):
            engine.write(Batch(f"b{ago}", sorted(of_day(ago, 1000 * ago + 1)), {}, {}))
    marked = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    change_notes(state, lambda before: with_note(before, new_note(marked, "Winter campaign", "Anna")))
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    member = Member(id="a" * 12, name="Anna", role="analyst", made=until - timedelta(days=1), expires=until)
    change_staff(state, lambda before: before | {member.id: member})
    codec = staff_codec(Keyring.loads(beside(state).read_text(), setting="test"))
    with serving(guarded) as server:
        yield server.at("shop.localhost"), write_token(codec, member)


@pytest.mark.parametrize("look", some_of([one for one in LOOKS if "rtl" not in one], "phone"))
def test_axe_finds_nothing_on_the_dashboard(
    visit: Visitors, shop: tuple[str, str], axe: str, look: str
) -> None:
    address, token = shop
    context = visit(**LOOKS[look], bypass_csp=True)
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown, found, wide = context.new_page(), {}, []

    for query in QUERIES:
        answered = shown.goto(f"{address}/_cg/stats{query}")
        assert answered is not None
        assert answered.status == 200, query
        found[query] = violations(shown, axe)
        wide += [query] if shown.evaluate("document.documentElement.scrollWidth > innerWidth") else []
    shown.goto(f"{address}/broken")

    assert {query: broken for query, broken in found.items() if broken} == {}
    assert wide == []
    assert violations(shown, axe)  # the control


def test_phone_shows_every_tab_and_whole_names_beside_all_figures(
    visit: Visitors, shop: tuple[str, str]
) -> None:
    address, token = shop
    context = visit(viewport={"width": 390, "height": 844})
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown, cut, outside = context.new_page(), {}, []

    for query in ("", "?tab=pages", "?tab=goals", "?tab=consent"):
        shown.goto(f"{address}/_cg/stats{query}")
        cut[query] = shown.locator(".rows bdi").evaluate_all(
            "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
        )
        outside += shown.locator(".tabs a, .rows :is(th, td)").evaluate_all(
            "all => all.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.innerText)"
        )

    assert {query: names for query, names in cut.items() if names} == {}
    assert outside == []


@pytest.mark.parametrize(("width", "media"), [(820, "screen"), (1150, "screen"), (780, "print")])
def test_label_of_a_row_with_three_figures_is_readable_on_a_tablet_and_on_paper(
    visit: Visitors, shop: tuple[str, str], width: int, media: str
) -> None:
    address, token = shop
    context = visit(viewport={"width": width, "height": 1000})
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown = context.new_page()

    shown.goto(f"{address}/_cg/stats?range=7")
    shown.emulate_media(media=media)

    rows = shown.locator(".rows.n3")
    assert rows.count() > 1
    widths = rows.evaluate_all("all => all.map(one => one.rows[1].cells[0].clientWidth)")
    assert min(widths) > 90, widths


def follow(shown: Page, control: Locator) -> None:
    """Click a link or a button, and wait for the page that follows."""
    with shown.expect_navigation():
        control.click()


def test_an_analyst_takes_a_table_along_without_a_script(
    visit: Visitors, shop: tuple[str, str], tmp_path: Path
) -> None:
    address, token = shop
    context = visit(javascript=False)
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown = context.new_page()

    shown.goto(f"{address}/_cg/stats?range=7")
    follow(shown, shown.get_by_role("link", name="a year before"))
    assert "vs. a year before" in shown.locator(".figures").inner_text()
    with shown.expect_download() as waiting:
        shown.get_by_role("link", name="CSV: Funnel").click()
    waiting.value.save_as(tmp_path / "funnel.csv")

    lines = (tmp_path / "funnel.csv").read_text("utf-8-sig").splitlines()
    assert waiting.value.suggested_filename.startswith("funnel-20")
    assert [line.split(",")[0] for line in lines] == ['"Funnel"', '"/"', '"/cart"', '"order placed"']


def test_an_analyst_asks_for_any_days_and_filters_by_a_row_without_a_script(
    visit: Visitors, shop: tuple[str, str]
) -> None:
    address, token = shop
    context = visit(javascript=False)
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown = context.new_page()
    first, last = (f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}" for ago in (5, 1))

    shown.goto(f"{address}/_cg/stats")
    shown.get_by_label("From").fill(first)
    shown.get_by_label("To", exact=True).fill(last)
    follow(shown, shown.get_by_role("button", name="Show"))
    pages = shown.get_by_role("region", name="Pages", exact=True)
    follow(shown, pages.get_by_role("link", name="/cart", exact=True))

    assert f"range={first}..{last}&page=%2Fcart" in shown.url
    assert "on past days, two values together" in shown.locator(".note").first.inner_text()
    follow(shown, shown.get_by_role("list", name="Filters").get_by_role("link"))
    assert shown.url.endswith(f"range={first}..{last}")


def test_an_analyst_marks_a_day_without_a_script(visit: Visitors, shop: tuple[str, str]) -> None:
    address, token = shop
    context = visit(javascript=False)
    context.set_extra_http_headers({"authorization": f"Bearer {token}"})
    shown = context.new_page()

    shown.goto(f"{address}/_cg/stats?range=7")
    shown.get_by_text("Add a note").click()
    shown.get_by_label("What happened").fill("Deploy 1.4")
    follow(shown, shown.get_by_role("button", name="Add", exact=True))

    assert shown.url == f"{address}/_cg/stats?tab=summary&range=7"
    told = shown.get_by_role("list", name="Notes").inner_text()
    assert "Winter campaign" in told
    assert "Deploy 1.4" in told
    follow(shown, shown.get_by_role("button", name="Remove: Deploy 1.4"))
    assert "Deploy 1.4" not in shown.get_by_role("list", name="Notes").inner_text()
