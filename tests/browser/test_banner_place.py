"""Banner and control leave the page's forms, first elements and looks alone, and cover none of its controls."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page

from cookieguard import Config, CookieGuard

from .conftest import Visitors, answer
from .tiny import TinyShop

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>
<body{attributes}>{body}</body></html>"""
FORM = '<form action="/acs" method="post"><input type="hidden" name="PaReq" value="1"></form>'
LINES = "".join(f"<p><a href='#'>line {n}</a></p>" for n in range(40)) + "<button id='buy'>Buy</button>"
# Ways to post a page by itself, as 3-D Secure and SAML do.
SUBMITS = {
    "forms[0]": "document.forms[0].submit()",
    "the last of forms": "document.forms[document.forms.length - 1].submit()",
    "querySelector": "document.querySelector('form').submit()",
    "getElementsByTagName": "document.getElementsByTagName('form')[0].submit()",
    "firstElementChild": "document.body.firstElementChild.submit()",
}
# What carries a page's height, and whether it can be scrolled at all.
LAYOUTS = {
    "plain": ("", LINES),
    "html 100%": ("html{height:100%}", LINES),
    "both 100%": ("*{box-sizing:border-box}html,body{height:100%;margin:0}", LINES),
    "small rem": ("html{font-size:10px}", LINES),
    "column": ("html,body{height:100%}body{display:flex;flex-direction:column}", LINES),
    "grid": ("body{display:grid;grid-template-rows:auto 1fr auto;min-height:100vh}", LINES),
    "positioned": ("", f"<div style='position:absolute;inset:0 0 auto'>{LINES}</div>"),
    "window": (
        "html,body{height:100%;margin:0;overflow:hidden}",
        f"<div style='height:100vh;overflow:auto'>{LINES}</div>",
    ),
    "bar": ("", "<p>text</p><div style='position:fixed;inset:auto 0 0'><button id='buy'>Buy</button></div>"),
    "left open": ("", f"<div hidden><p>menu</p></div>{LINES}<form><div style='transform:none'><div hidden>"),
}
# The controls that nothing of the page's scrolling uncovers.
COVERED = """() => [...document.querySelectorAll("a, button")].filter(one => {
    if (!one.getClientRects().length || one.closest("cg-part")) return false;
    const is_free = () => {
        const at = one.getBoundingClientRect();
        return document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2) === one;
    };
    one.scrollIntoView({block: "start"});
    if (is_free()) return false;
    scrollTo(0, 1e6);
    return !is_free();
}).map(one => one.textContent)"""
# Where everything of the page is, and what a selector of its place matches.
LAID_OUT = """() => [...document.querySelectorAll("body *")].filter(one => !one.closest("cg-part")).map(one => {
    const at = one.getBoundingClientRect(), style = getComputedStyle(one);
    return [one.localName, at.x, at.y + scrollY, at.width, at.height, style.color, style.marginTop].join(" ");
})"""
COUNTING = """body > * + * {margin-top: 7px} body > :first-child {color: red} body:has(> form) {padding: 9px}
body > :nth-child(2n) {color: blue} form:only-of-type {color: green} h2:first-of-type {color: pink}"""
# An element of a shop's own with the name that ours has, made once ours is there and seen.
GUIDE = """<script>addEventListener("load", () => setTimeout(() => {
    const guide = Object.assign(document.createElement("p"), {id: "cg", textContent: "Colour guide"});
    document.body.prepend(guide);
    document.querySelector("cg-part").remove();
}))</script>"""
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(24, 27, 33)"
SCHEMES = {
    "/light": ("", LIGHT),
    "/declared": ("<style>:root{color-scheme:light dark}</style>", DARK),
    "/meta": ('<meta name="color-scheme" content="dark light">', DARK),
}
TAGLESS = {"/tagless": "<title>x</title><p>x", "/warning": "<br>Warning: x<!doctype html><p>y", "/text": "x"}


