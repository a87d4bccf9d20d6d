"""The banner's markup, its size, and its behaviour in a real browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from harness.browser import TIMEOUT_MS, chromium, playwright_started
from harness.quick import some_of
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, Route

from cookieguard.config import DEFAULT_PURPOSES, Config, ConsentSettings, PolicyVersion, Purpose, Vendor
from cookieguard.config.languages import LANGUAGES
from cookieguard.consent import Allowance, Consent, Way, decide, to_payload, write_receipt
from cookieguard.web.banner.placeholder_values import Offer, Place
from cookieguard.web.banner.renderer import RENDERED_KEPT, Renderer

HOSTILE = "<script>alert(1)</script>&\"'"
NOW = datetime(2026, 11, 24, 9, 5, tzinfo=UTC)
CONFIG = Config(
    purposes=(*DEFAULT_PURPOSES, Purpose(id="chat", title=f"Chat {HOSTILE}", description="ä")),
    vendors=(
        Vendor(name=f"Ads {HOSTILE}", purpose="marketing", hosts=("*.ads.example",), cookies=("_a*",)),
        Vendor(name="Maps", purpose="preferences", hosts=("maps.example",)),
        Vendor(name="Pay", purpose="necessary", hosts=("pay.example",), privacy_url="https://pay.example/p"),
    ),
    policy=PolicyVersion(version="2026-11", privacy_url="/privacy?a=1&b=2"),
)
IDS = frozenset(purpose.id for purpose in CONFIG.purposes)
RENDERER = Renderer(CONFIG)
PLAIN = Renderer(Config())
BASE = "/_cg/"
NO = Allowance(Way.NONE)
WAYS = [
    Allowance(Way.INLINE),
    Allowance(Way.NONCE, "n0nce+/="),
    Allowance(Way.FILE),
    Allowance(Way.FILE, "x"),
    NO,
]


# One language for each way of writing, and the longest words
SCRIPTS = ("en", "de", "ar", "el", "th", "zh-Hant")
PLACE = Place(
    lang="en",
    base=BASE,
    offer=Offer(party="@host x.example", name="x.example", purpose="marketing", once=True, always=True),
    next="/",
    anchor="",
)


def consent(*granted: str, gpc: bool = False, signal: bool = False) -> Consent:
    receipt = write_receipt(
        frozenset(granted), purposes=IDS, policy=CONFIG.policy, banner="", gpc=gpc, now=NOW
    )
    return decide(to_payload(receipt), gpc=signal, policy=CONFIG.policy, purposes=IDS, now=NOW)


def parsed(markup: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(b"<div>" + markup + b"</div>")


def size(markup: bytes) -> int:
    return len(gzip.compress(markup, 9, mtime=0))


# The budget of the banner: 3 KB, its script 2 KB, and 400 bytes once answered (the script is a file). The value
# that keeps forms of others from acting comes on top: 12 characters of chance, which no coding makes shorter.
VALUE = "q8Zr-2kVx_0T"
FORMS_OF_OTHERS = 185  # bytes, packed: no form that a script renders posts to our pages
HIDDEN_NAMES = 20  # and no picture's name hides the document's body from the banner's script
ITS_FIELD = 27  # bytes, packed, of the field in the control


def test_the_script_that_keeps_the_control_is_at_most_320_bytes_and_that_of_live_pages_890() -> None:
    way = Allowance(Way.INLINE)

    assert 100 < len(RENDERER.live_script(base=BASE, script=way)) <= 320
    assert 400 < len(RENDERER.live_script(base=BASE, script=way, stamp="0" * 12)) <= 890


def test_a_stale_page_that_answered_a_post_is_asked_for_by_a_get() -> None:
    way = Allowance(Way.INLINE)
    read, posted = (
        RENDERER.live_script(base=BASE, script=way, stamp="0" * 12, posted=posted) for posted in (False, True)
    )

    assert (read.count(b"location.reload()"), posted.count(b"location.reload()")) == (1, 0)
    assert posted.count(rb'location.search+="\x26"') == 1


def test_the_script_that_clears_storage_is_at_most_700_bytes_beside_the_names() -> None:
    script = RENDERER.forget_script(('_a&"b', "_ga_*"), base=BASE, script=Allowance(Way.INLINE))

    assert script.startswith(b'<script data-k="_a&amp;&#34;b _ga_*">')
    assert 100 < len(script) <= 700


def test_the_guard_is_at_most_1650_bytes_and_waited_for() -> None:
    name, guard = next((name, one) for name, one in PLAIN.assets.items() if name.startswith("guard."))
    script = PLAIN.guard_script("^x", "^y$", base=BASE, script=Allowance(Way.FILE, "n0nce"))

    assert 1000 < size(guard.content) <= 1650
    assert script.startswith(b'<script data-cg="^x ^y$ /_cg/places.')
    assert script.endswith(f'src="/_cg/{name}" nonce="n0nce"></script>'.encode())


def test_markup_of_a_shop_has_no_word_that_makes_the_guard_look_at_each_of_its_tags() -> None:
    guard = next(one for name, one in PLAIN.assets.items() if name.startswith("guard."))
    written = re.search(rb"=/(specu.+?)/i,", guard.content)
    assert written
    suspect = re.compile(written[1].decode(), re.IGNORECASE)
    card = '<li><a href="/p?a=1&amp;b=2">Pot &lt;new&gt;, Ann&#39;s</a><meta itemprop="sku" content="1"></li>'
    concerned = (
        "<iframe src=",
        "<base href=",
        '<meta http-equiv="re&#102;resh"',
        "<link rel=dns&#x2d;prefetch",
    )

    assert not suspect.search(card)
    assert all(suspect.search(one) for one in concerned)


def test_what_tells_scripts_and_tags_of_the_choice_is_small_and_waited_for() -> None:
    found = {name.partition(".")[0]: one for name, one in PLAIN.assets.items()}
    script = PLAIN.script_with_words("api.js", '/"_cg/ all', base=BASE, script=Allowance(Way.FILE, "n0nce"))

    assert 200 < size(found["api"].content) <= 400 + FORMS_OF_OTHERS
    assert 400 < size(found["signals"].content) <= 800
    assert 200 < size(found["callbacks"].content) <= 550
    assert script.startswith(b'<script data-cg="/&#34;_cg/ all" src="/_cg/api.')
    assert script.endswith(b'.js" nonce="n0nce"></script>')


def test_both_scripts_of_a_page_that_asks_are_at_most_2_kb_together() -> None:
    assets = {name.partition(".")[0]: one for name, one in PLAIN.assets.items() if name.endswith(".js")}

    assert size(assets["banner"].content + assets["api"].content) <= 2048 + FORMS_OF_OTHERS + HIDDEN_NAMES


@pytest.mark.parametrize("next_", ["/CG-SNONCE", "/?a=CG-JNONCE&b=CG-NQUERY"])
def test_a_path_that_names_a_marker_is_not_filled(next_: str) -> None:
    nonced = Allowance(Way.NONCE, "SECRET")

    page = RENDERER.banner("en", base=BASE, next_=next_, style=nonced, script=nonced)

    assert f'value="{next_.replace("&", "&amp;")}"'.encode() in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_banner_and_script_stay_within_their_budget(lang: str) -> None:
    banner = PLAIN.banner(lang, base=BASE, next_="/product/12", script=NO)
    script = next(
        asset for name, asset in PLAIN.assets.items() if name.startswith("banner") and name.endswith(".js")
    )

    assert size(banner) <= 3072
    assert size(script.content) <= 2048


@pytest.mark.parametrize("lang", LANGUAGES)
def test_control_stays_within_its_budget_and_brings_no_script(lang: str) -> None:
    # Letters beyond ASCII travel as references of seven bytes each, so that they survive any encoding of the page.
    most = 400 if lang in ("en", "de") else 460
    control = PLAIN.control(lang, consent("marketing"), base=BASE, next_="/product/12", value=VALUE)
    holding = PLAIN.control(
        lang, consent("marketing"), base=BASE, next_="/product/12", value=VALUE, holds=True
    )

    assert size(control) <= most + ITS_FIELD
    assert 30 < size(holding) - size(control) <= 60  # that held pictures keep their boxes
    assert b"<script" not in control


@pytest.mark.parametrize("lang", SCRIPTS)
@pytest.mark.parametrize("style", WAYS)
@pytest.mark.parametrize("script", WAYS)
def test_everything_is_ascii_and_well_formed(lang: str, style: Allowance, script: Allowance) -> None:
    path = "/a\"b<c>'?x=1&y=2"
    parts = [
        part
        for shadow in (True, False)
        for part in (
            RENDERER.banner(
                lang, base=BASE, next_=path, note="not_kept", style=style, script=script, shadow=shadow
            ),
            RENDERER.control(lang, consent("chat"), base=BASE, next_=path, style=style, shadow=shadow),
        )
    ]

    for markup in parts:
        assert markup.isascii()
        assert b"CG-" not in markup
        root = parsed(markup)
        fields = [field.get("value") for field in root.iter("input") if field.get("name") == "next"]
        assert fields == [path]


@pytest.mark.parametrize("granted", [(), ("chat",)])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shadow", [True, False])
def test_our_part_is_one_element_that_no_shop_has_and_without_a_blank_around_it(
    granted: tuple[str, ...], way: Allowance, shadow: bool
) -> None:
    """React hydrates a document by names: a `div` of ours would be taken for the shop's, a blank for its text."""
    banner = RENDERER.banner("en", base=BASE, next_="/", style=way, script=way, shadow=shadow)
    control = RENDERER.control("en", consent(*granted), base=BASE, next_="/", style=way, shadow=shadow)

    for markup in (banner, control):
        root = parsed(markup)
        assert [child.tag for child in root] == ["cg-part"]
        assert (root.text, root[0].tail) == (None, None)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_a_shadow_no_swapper_of_pages_takes_our_forms(lang: str) -> None:
    for markup in (
        RENDERER.banner(lang, base=BASE, next_="/", shadow=False),
        RENDERER.control(lang, consent("chat"), base=BASE, next_="/", shadow=False),
    ):
        [form] = parsed(markup).iter("form")

        assert (form.get("data-turbo"), form.get("hx-boost")) == ("false", "false")


