"""The banner and the control as visitors meet them: with script and without, by keyboard, in three languages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Locator, Page, Route

from cookieguard import Config, CookieGuard

from .conftest import PAGES, Demo, Visitors, answer
from .tiny import TinyShop, page

CHOICES = re.compile(r"/_cg/choices\?next=")
KEPT = "nothing you typed is lost"
LANGUAGES = {
    "en": ("ltr", "Your privacy", "Refuse all", "Accept all", "Privacy choices"),
    "de": ("ltr", "Ihre Privatsphäre", "Alle ablehnen", "Alle annehmen", "Privatsphäre"),
    "ar": ("rtl", "خصوصيتك", "رفض الكل", "قبول الكل", "الخصوصية"),
}
STYLE = ("backgroundColor", "color", "borderTopColor", "fontSize", "fontWeight", "opacity")


def opened(visit: Visitors, url: str, **options: Any) -> Page:
    opened_page = visit(**options).new_page()
    opened_page.goto(url)
    return opened_page


def documents_of(of: Page) -> list[str]:
    loaded: list[str] = []
    of.on(
        "request",
        lambda one: (
            loaded.append(one.method) if one.is_navigation_request() and one.frame == of.main_frame else None
        ),
    )
    return loaded


def asks(of: Page) -> bool:
    return of.locator("#cg button[value=accept]").count() > 0


def controls(of: Page) -> Locator:
    return of.locator("#cg").get_by_role("link", name="Privacy choices")


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_every_page_asks_and_keeps_the_control_afterwards(
    visit: Visitors, demo: Demo, javascript: bool
) -> None:
    shown = visit(javascript=javascript).new_page()
    for path in PAGES.values():
        shown.goto(demo.guarded + path)
        assert asks(shown)

    answer(shown, "reject")
    assert shown.url == demo.guarded + path

    for path in PAGES.values():
        shown.goto(demo.guarded + path)
        assert not asks(shown)
        assert controls(shown).is_visible()


# What React does with a whole document whose markup differs from what it expects: all is made anew, ours is not.
MAKE_ANEW = "document.body.replaceChildren(document.createElement('main'))"
WRITE_ANEW = "document.open(), document.write('<main>anew</main>'), document.close()"


def test_a_framework_that_makes_the_document_anew_leaves_the_visitor_the_choice(
    visit: Visitors, demo: Demo
) -> None:
    shown = opened(visit, demo.guarded)

    shown.evaluate(MAKE_ANEW)
    assert shown.locator("#cg").is_visible()
    answer(shown, "accept")
    shown.evaluate(MAKE_ANEW)
    with shown.expect_navigation():
        shown.get_by_role("button", name="Withdraw").click()
    shown.evaluate(MAKE_ANEW)
    assert controls(shown).is_visible()
    shown.evaluate(WRITE_ANEW)

    assert controls(shown).is_visible()


FILE_OF_BANNER = re.compile(r"/_cg/banner\.[0-9a-f]+\.js$")
LATE = 1.5  # seconds: longer than the click takes
FILES: dict[str, Callable[[Route], None]] = {
    "slow": lambda route: (time.sleep(LATE), route.continue_())[1],  # type: ignore[func-returns-value]
    "failed": lambda route: route.fulfill(status=503),
    "blocked": lambda route: route.abort(),
}


def test_a_page_made_anew_before_the_banners_script_runs_asks_all_the_same(
    visit: Visitors, tmp_path: Path
) -> None:
    shop = TinyShop({"/": page('<script src="/early.js" defer></script>')}, files={"/early.js": MAKE_ANEW})
    with serving(CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))) as server:
        shown = visit().new_page()
        shown.route(FILE_OF_BANNER, FILES["slow"])
        shown.goto(server.url)

        assert shown.get_by_role("heading", name="Tiny shop").count() == 0
        shown.locator("#cg").wait_for()
        answer(shown, "reject")
        assert not asks(shown)


@pytest.mark.parametrize("fate", FILES)
def test_the_banner_takes_an_answer_without_its_script(visit: Visitors, demo: Demo, fate: str) -> None:
    shown, asked = visit().new_page(), list[str]()

    def meet(route: Route) -> None:
        asked.append(route.request.url)
        FILES[fate](route)

    shown.route(FILE_OF_BANNER, meet)
    shown.goto(demo.guarded, wait_until="commit")
    shown.get_by_role("button", name="Refuse all").click()

    controls(shown).wait_for()
    assert len(asked) == 1
    assert not asks(shown)


# As jQuery's `.html()` does it: the scripts in markup run as copies that have no attributes.
FILL = """async () => {
  const text = await (await fetch("/b", { headers: { Accept: "text/html" } })).text();
  const made = new DOMParser().parseFromString(text, "text/html"), scripts = [...made.body.querySelectorAll("script")];
  document.body.innerHTML = made.body.innerHTML;
  for (const one of scripts) {
    const copy = document.createElement("script");
    copy.text = one.textContent;
    document.head.appendChild(copy);
  }
  return [...document.scripts].map(one => one.src).filter(src => src);
}"""
PLANTED = '<div id="cg-p" data-cg="/planted.js"><p data-cg="/planted.js"></p></div>'


def test_a_page_that_a_library_fills_in_gets_the_banners_script_and_asks_for_nothing_else(
    visit: Visitors, tmp_path: Path
) -> None:
    shop = TinyShop({"/": page(), "/b": page(body=PLANTED)})
    with serving(CookieGuard(shop, Config(state_dir=str(tmp_path / "state")))) as server:
        shown = visit().new_page()
        shown.goto(server.url, wait_until="networkidle")
        asked = shown.evaluate(FILL)

    assert len(asked) == 1
    assert FILE_OF_BANNER.search(asked[0])


TAKE_OUT = {
    "once": "document.querySelector('cg-part').remove()",
    "each time": """
        let out = () => document.querySelector('cg-part')?.remove();
        new MutationObserver(out).observe(document.body, {childList: true});
        out()""",
}


@pytest.mark.parametrize("script", some_of(TAKE_OUT.values(), TAKE_OUT["each time"]), ids=TAKE_OUT)
@pytest.mark.parametrize("answered", some_of([False, True], True))
def test_a_page_that_takes_our_part_out_goes_on_as_it_was(
    visit: Visitors, demo: Demo, script: str, answered: bool
) -> None:
    shown = opened(visit, demo.guarded)
    if answered:
        answer(shown, "accept")
    text = shown.locator("main").inner_text()

    shown.evaluate(f"setTimeout(() => {{ {script}; document.body.append(document.createElement('hr')) }})")
    shown.locator("body > hr").wait_for(state="attached")

    shown.wait_for_function(
        f"document.querySelectorAll('cg-part').length === {int(script == TAKE_OUT['once'])}"
    )
    assert shown.locator("main").inner_text() == text
    assert "null" not in shown.locator("body").inner_text()


def test_a_choice_takes_effect_at_once(visit: Visitors, demo: Demo, javascript: bool) -> None:
    shown = opened(visit, f"{demo.guarded}/journal?from=letter", javascript=javascript)
    loaded = documents_of(shown)

    answer(shown, "accept")

    # With script one reload; without it the form is posted and leads back.
    assert loaded == (["GET"] if javascript else ["POST", "GET"])
    assert shown.url == f"{demo.guarded}/journal?from=letter"
    assert shown.frame_locator("iframe >> nth=0").locator("svg").count() == 1


@pytest.mark.parametrize("choice", some_of(["accept", "reject"], "accept"))
def test_unsaved_input_is_kept_and_the_visitor_is_told(visit: Visitors, demo: Demo, choice: str) -> None:
    shown = opened(visit, f"{demo.guarded}/login")
    loaded = documents_of(shown)
    shown.get_by_label("Customer number").fill("10042")

    shown.locator(f"#cg button[value={choice}]").click()
    told = shown.get_by_role("status")
    told.get_by_text(KEPT).wait_for()

    assert loaded == []
    assert shown.get_by_label("Customer number").input_value() == "10042"
    assert told.evaluate("one => one === one.getRootNode().activeElement")
    told.get_by_role("button", name="OK").click()
    assert shown.locator("#cg").count() == 0
    assert shown.get_by_label("Customer number").input_value() == "10042"
    shown.goto(demo.guarded)
    assert not asks(shown)
    assert shown.get_by_role("button", name="Withdraw").count() == (choice == "accept")


PUTS_A_FRAME = page(
    body="""<p id="here"></p><script>