def written(body: str = "", head: str = "", attributes: str = "") -> str:
    return PAGE.format(body=body, head=head, attributes=attributes)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve these pages guarded, and as they are."""
    pages = {
        **{f"/submit/{n}": written(FORM, "", f' onload="{s}"') for n, s in enumerate(SUBMITS.values())},
        **{
            f"/layout/{name}": written(body, f"<style>{css}</style>") for name, (css, body) in LAYOUTS.items()
        },
        **{path: written(LINES, head) for path, (head, _) in SCHEMES.items()},
        **TAGLESS,
        "/acs": written("<h1>The bank</h1>"),
        "/counting": written(f"<h2>a</h2>{FORM}<p>b</p><footer>c</footer>", f"<style>{COUNTING}</style>"),
        "/focus": written("<input autofocus>"),
        "/guide": written(f"<h1>Colours</h1>{GUIDE}"),
        "/wide": written('<div style="width:560px">A film as its host gives it</div>'),
        "/login": written(
            "<form><input></form>",
            "<style>body{display:flex;justify-content:center;align-items:center;min-height:100vh}</style>",
        ),
    }
    app = TinyShop(pages)
    state = tmp_path_factory.mktemp("place") / "state"
    with serving(CookieGuard(app, Config(state_dir=str(state)))) as guarded, serving(app) as plain:
        yield guarded.at("shop.localhost"), plain.at("plain.localhost")


def accepted(page: Page, shop: str) -> None:
    page.goto(f"{shop}/acs")
    answer(page, "accept")


@pytest.mark.parametrize("has_answered", some_of([False, True], False), ids=["banner", "control"])
@pytest.mark.parametrize("number", some_of(range(len(SUBMITS)), 0, 1), ids=SUBMITS)
def test_a_page_that_submits_itself_submits_its_own_form(
    visit: Visitors, shops: tuple[str, str], number: int, has_answered: bool
) -> None:
    page = visit().new_page()
    if has_answered:
        accepted(page, shops[0])

    page.goto(f"{shops[0]}/submit/{number}")

    page.wait_for_url(f"{shops[0]}/acs")
    assert page.locator("#cg").count() == 1


@pytest.mark.parametrize("layout", some_of(LAYOUTS, "both 100%", "column", "positioned", "window"))
@pytest.mark.parametrize("width", some_of([390, 1280], 390))
def test_every_control_can_be_scrolled_clear_of_the_banner(
    visit: Visitors, shops: tuple[str, str], layout: str, width: int
) -> None:
    page = visit(viewport={"width": width, "height": 700}).new_page()
    page.goto(f"{shops[0]}/layout/{layout}")
    assert page.locator("#cg").is_visible()
    page.wait_for_timeout(200)

    assert page.evaluate(COVERED) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_telephone_shows_both_buttons_on_a_page_that_is_wider_than_it(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    page = visit(viewport={"width": 390, "height": 700}, is_mobile=True, has_touch=True).new_page()
    page.goto(f"{shops[0]}/wide")

    for name in ("Refuse all", "Accept all"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= 390 - box["width"]


@pytest.mark.parametrize(
    "layout", some_of(["plain", "html 100%", "both 100%", "small rem", "grid"], "both 100%")
)
def test_without_script_the_page_still_has_room_below_its_end(
    visit: Visitors, shops: tuple[str, str], layout: str
) -> None:
    page = visit(javascript=False, viewport={"width": 390, "height": 700}).new_page()
    page.goto(f"{shops[0]}/layout/{layout}")

    assert page.evaluate(COVERED) == []


@pytest.mark.parametrize(
    "layout",
    some_of(["plain", "html 100%", "both 100%", "small rem", "column", "grid"], "column"),
)
def test_the_control_lies_over_nothing(visit: Visitors, shops: tuple[str, str], layout: str) -> None:
    page = visit(viewport={"width": 390, "height": 700}).new_page()
    accepted(page, shops[0])
    page.goto(f"{shops[0]}/layout/{layout}")
    links = page.locator("#cg").get_by_role("link"), page.locator("#cg").get_by_role("button")

    end = page.locator("#buy").bounding_box()
    boxes = [one.bounding_box() for one in links]

    assert end is not None
    for box in boxes:
        assert box is not None
        assert box["y"] >= end["y"] + end["height"]
    links[0].click()
    page.wait_for_url(re.compile("/_cg/choices"))


def test_no_selector_of_the_shops_counts_our_elements(visit: Visitors, shops: tuple[str, str]) -> None:
    page = visit().new_page()
    page.goto(f"{shops[1]}/counting")
    plain = page.evaluate(LAID_OUT)

    page.goto(f"{shops[0]}/counting")
    asked = page.evaluate(LAID_OUT)
    answer(page, "accept")

    assert len(plain) == 5
    assert asked == plain
    assert page.evaluate(LAID_OUT) == plain


@pytest.mark.parametrize("has_answered", [False, True], ids=["banner", "control"])
def test_an_element_of_the_shops_that_is_named_like_ours_stays_and_ours_comes_back(
    visit: Visitors, shops: tuple[str, str], has_answered: bool
) -> None:
    page = visit().new_page()
    if has_answered:
        accepted(page, shops[0])

    page.goto(f"{shops[0]}/guide")
    page.locator("#cg", has_text="Colour guide").wait_for()
    page.get_by_role("button", name="Withdraw" if has_answered else "Accept all").wait_for()

    assert page.locator("body > #cg").first.inner_text() == "Colour guide"


def test_a_body_that_is_put_in_anew_gets_the_control_back_without_an_error(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    page, errors = visit().new_page(), list[str]()
    accepted(page, shops[0])
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(f"{shops[0]}/focus")
    page.evaluate("""async () => {
        document.body.remove();
        await new Promise(done => setTimeout(done, 100));
        document.documentElement.append(document.createElement("body"));
    }""")
    page.get_by_role("button", name="Withdraw").wait_for()

    assert errors == []


def test_a_row_of_the_shops_keeps_its_place(visit: Visitors, shops: tuple[str, str]) -> None:
    page = visit().new_page()
    page.goto(f"{shops[1]}/login")
    plain = page.evaluate(LAID_OUT)
    accepted(page, shops[0])

    page.goto(f"{shops[0]}/login")

    assert page.evaluate(LAID_OUT) == plain


@pytest.mark.parametrize("path", some_of(TAGLESS, "/warning"))
@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_whatever_a_browser_opens_asks(
    visit: Visitors, shops: tuple[str, str], path: str, javascript: bool
) -> None:
    page = visit(javascript=javascript).new_page()
    page.goto(f"{shops[0]}{path}")

    answer(page, "reject")

    assert page.url == f"{shops[0]}{path}"
    assert page.locator("#cg").get_by_role("link", name="Privacy choices").is_visible()


@pytest.mark.parametrize("path", some_of(SCHEMES, "/meta"))
def test_the_banner_is_dark_where_the_page_can_be(visit: Visitors, shops: tuple[str, str], path: str) -> None:
    page = visit(color_scheme="dark").new_page()
    page.goto(f"{shops[0]}{path}")

    background = page.locator("#cg").evaluate("one => getComputedStyle(one).backgroundColor")

    assert background == SCHEMES[path][1]


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_focus_begins_in_the_banner_and_is_told_that_a_choice_is_saved(
    visit: Visitors, shops: tuple[str, str], javascript: bool
) -> None:
    page = visit(javascript=javascript).new_page()
    page.goto(f"{shops[0]}/layout/plain")
    region = page.get_by_role("region", name="Your privacy")

    assert region.evaluate("one => one.matches(':focus')")
    answer(page, "reject")
    told = page.get_by_role("status")

    assert told.inner_text() == "Your choice is saved."
    assert told.evaluate("one => one.matches(':focus')")
    assert page.evaluate("scrollY") == 0


# Where our control and what is said above it are, in the window.
PLACES = """told => ['[role=status]', 'a', 'button'].map(one => {
    let found = document.querySelector('cg-part').shadowRoot.querySelector(one), at = found.getBoundingClientRect();
    if (one == '[role=status]') found.textContent += told;
    return [at.left, at.top, at.right, at.bottom];
})"""
LONGER = " What you agreed to takes effect shortly."


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("more", ["", LONGER], ids=["saved", "pending"])
def test_what_is_said_after_a_choice_covers_nothing_of_the_control(
    visit: Visitors, shops: tuple[str, str], width: int, more: str
) -> None:
    page = visit(viewport={"width": width, "height": 600}).new_page()
    page.goto(f"{shops[0]}/layout/plain")
    answer(page, "accept")
    page.evaluate("scrollTo(0, 1e6)")

    page.evaluate(PLACES, more)
    told, *control = page.evaluate(PLACES, "")

    assert told[3] <= 600
    assert max(bottom for *_, bottom in control) <= told[1]


def test_focus_that_the_page_gives_stays_there(visit: Visitors, shops: tuple[str, str]) -> None:
    page = visit().new_page()
    page.goto(f"{shops[0]}/focus")
    page.wait_for_timeout(100)

    assert page.evaluate("document.activeElement.localName") == "input"


@pytest.mark.parametrize("size", some_of([(320, 568), (390, 700), (640, 360), (1280, 720)], (320, 568)))
@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_with_details_open_every_button_is_in_view_and_no_focus_is_hidden(
    visit: Visitors, shops: tuple[str, str], size: tuple[int, int], javascript: bool
) -> None:
    width, height = size
    page = visit(javascript=javascript, viewport={"width": width, "height": height}).new_page()
    page.goto(f"{shops[0]}/layout/plain")
    page.locator("#cg summary").click()

    for name in ("Save choices", "Refuse all", "Accept all"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= height - box["height"]
    for field in page.locator("#cg input:not([disabled]):not([type=hidden])").all():
        field.focus()
        assert field.evaluate("""one => {
            const at = one.getBoundingClientRect();
            return one.getRootNode().elementFromPoint(at.x + at.width / 2, at.y + at.height / 2) === one;
        }""")