def test_a_browser_without_declarative_shadows_gets_a_link_to_the_choices() -> None:
    for markup in (
        RENDERER.banner("en", base=BASE, next_="/a?b"),
        RENDERER.control("en", consent("chat"), base=BASE, next_="/a?b"),
    ):
        part = parsed(markup).find("cg-part")
        assert part is not None

        assert [link.get("href") for link in part.findall("a")] == ["/_cg/choices?next=/a%3Fb"]
        assert part.find("template").get("shadowrootmode") == "open"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_refusing_is_as_easy_as_accepting(lang: str) -> None:
    root = parsed(RENDERER.banner(lang, base=BASE, next_="/"))
    form = root.find(".//form")
    assert form is not None

    row = form.findall("./div[@class='cg-a']/button")

    assert [button.get("value") for button in row] == ["reject", "accept"]
    assert {frozenset(button.attrib) for button in row} == {frozenset({"name", "value"})}
    assert (form.get("method"), form.get("action")) == ("post", "/_cg/consent")
    assert (form.get("data-turbo"), form.get("hx-boost")) == ("false", "false")
    ticks = {
        box.get("value"): box.get("checked") for box in form.iter("input") if box.get("name") == "purpose"
    }
    assert ticks == {"necessary": "", **dict.fromkeys(IDS - {"necessary"})}


