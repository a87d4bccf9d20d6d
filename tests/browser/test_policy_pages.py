"""The policy's pages and the pages behind links in mail, on desktop and phone, in dark, and right to left.

With COOKIEGUARD_PICTURES=<folder> each is kept as a picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.servers import serving
from harness.stores import SqliteStore, give_keyring
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, PolicyVersion, mail_lists
from cookieguard.config import MailSettings
from cookieguard.features.policy.announcing import announce
from cookieguard.features.policy.folder import read_versions
from cookieguard.features.records.acts import Acts

from .conftest import Visitors
from .tiny import TinyShop, page

DEMO = Path(__file__).parents[2] / "demo_site" / "policy"
NOW = datetime(2026, 12, 5, 9, tzinfo=UTC)
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
LOOKS = {
    "desk": {"viewport": DESK, "locale": "en"},
    "phone": {"viewport": PHONE, "locale": "en"},
    "dark": {"viewport": PHONE, "locale": "de", "color_scheme": "dark"},
    "rtl": {"viewport": PHONE, "locale": "ar"},
}
# Of each text that is seen: the contrast between its colour and the nearest background behind it (WCAG 2.2, 1.4.3).
PALEST = """() => {
  const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(one => { one /= 255
    return one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b }
  const behind = one => { for (; one; one = one.parentElement) { const found = getComputedStyle(one).backgroundColor
    if (!/, 0\\)$|transparent/.test(found)) return found } return getComputedStyle(document.documentElement)
    .colorScheme.includes('dark') && matchMedia('(prefers-color-scheme: dark)').matches
    ? 'rgb(18,18,18)' : 'rgb(255,255,255)' }
  return Math.min(...[...document.querySelectorAll('main *')].filter(one => [...one.childNodes].some(
    child => child.nodeType === 3 && child.data.trim()) && one.getClientRects().length).map(one => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x)
    return (a + .05) / (b + .05) })) }"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Config]]:
    """Serve a shop whose second version is announced."""
    state = tmp_path_factory.mktemp("policy") / "state"
    state.mkdir(mode=0o700)
    config = Config(
        state_dir=str(state),
        origins=("https://shop.example",),
        policy=PolicyVersion(folder=str(DEMO)),
        mail=MailSettings(lists=("news",)),
        dev=False,
    )
    give_keyring(state)
    store = SqliteStore(state / "store.db")
    versions = read_versions(config)
    announced = datetime(2026, 12, 1, 9, tzinfo=UTC)
    announce(store, versions, versions[1], now=announced, notice_days=14, record=Acts(None))
    store.close()
    guard = CookieGuard(TinyShop({"/": page(body="<h1>Shop</h1>")}), config, clock=lambda: NOW)
    with serving(guard) as server:
        yield server.at("shop.localhost"), config


def links(config: Config) -> dict[str, str]:
    """Return the pages by name."""
    lists = mail_lists(config)
    path = lists.stop_link("10042", "news").removeprefix("https://shop.example")
    return {
        "policy": "/_cg/policy",
        "version": "/_cg/policy/2026-12-20",
        "changes": "/_cg/policy/2026-12-20/changes",
        "mail": path,
        "over": "/_cg/mail/stop?t=none",
    }


def require_readable(shown: Page, name: str, look: str) -> None:
    """Require that all is in view and dark enough on its ground; keep a picture where one is wanted."""
    if "COOKIEGUARD_PICTURES" in os.environ:
        path = Path(os.environ["COOKIEGUARD_PICTURES"]) / f"{name}-{look}.png"
        shown.screenshot(path=path, full_page=True)
    width = shown.viewport_size["width"] if shown.viewport_size else 0
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.locator("h1").count() == 1
    assert shown.evaluate(PALEST) >= 4.5
    assert shown.evaluate("document.documentElement.dir") == ("rtl" if look == "rtl" else "ltr")


@pytest.mark.parametrize(
    "look", ["desk", *(pytest.param(one, marks=pytest.mark.slow) for one in LOOKS if one != "desk")]
)
def test_pages_of_policy_and_mail_are_whole_and_readable(
    visit: Visitors, shop: tuple[str, Config], look: str
) -> None:
    url, config = shop
    shown = visit(javascript=False, **LOOKS[look]).new_page()

    for name, path in links(config).items():
        shown.goto(url + path)
        require_readable(shown, name, look)


def test_mail_is_stopped_and_brought_back_by_two_buttons_without_a_script(
    visit: Visitors, shop: tuple[str, Config]
) -> None:
    url, config = shop
    shown = visit(javascript=False, locale="en").new_page()
    shown.goto(url + links(config)["mail"])

    for heading in ("Stopped", "Confirmed"):
        with shown.expect_navigation():
            shown.locator("main button").click()
        assert shown.locator("h1").inner_text() == heading