const put = () => { here.innerHTML = '<iframe src="https://video.example/1" width="300" height="200"></iframe>' }
</script>"""
)


@pytest.mark.parametrize("choice", some_of([None, "accept", "reject"], "accept"))
def test_a_frame_that_a_page_makes_after_it_stayed_has_a_placeholder(
    visit: Visitors, tmp_path: Path, choice: str | None
) -> None:
    with serving(
        CookieGuard(TinyShop({"/": PUTS_A_FRAME}), Config(state_dir=str(tmp_path / "state")))
    ) as server:
        shown = opened(visit, server.url)
        shown.get_by_label("Name").fill("somebody")
        if choice is not None:
            shown.locator(f"#cg button[value={choice}]").click()
            shown.get_by_role("status").get_by_text(KEPT).wait_for()

        shown.evaluate("put()")

        place = shown.frame_locator("#here iframe")
        place.get_by_role("heading", name="video.example").wait_for(timeout=10_000)
        assert place.get_by_role("button", name="Load once").count() == 1


# What Shiny's sliders and dates do, once the page is there: the field's value is theirs, its attribute stays empty.
FILLED = page(
    body="""<label>Size <input id="size"></label>
<script>addEventListener("load", () => document.getElementById("size").value = "20")</script>"""
)


@pytest.mark.parametrize("touches", [False, True])
def test_fields_filled_by_a_script_keep_the_page_only_after_the_visitor_edits_them(
    visit: Visitors, tmp_path: Path, touches: bool
) -> None:
    with serving(CookieGuard(TinyShop({"/": FILLED}), Config(state_dir=str(tmp_path / "state")))) as server:
        shown = opened(visit, server.url)
        shown.wait_for_function("document.getElementById('size').value === '20'")
        if touches:
            shown.get_by_label("Size").click()
        loaded = documents_of(shown)

        shown.locator("#cg button[value=accept]").click()

        if touches:
            shown.get_by_role("status").get_by_text(KEPT).wait_for()
            assert loaded == []
        else:
            shown.get_by_role("button", name="Withdraw").wait_for()
            assert loaded == ["GET"]


def test_input_that_was_there_before_does_not_hold_the_page(visit: Visitors, demo: Demo) -> None:
    shown = opened(visit, f"{demo.guarded}/product/heron-teapot")  # its quantity is 1 from the start

    answer(shown, "accept")

    assert shown.get_by_role("button", name="Withdraw").is_visible()


@pytest.mark.parametrize("has_answered", some_of([False, True], True), ids=["banner", "control"])
@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_nothing_of_ours_is_printed(
    visit: Visitors, demo: Demo, javascript: bool, has_answered: bool
) -> None:
    shown = opened(visit, demo.guarded, javascript=javascript)
    if has_answered:
        answer(shown, "accept")
    assert shown.locator("#cg").is_visible()

    shown.emulate_media(media="print")

    assert shown.locator("#cg").is_hidden()


@pytest.mark.parametrize("width", some_of([320, 390, 800, 1280], 320))
@pytest.mark.parametrize("scheme", some_of(["light", "dark"], "light"))
def test_refusing_weighs_as_much_as_accepting(visit: Visitors, demo: Demo, width: int, scheme: str) -> None:
    size = {"width": width, "height": 800}
    shown = opened(visit, demo.guarded, viewport=size, color_scheme=scheme)
    refuse, accept = (shown.locator(f"#cg button[value={one}]") for one in ("reject", "accept"))

    boxes = [one.bounding_box() for one in (refuse, accept)]
    styles = [
        one.evaluate("(one, names) => names.map(name => getComputedStyle(one)[name])", STYLE)
        for one in (refuse, accept)
    ]

    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])
    assert boxes[0]["height"] >= 44
    assert boxes[0]["y"] == boxes[1]["y"]
    assert styles[0] == styles[1]
    for box in boxes:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_the_banner_is_a_labelled_region_at_the_end_of_body(
    visit: Visitors, demo: Demo, javascript: bool
) -> None:
    shown = opened(visit, demo.guarded, javascript=javascript)

    region = shown.get_by_role("region", name="Your privacy")

    assert region.get_attribute("id") == "cg"
    assert shown.locator("body > cg-part:last-child").count() == 1
    assert region.get_attribute("data-nosnippet") == ""
    assert region.get_by_role("dialog").count() == 0


def focused(of: Page) -> str:
    return str(of.locator(":focus").last.inner_text())  # the first is the element whose shadow it is in


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_everything_is_reached_by_keyboard(visit: Visitors, demo: Demo, javascript: bool) -> None:
    shown = opened(visit, demo.guarded, javascript=javascript)
    # A busy browser focuses what has `autofocus` after the page has loaded
    shown.locator("#cg:focus").wait_for()
    reached = []
    for _ in range(4):
        shown.keyboard.press("Tab")
        reached.append(focused(shown))
    assert reached == ["Privacy policy", "Choose by purpose", "Refuse all", "Accept all"]

    with shown.expect_navigation():
        shown.keyboard.press("Enter")
    assert focused(shown) == "Your choice is saved."
    shown.keyboard.press("Tab")
    assert focused(shown) == "Privacy choices"
    outline = shown.locator(":focus").last.evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline != "none"

    shown.keyboard.press("Tab")
    assert focused(shown) == "Withdraw consent"
    with shown.expect_navigation():
        shown.keyboard.press("Enter")
    assert shown.get_by_role("button", name="Withdraw").count() == 0


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_enter_in_a_checkbox_sends_what_is_ticked(visit: Visitors, demo: Demo, javascript: bool) -> None:
    shown = opened(visit, demo.guarded, javascript=javascript)
    shown.locator("#cg summary").click()
    shown.locator("#cg input[value=statistics]").check()

    with shown.expect_navigation():
        shown.locator("#cg input[value=statistics]").press("Enter")

    controls(shown).click()
    shown.wait_for_url(CHOICES)
    assert shown.get_by_label("Statistics").is_checked()
    assert not shown.get_by_label("Marketing").is_checked()


@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_the_page_of_choices_tells_and_changes_what_is_in_force(
    visit: Visitors, demo: Demo, javascript: bool
) -> None:
    shown = opened(visit, f"{demo.guarded}/journal", javascript=javascript)
    answer(shown, "save", "preferences")

    controls(shown).click()
    shown.wait_for_url(CHOICES)
    assert shown.get_by_text("You agreed to some purposes.").is_visible()
    assert shown.get_by_label("Preferences").is_checked()
    shown.get_by_label("Preferences").uncheck()
    shown.get_by_role("button", name="Save choices").click()
    shown.wait_for_url(f"{demo.guarded}/journal")

    assert shown.get_by_role("button", name="Withdraw").count() == 0


@pytest.mark.parametrize("javascript", some_of([True, False], False), ids=["with-script", "without-script"])
def test_global_privacy_control_is_not_asked_and_is_told_so(
    visit: Visitors, demo: Demo, javascript: bool
) -> None:
    shown = opened(visit, demo.guarded, javascript=javascript, gpc=True)

    assert not asks(shown)
    assert shown.locator("#cg").get_by_text("Opt-out signal honoured").is_visible()
    assert [one["name"] for one in shown.context.cookies() if "consent" in one["name"]] == []
    controls(shown).click()
    shown.wait_for_url(CHOICES)
    assert shown.get_by_text("Global Privacy Control").is_visible()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve one page a language, and one that names none."""
    pages = {
        f"/{lang}": page(lang=lang, attributes=f' dir="{texts[0]}"') for lang, texts in LANGUAGES.items()
    }
    app = TinyShop({**pages, "/none": page(lang="")})
    state = tmp_path_factory.mktemp("tiny") / "state"
    with serving(CookieGuard(app, Config(state_dir=str(state)))) as server:
        yield server.at("shop.localhost")