def test_enter_in_the_form_never_accepts() -> None:
    pages = [
        RENDERER.banner("en", base=BASE, next_="/"),
        RENDERER.choices_page("en", Consent(), base=BASE, next_="/"),
    ]

    first = [re.search(rb'<button name="choice" value="(\w+)"', page) for page in pages]

    assert [match and match[1] for match in first] == [b"save", b"save"]


def test_banner_is_a_labelled_region_search_engines_leave_alone() -> None:
    section = parsed(RENDERER.banner("ar", base=BASE, next_="/")).find(".//section")
    assert section is not None

    heading = section.find(f".//*[@id='{section.get('aria-labelledby')}']")

    assert heading is not None
    assert heading.text == "خصوصيتك"
    assert (section.get("lang"), section.get("dir"), section.get("data-nosnippet")) == ("ar", "rtl", "")


def test_control_offers_withdrawal_only_where_there_is_something_to_withdraw() -> None:
    refused = parsed(RENDERER.control("en", consent(), base=BASE, next_="/a?b=c&d"))
    granted = parsed(RENDERER.control("en", consent("chat"), base=BASE, next_="/a?b=c&d"))
    signal = RENDERER.control("en", Consent(gpc=True), base=BASE, next_="/")

    assert refused.find(".//form") is None
    assert [button.get("value") for button in granted.iter("button")] == ["reject"]
    assert {link.get("href") for root in (refused, granted) for link in root.iter("a")} == {
        "/_cg/choices?next=/a%3Fb%3Dc%26d"
    }
    assert b"Opt-out signal" in signal


