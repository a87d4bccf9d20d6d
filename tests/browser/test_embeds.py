"""Placeholders in a real browser load once or always, and nothing else; the unguarded page is the control."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness.browser import Recorder, counting
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard, Vendor

from .conftest import Visitors
from .tiny import TinyShop, page

VIDEO = '<iframe title="A film" src="{video}/film" width="560" height="315"{more}></iframe>'
MAP = '<iframe title="A map" src="{maps}/map" width="400" height="300"></iframe>'
ADS = '<iframe src="{ads}/ad" width="300" height="250"></iframe>'
FAR_DOWN = '<p style="height:2000px">A long story</p>'
PIECE = """<div id="here"></div><script>fetch("/piece", {{headers: {{"HX-Request": "true"}}}})
.then(a => a.text()).then(t => {{ document.getElementById("here").innerHTML = t }})</script>"""
OBJECT = '<object data="{video}/film" type="text/html" width="560" height="315"></object>'
SMALL = '<iframe src="{video}/film" width="{width}" height="{height}" scrolling="no"></iframe>'
SIZES = ((350, 200), (350, 150), (200, 200), (320, 100), (350, 60), (300, 40))
LANGUAGES = ("en", "de", "ar")
FRAMED = '<iframe src="/" title="The shop" width="700" height="1200"></iframe>'
NO_REFERRER = '<meta name="referrer" content="no-referrer">'
POLICIES = {"/policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-src {video}"}


@dataclass
class Shop:
    """The addresses of a shop, guarded and not, the requests to its third parties, and the time."""

    url: str
    unguarded: str
    heard: Recorder
    now: list[datetime] = field(default_factory=list)

    def hosts(self) -> set[str]:
        """Wait until it is quiet; name who was asked since the last time."""
        self.heard.wait()
        told = {contact.host.partition(".")[0] for contact in self.heard.requests}
        self.heard.requests.clear()
        return told


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    heard, now = Recorder(), [datetime.now(UTC)]
    with ExitStack() as stack:
        others = stack.enter_context(serving(heard, http=counting(heard.note_connection)))
        hosts = {name: others.at(f"{name}.localhost") for name in ("video", "maps", "ads")}
        every = VIDEO.format(more="", **hosts) + FAR_DOWN + MAP.format(**hosts) + ADS.format(**hosts)
        small = "".join(SMALL.format(width=width, height=height, **hosts) for width, height in SIZES)
        pages = {
            "/": page("", every),
            "/other": page("", every),
            "/sandbox": page("", VIDEO.format(more=' sandbox="allow-scripts"', **hosts)),
            "/quiet": page(NO_REFERRER, VIDEO.format(more="", **hosts)),
            "/policy": page("", VIDEO.format(more="", **hosts)),
            "/lazy": page("", FAR_DOWN + VIDEO.format(more=' loading="lazy"', **hosts)),
            "/object": page("", OBJECT.format(**hosts)),
            "/framed": page("", FRAMED),
            **{f"/small.{lang}": page("", small, lang=lang) for lang in LANGUAGES},
            "/swapped": page("", PIECE.format()),
            "/piece": VIDEO.format(more="", **hosts),
        }
        app = TinyShop(pages, {path: policy.format(**hosts) for path, policy in POLICIES.items()})
        config = Config(
            state_dir=str(tmp_path_factory.mktemp("shop") / "state"),
            vendors=(
                Vendor(name="Reel", purpose="preferences", hosts=(hosts["video"].partition("//")[2],)),
                Vendor(name="Atlas", purpose="preferences", hosts=(hosts["maps"].partition("//")[2],)),
                Vendor(name="Glimmer", purpose="marketing", hosts=(hosts["ads"].partition("//")[2],)),
            ),
        )
        guarded = stack.enter_context(serving(CookieGuard(app, config, clock=lambda: now[0])))
        plain = stack.enter_context(serving(app))
        yield Shop(guarded.at("shop.localhost"), plain.at("plain.localhost"), heard, now)


ALWAYS = re.compile("Always allow .*Preferences")  # with the marks that keep its order in any language


def click(page: Page, title: str, button: str | re.Pattern[str]) -> None:
    """Click a button of a placeholder and wait for the page that follows."""
    element = page.locator(f"iframe[title='{title}'], object").element_handle()
    assert element is not None
    # An object's is not told, but it is the page's only one
    frame = element.content_frame() or page.frames[-1]
    with page.expect_navigation(wait_until="load"):
        frame.get_by_role("button", name=button).click()


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_load_once_is_for_one_document_and_one_vendor_and_always_is_for_good(
    visit: Visitors, shop: Shop, javascript: bool
) -> None:
    page = visit(javascript=javascript).new_page()

    page.goto(f"{shop.unguarded}/")
    control = shop.hosts()
    page.goto(f"{shop.url}/")
    before = shop.hosts()
    click(page, "A film", "Load once")
    once = shop.hosts()
    placeholders = page.locator("iframe[srcdoc]").count()
    page.goto(f"{shop.url}/other")
    elsewhere = shop.hosts()
    page.goto(f"{shop.url}/")
    again = shop.hosts()

    assert control == {"video", "maps", "ads"}
    assert (before, once, elsewhere, again) == (set(), {"video"}, set(), set())
    assert placeholders == 2

    click(page, "A map", ALWAYS)
    always = shop.hosts()
    page.goto(f"{shop.url}/other")

    assert always == {"video", "maps"}
    assert shop.hosts() == {"video", "maps"}
    assert "cg-once" not in page.url


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_a_page_reloaded_after_sixty_seconds_is_held_again(
    visit: Visitors, shop: Shop, javascript: bool
) -> None:
    page = visit(javascript=javascript).new_page()
    page.goto(f"{shop.url}/?a=b")
    shop.hosts()

    click(page, "A film", "Load once")
    first = shop.hosts()
    address = page.url
    shop.now[0] += timedelta(seconds=61)
    page.reload()

    assert first == {"video"}
    assert shop.hosts() == set()
    assert page.locator("iframe[srcdoc]").count() == 3
    # with script the grant left the address at once, without it with the first request that finds it over
    assert ("cg-once" in address) != javascript
    assert page.url.partition("#")[0] == f"{shop.url}/?a=b"


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_load_once_returns_to_the_position_of_the_placeholder(
    visit: Visitors, shop: Shop, javascript: bool
) -> None:
    page = visit(javascript=javascript).new_page()
    page.goto(f"{shop.url}/")

    click(page, "A map", "Load once")

    assert shop.hosts() == {"maps"}
    box = page.locator("iframe[title='A map']").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 300


@pytest.mark.parametrize("path", some_of(["/sandbox", "/quiet", "/policy", "/lazy", "/object"], "/sandbox"))
def test_both_actions_work_whatever_the_page_says(visit: Visitors, shop: Shop, path: str) -> None:
    page = visit().new_page()
    page.goto(f"{shop.unguarded}{path}")
    page.mouse.wheel(0, 3000)
    control = shop.hosts()

    page.goto(f"{shop.url}{path}")
    before = shop.hosts()
    click(page, "A film", "Load once")
    once = shop.hosts()
    page.goto(f"{shop.url}{path}")
    held = shop.hosts()
    click(page, "A film", ALWAYS)
    if path == "/lazy":  # an element without an id of its own is come back to only where it was loaded once
        page.mouse.wheel(0, 3000)

    assert (control, before, once, held, shop.hosts()) == ({"video"}, set(), {"video"}, set(), {"video"})
    assert page.url.partition("#")[0] == f"{shop.url}{path}"


def test_a_placeholder_is_reached_and_used_by_keyboard(visit: Visitors, shop: Shop) -> None:
    page = visit().new_page()
    page.goto(f"{shop.url}/quiet")
    page.locator("#cg button[value=reject]").focus()
    page.frame_locator("iframe").get_by_role("heading", name="A film").wait_for()

    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "IFRAME":
            break
    shop.hosts()
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert shop.hosts() == {"video"}


def test_in_a_frame_of_the_shops_own_only_that_frame_comes_back(visit: Visitors, shop: Shop) -> None:
    page = visit().new_page()
    page.goto(f"{shop.url}/framed")
    inner = page.frame_locator("iframe[title='The shop']")

    inner.frame_locator("iframe[title='A film']").get_by_role("button", name="Load once").click()
    inner.locator("iframe[title='A film'][src]").wait_for()

    assert shop.hosts() == {"video"}
    assert page.url == f"{shop.url}/framed"


def test_a_piece_that_a_script_puts_into_the_page_leads_back_to_the_page(visit: Visitors, shop: Shop) -> None:
    page = visit().new_page()
    page.goto(f"{shop.url}/swapped")
    page.locator("iframe").wait_for()
    before = shop.hosts()

    with page.expect_navigation():
        page.frame_locator("iframe").get_by_role("button", name="Load once").click()

    assert before == set()
    assert page.url.partition("#")[0].startswith(f"{shop.url}/swapped")


def test_a_link_with_somebody_elses_grant_lets_nobody_in(visit: Visitors, shop: Shop, tmp_path: Path) -> None:
    theirs, page = visit(javascript=False).new_page(), visit().new_page()
    theirs.goto(f"{shop.url}/quiet")
    click(theirs, "A film", "Load once")
    assert shop.hosts() == {"video"}
    (tmp_path / "evil.html").write_text(f'<a href="{theirs.url}">x</a>')

    page.goto(f"file://{tmp_path}/evil.html")
    page.locator("a").click()
    page.locator("iframe[srcdoc]").wait_for()

    assert shop.hosts() == set()
    assert page.url.partition("#")[0] == f"{shop.url}/quiet"


READ = """() => {
  let seen = one => { let at = one.getBoundingClientRect(); return at.top >= 0 && innerHeight >= at.bottom; };
  let text = document.querySelector('p:not(.p)'), first = [text, document.querySelector('button')].map(seen);
  text.scrollIntoView();
  let at = text.getBoundingClientRect();
  return [...first, text.contains(document.elementFromPoint(at.x + at.width / 2, at.y + 2))];
}"""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_loading_means_is_read_in_frames_of_any_size(visit: Visitors, shop: Shop, lang: str) -> None:
    tab = visit().new_page()
    tab.goto(f"{shop.url}/small.{lang}")

    found = [frame.evaluate(READ) for frame in tab.frames[1:]]

    assert [is_reached for *_, is_reached in found] == [True] * len(SIZES)
    assert [has_button for _, has_button, _ in found] == [True] * len(SIZES)
    assert found[0][0]  # of 350 x 200 nobody has to scroll