@pytest.mark.parametrize("lang", some_of(LANGUAGES, "ar"))
@pytest.mark.parametrize("javascript", some_of([True, False], True), ids=["with-script", "without-script"])
def test_the_banner_speaks_the_pages_language(
    visit: Visitors, tiny: str, javascript: bool, lang: str
) -> None:
    direction, title, refuse, accept, choices = LANGUAGES[lang]
    shown = opened(visit, f"{tiny}/{lang}", javascript=javascript)

    region = shown.get_by_role("region", name=title)
    assert region.evaluate("one => getComputedStyle(one).direction") == direction
    boxes = [region.get_by_role("button", name=name).bounding_box() for name in (refuse, accept)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["x"] < boxes[1]["x"]) == (direction == "ltr")
    assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])

    with shown.expect_navigation():
        region.get_by_role("button", name=refuse).click()
    control = shown.get_by_role("link", name=choices)
    box = control.bounding_box()
    assert box is not None
    assert (box["x"] > 640) == (direction == "ltr")
    control.click()
    shown.wait_for_url(CHOICES)


def test_a_page_that_names_no_language_is_asked_in_the_browsers(visit: Visitors, tiny: str) -> None:
    shown = opened(visit, f"{tiny}/none", locale="de-AT")

    assert shown.get_by_role("region", name="Ihre Privatsphäre").is_visible()