def test_hostile_names_and_paths_are_text_everywhere() -> None:
    pages = [
        RENDERER.banner("en", base=BASE, next_=f"/{HOSTILE}", script=NO),
        RENDERER.choices_page("en", consent("chat"), base=BASE, next_=f"/{HOSTILE}"),
    ]

    for page in pages:
        assert b"<script" not in page.replace(b'<script src="/_cg/stale.', b"")
        assert b"&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_choices_page_shows_purposes_vendors_and_what_is_in_force(lang: str) -> None:
    made = consent("marketing")
    page = RENDERER.choices_page(lang, made, base=BASE, next_="/cart")
    root = ElementTree.fromstring(page.removeprefix(b"<!doctype html>\n"))
    text = "".join(root.itertext())

    ticks = {
        box.get("value"): box.get("checked") for box in root.iter("input") if box.get("type") == "checkbox"
    }
    assert {name for name, checked in ticks.items() if checked is not None} == {"necessary", "marketing"}
    for shown in ("*.ads.example", "_a*", "pay.example", "2026-11", made.receipt_id):
        assert shown in text
    assert [button.get("value") for button in root.iter("button")] == ["save", "reject", "accept"]
    assert root.find(".//a[@href='/cart']") is not None
    assert root.get("dir") == ("rtl" if lang in ("ar", "fa", "he") else "ltr")


@pytest.mark.parametrize(
    ("in_force", "texts"),
    [
        (Consent(), ["You have not chosen yet"]),
        (Consent(gpc=True), ["it is honoured"]),
        (consent("chat", signal=True), ["it is honoured", "does not apply while the signal is on"]),
        (
            consent("chat", gpc=True, signal=True),
            ["nevertheless", "You agreed to some purposes", "24 November 2026, 09:05"],
        ),
        (consent(), ["You refused everything"]),
        (consent(*IDS), ["You agreed to all purposes"]),
    ],
)
def test_choices_page_says_what_the_signal_means(in_force: Consent, texts: list[str]) -> None:
    page = RENDERER.choices_page("en", in_force, base=BASE, next_="/").decode()

    assert all(text in page for text in texts)


def test_wording_is_found_again_by_the_hash_in_the_form() -> None:
    for lang in LANGUAGES:
        markup = RENDERER.banner(lang, base=BASE, next_="/", value=VALUE)
        found = re.search(rb'name="banner" value="(\w+)\.%b"' % VALUE.encode(), markup)
        assert found
        posted = found[1].decode()

        assert RENDERER.known_banner(posted) == posted == RENDERER.banner_hash(lang)
        assert b"Chat" in RENDERER.wordings[posted]
    assert RENDERER.known_banner("0123456789abcdef") == ""
    assert PLAIN.banner_hash("en") != RENDERER.banner_hash("en")


def test_files_named_in_the_markup_are_there() -> None:
    way = Allowance(Way.FILE)
    markup = (
        RENDERER.banner("en", base=BASE, next_="/", style=way, script=way)
        + RENDERER.control("en", Consent(), base=BASE, next_="/", style=way, is_new=True, holds=True)
        + RENDERER.control("en", Consent(), base=BASE, next_="/", style=way, shadow=False)
        + RENDERER.control("en", Consent(), base=BASE, next_="/", news=Coming(), style=way)
        + RENDERER.choices_page("en", Consent(), base=BASE, next_="/")
        + RENDERER.live_script(base=BASE, script=way)
        + RENDERER.live_script(base=BASE, script=way, stamp="0" * 12, posted=True)
        + RENDERER.once_script(base=BASE, script=way)
        + RENDERER.forget_script(("_ga_*",), base=BASE, script=way)
        + RENDERER.place_page(PLACE)
        + RENDERER.guard_script("x", "y", base=BASE, script=way)
        + RENDERER.script_with_words("api.js", "x", base=BASE, script=way)
        + RENDERER.script_with_words("signals.js", "x", base=BASE, script=way)
        + RENDERER.script_with_words("callbacks.js", "", base=BASE, script=way)
        + RENDERER.script_with_words("meta.js", "", base=BASE, script=way)
        + RENDERER.script_with_words("seen.js", "", base=BASE, script=way)
    )

    named = {name.decode() for name in re.findall(rb'(?:src="|href="|y )/_cg/([\w.]+\.(?:css|js))"', markup)}

    assert named == set(RENDERER.assets)
    assert all(asset.content.isascii() for asset in RENDERER.assets.values())
    # Inline they stand in HTML and in XHTML: neither character may end or break them.
    assert not any(set(asset.content) & set(b"<&") for asset in RENDERER.assets.values())


def test_shops_default_language_is_used_last() -> None:
    renderer = Renderer(Config(consent=ConsentSettings(language="de")))

    assert renderer.pick_language("qaa", "") == "de"
    assert renderer.pick_language("en-GB", "ar") == "en"


def test_rendered_texts_are_bounded_against_endless_hosts() -> None:
    renderer = Renderer(Config())

    for number in range(RENDERED_KEPT + 5):
        renderer.banner("en", base=f"https://h{number}.example/_cg/", next_="/")

    assert len(renderer._rendered) <= RENDERED_KEPT


@given(st.text(max_size=80))
def test_any_path_comes_back_as_it_went_in(path: str) -> None:
    clean = re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "", "/" + path.strip()).replace("\r", "")
    root = parsed(RENDERER.banner("en", base=BASE, next_=clean, script=NO))

    [field] = [one for one in root.iter("input") if one.get("name") == "next"]

    assert field.get("value") == re.sub(r"[\t\n]", " ", clean)


# In a real browser.

SHOP = """<!doctype html><html lang="{lang}"><head><meta name="viewport" content="width=device-width">
<style>button{{background:hotpink;width:100%}}h2{{font-size:60px}}form{{margin:3em}}p{{text-align:center}}</style>
</head><body><form id="own"><input name="q" value="preset"><input type="range"><select><option>a<option>b</select>
<textarea>t</textarea></form><p style="height:1500px">shop</p><a id="last" href="#">imprint</a></body></html>{part}"""


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    """Launch the Chromium that all tests of this file share."""
    with playwright_started() as started, chromium(*started) as browser:
        yield browser


@pytest.fixture
def browser(launched: Browser) -> Iterator[Browser]:
    """Give the browser, and close the pages that a test opened: each costs CPU for as long as it is open."""
    yield launched
    for context in launched.contexts:
        context.close()


class Shop:
    """Serve one page with our part in it, and keep what was posted."""

    def __init__(self, part: bytes, *, lang: str = "en", answer: str = '{"ok": true}') -> None:
        self.html = SHOP.format(lang=lang, part=part.decode())
        self.answer = answer
        self.posts: list[dict[str, list[str]]] = []
        self.accepts: list[str] = []
        self.views: list[str] = []

    def serve(self, route: Route) -> None:
        request = route.request
        if request.method == "POST":
            self.posts.append(parse_qs(request.post_data or ""))
            self.accepts.append(request.headers["accept"])
            is_script = request.headers["accept"] == "application/json"
            route.fulfill(
                body=self.answer if is_script else "plain",
                content_type="application/json" if is_script else "text/html",
            )
            return
        self.views.append(request.url)
        route.fulfill(body=self.html, content_type="text/html")

    def open(self, browser: Browser, **options: Any) -> Page:
        page = browser.new_page(**options)
        page.set_default_timeout(TIMEOUT_MS)
        page.route("**/*", self.serve)
        page.goto("http://shop.test/p?a=1#top")
        return page


def banner(lang: str = "en", **options: Any) -> bytes:
    return PLAIN.banner(lang, base=BASE, next_=options.pop("next_", "/p?a=1"), value=VALUE, **options)


@pytest.mark.browser
def test_script_sends_the_ticked_purposes_and_reloads(browser: Browser) -> None:
    shop = Shop(banner())
    page = shop.open(browser)

    page.click("#cg summary")
    page.check("#cg [value=statistics]")
    with page.expect_navigation():
        page.click("#cg [value=save]")

    assert shop.posts == [
        {
            "next": ["/p?a=1"],
            "banner": [f"{PLAIN.banner_hash('en')}.{VALUE}"],
            "purpose": ["statistics"],
            "choice": ["save"],
        }
    ]
    assert shop.accepts == ["application/json"]
    assert shop.views == ["http://shop.test/p?a=1"] * 2
    page.close()


# Where the lines of each link of the control begin.
STARTS = """[...document.querySelector('#cg').shadowRoot.querySelectorAll('a,button')].map(
    link => { const range = document.createRange(); range.selectNodeContents(link)
      return [...new Set([...range.getClientRects()].map(one => Math.round(one.left)))] })"""


@dataclass(frozen=True)
class Coming:
    name: str = "2026-12-20"
    effective: date = date(2026, 12, 20)


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["de", "fr", "ja"])
def test_on_a_phone_each_link_of_the_control_keeps_its_lines_below_each_other(
    browser: Browser, lang: str
) -> None:
    control = PLAIN.control(lang, consent("marketing"), base=BASE, next_="/", news=Coming(), value=VALUE)
    page = Shop(control).open(browser, viewport={"width": 390, "height": 844})

    starts = page.evaluate(STARTS)

    assert len(starts) == 4  # choices, withdrawal, what changes, how to object
    assert all(len(lines) == 1 for lines in starts)
    page.close()


@pytest.mark.browser
def test_page_that_answered_a_post_is_left_for_its_next_path(browser: Browser) -> None:
    shop = Shop(banner(next_="/cart"))
    page = shop.open(browser)

    page.click("#cg [value=accept]")
    page.wait_for_url("http://shop.test/cart")

    assert [post["choice"] for post in shop.posts] == [["accept"]]
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    "typing",
    some_of(
        [
            "own.q.value = 'typed'",
            "own.querySelector('select').selectedIndex = 1",
            "own.querySelector('textarea').value = ''",
        ],
        "own.q.value = 'typed'",
    ),
)
def test_unsaved_input_is_not_lost(browser: Browser, typing: str) -> None:
    shop = Shop(banner())
    page = shop.open(browser)
    page.mouse.click(4, 4)  # somebody was here: what scripts alone fill in is no input
    page.evaluate(f"const own = document.getElementById('own'); {typing}")

    page.click("#cg [value=reject]")
    page.wait_for_selector("#cg .cg-k", state="visible")

    assert len(shop.views) == 1
    assert [post["choice"] for post in shop.posts] == [["reject"]]
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "cg-k"
    page.click("#cg .cg-k button")
    assert page.query_selector("#cg") is None
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("answer", some_of(["no json", '{"ok": false}'], "no json"))
def test_failed_post_goes_the_plain_way(browser: Browser, answer: str) -> None:
    shop = Shop(banner(), answer=answer)
    page = shop.open(browser)

    page.click("#cg [value=accept]")
    page.wait_for_url("http://shop.test/_cg/consent")

    assert [post["choice"] for post in shop.posts] == [["accept"], ["accept"]]
    assert shop.accepts[0] == "application/json" != shop.accepts[1]
    page.close()


@pytest.mark.browser
def test_form_works_without_javascript_and_enter_saves(browser: Browser) -> None:
    shop = Shop(banner())
    page = shop.open(browser, java_script_enabled=False)

    page.click("#cg summary")
    page.check("#cg [value=marketing]")
    page.press("#cg [value=marketing]", "Enter")
    page.wait_for_url("http://shop.test/_cg/consent")

    assert [(post["choice"], post["purpose"]) for post in shop.posts] == [(["save"], ["marketing"])]
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("lang", some_of(SCRIPTS, "ar", "th"))
@pytest.mark.parametrize("width", some_of([320, 390, 1280], 320))
def test_banner_gives_both_buttons_one_size_and_leaves_the_page_in_reach(
    browser: Browser, lang: str, width: int
) -> None:
    page = Shop(banner(lang), lang=lang).open(browser, viewport={"width": width, "height": 700})
    refuse, accept = (page.locator(f"#cg [value={one}]") for one in ("reject", "accept"))
    looks = "e => { const s = getComputedStyle(e); return [s.color, s.backgroundColor, s.font, s.border] }"

    sizes = [(box["width"], box["height"]) for box in (refuse.bounding_box(), accept.bounding_box()) if box]
    whole = page.locator("#cg").bounding_box()

    assert len(sizes) == 2
    assert sizes[0] == pytest.approx(sizes[1])
    assert sizes[0][1] >= 44
    assert refuse.evaluate(looks) == accept.evaluate(looks)
    assert whole is not None
    assert whole["height"] <= 0.7 * 700 + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.focus("#last")
    link = page.locator("#last").bounding_box()
    assert link is not None
    assert link["y"] + link["height"] <= whole["y"]
    page.close()


@pytest.mark.browser
def test_nothing_of_ours_is_printed(browser: Browser) -> None:
    for part in (banner(), PLAIN.control("en", consent("chat"), base=BASE, next_="/")):
        page = Shop(part).open(browser)
        assert page.locator("#cg").is_visible()
        page.emulate_media(media="print")
        assert not page.locator("#cg").is_visible()
        page.close()


@pytest.mark.browser
def test_withdrawing_is_one_click(browser: Browser) -> None:
    shop = Shop(PLAIN.control("en", consent("marketing"), base=BASE, next_="/p", value=VALUE))
    page = shop.open(browser, java_script_enabled=False)

    page.click("#cg button")
    page.wait_for_url("http://shop.test/_cg/consent")

    assert shop.posts == [{"next": ["/p"], "banner": [f".{VALUE}"], "choice": ["reject"]}]
    page.close()


# Purposes of the shop's own


@pytest.mark.browser
def test_a_page_that_takes_the_form_out_of_its_control_runs_on(browser: Browser) -> None:
    live = RENDERER.live_script(base=BASE, script=Allowance(Way.INLINE))
    part = RENDERER.control("en", consent("marketing"), base=BASE, next_="/", shadow=False)
    page = Shop(live + part).open(browser)

    page.evaluate("setTimeout(() => document.querySelector('#cg form').remove(), 10)")
    page.wait_for_function("!document.querySelector('#cg form')", timeout=TIMEOUT_MS)
    assert page.evaluate("document.querySelectorAll('#cg').length") == 1
    page.close()


@pytest.mark.browser
def test_the_word_that_a_choice_is_saved_leaves_a_page_without_shadows_its_paragraphs(
    browser: Browser,
) -> None:
    part = RENDERER.control("en", consent(), base=BASE, next_="/", shadow=False, is_new=True)
    page = Shop(part).open(browser)

    places = "[...document.querySelectorAll('p')].map(one => getComputedStyle(one).position)"
    assert page.evaluate(places) == ["static", "fixed"]
    page.close()


def banner_of(purpose: Purpose, page_lang: str, *, default: str = "en") -> str:
    renderer = Renderer(Config(purposes=(purpose,), consent=ConsentSettings(language=default)))
    lang = renderer.pick_language(page_lang, "ar")
    return renderer.banner(lang, base=BASE, next_="/").decode()


@pytest.mark.parametrize(
    ("page_lang", "title", "refuse"),
    [("de", "Plaudern", "Alle ablehnen"), ("en", "Chat", "Refuse all"), ("ar", "Chat", "Refuse all")],
)
def test_a_banner_speaks_only_languages_that_every_purpose_has_words_in(
    page_lang: str, title: str, refuse: str
) -> None:
    banner = banner_of(Purpose(id="chat", title={"en": "Chat", "de": "Plaudern"}), page_lang)

    assert f">{title}<" in banner or title in banner
    assert refuse in banner
    assert ("Marketing" in banner) is True  # the default ones are there as well


def test_a_renamed_default_purpose_keeps_our_words_in_other_languages() -> None:
    purpose = Purpose(id="statistics", title={"de": "Besuche zählen"})

    assert "Besuche z&#228;hlen" in banner_of(purpose, "de")
    assert "Statistics" in banner_of(purpose, "en")


def test_one_text_among_words_of_another_language_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    renderer = Renderer(Config(purposes=(Purpose(id="chat", title="Chat"),)))

    for lang in ("en", "de", "de", "en"):
        renderer.banner(lang, base=BASE, next_="/")

    (record,) = caplog.records
    assert (
        "purposes.chat: one text is used for every language and consent.language is 'en'"
        in record.getMessage()
    )
    assert "but a banner was shown in 'de', so it mixed two languages" in caplog.text
    assert """give a text for each, title = { en = "...", de = "..." }, or set""" in caplog.text
    caplog.clear()
    PLAIN.banner("de", base=BASE, next_="/")
    assert caplog.records == []
