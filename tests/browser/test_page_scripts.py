"""A page's own scripts and tags learn the visitor's choice before any of them runs, in every state.

The recorder serves tags that tell it what they found in their queues: Google's order is what arrives there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from harness.browser import wait_until_quiet
from harness.servers import serving
from playwright.sync_api import Browser, BrowserContext, Page

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import ConsentSettings

from .conftest import Visitors, answer
from .tiny import TinyShop, page

FIRST = """<script NONCE>
window.first = [cookieguard.state, cookieguard.has("statistics"), cookieguard.has("marketing")];
window.heard = [];
addEventListener("cookieguard:change", event => heard.push(event.detail.state));
</script>"""
LINKS = """<a id="to" href="/_cg/choices" data-cg-open>Privacy</a>
<button id="by" type="button" data-cg-open><b>Privacy</b></button>"""
# As their makers document them; `AT(label)` stands for where one answers.
TAGS = """<script async src="AT(google)/tag.js"></script>
<script>
window.dataLayer = window.dataLayer || [];
function gtag() { dataLayer.push(arguments); }
gtag("js", 1); gtag("config", "G-1");
</script>
<script>!function (w, d) {
if (w.fbq) return;
var n = w.fbq = function () { n.callMethod ? n.callMethod.apply(n, arguments) : n.queue.push(arguments); };
if (!w._fbq) w._fbq = n;
n.push = n; n.loaded = true; n.version = "2.0"; n.queue = [];
var one = d.createElement("script"); one.async = true; one.src = "AT(meta)/tag.js"; d.head.append(one);
}(window, document);
fbq("init", "77"); fbq("track", "PageView");
</script>
<script>(function (w, d, s, u) {
w[u] = w[u] || [];
w[u].push("event", "view");
var one = d.createElement("script"); one.src = "AT(uet)/tag.js"; one.async = 1; d.head.append(one);
})(window, document, "script", "uetq")</script>
<script>(function (c, a, d) {
c[a] = c[a] || function () { (c[a].q = c[a].q || []).push(arguments); };
var one = d.createElement("script"); one.async = 1; one.src = "AT(clarity)/tag.js"; d.head.append(one);
})(window, "clarity", document)</script>"""
QUEUES = {
    "google": "[...dataLayer].map(one => [...one])",
    "meta": "fbq.queue.map(one => [...one])",
    "uet": "[...uetq]",
    "clarity": "[...(clarity.q || [])].map(one => [...one])",
}
TAG = 'fetch(new URL("/told", document.currentScript.src), {method: "POST", mode: "no-cors", body: JSON.stringify(%s)})'
SIGNALS = ("google", "microsoft-uet", "microsoft-clarity", "meta")
SLOW = pytest.mark.slow
FIRST_PAGE_MS = 60_000
STATES = [
    "undecided",
    "partly",
    *(pytest.param(one, marks=SLOW) for one in ("refused", "signalled", "all", "withdrawn")),
]


class Tags:
    """The vendors of the shop's tags; they record what each tag found in its queue."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        label = dict(scope["headers"])[b"host"].decode().partition(".")[0]
        self.asked.append(label)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["path"] == "/told":
            self.told[label] = json.loads(body)
        headers = [(b"content-type", b"text/javascript"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": (TAG % QUEUES[label]).encode()})

    def forget(self) -> None:
        """Start anew, once what is still on its way has arrived."""
        self.wait()
        self.asked.clear()
        self.told.clear()

    def wait(self) -> None:
        """Wait until nothing new is heard."""
        wait_until_quiet(lambda: (len(self.asked), len(self.told)))


@dataclass(frozen=True)
class World:
    """Hold the shop, the one whose tags are declared as necessary, and the tags."""

    shop: str
    needed: str
    tags: Tags


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[World]:
    """Serve both shops and the tags; on a busy machine the first page of a server and of a browser takes long."""
    tags = Tags()
    pages = {name: page(FIRST.replace("NONCE", nonce), LINKS) for name, (nonce, _) in POLICIES.items()}
    policies = {name: policy for name, (_, policy) in POLICIES.items()}
    with ExitStack() as stack:
        at = stack.enter_context(serving(tags, lifespan="off")).at("LABEL.localhost")
        text = TAGS
        for label in QUEUES:
            text = text.replace(f"AT({label})", at.replace("LABEL", label))
        shop = TinyShop(
            {**pages, "/tags": page(FIRST.replace("NONCE", "") + text)}, policies, {"/first.js": "0"}
        )
        urls = []
        for number, purposes in enumerate((("statistics", "marketing"), ("necessary", "necessary"))):
            state = str(tmp_path_factory.mktemp(f"scripts{number}") / "state")
            vendors = [
                Vendor(name=one, purpose=purposes[one != "google"], hosts=(f"{one}.localhost",))
                for one in QUEUES
            ]
            vendors.append(Vendor(name="Maps", purpose="preferences", hosts=("maps.localhost",)))
            settings = ConsentSettings(signals=SIGNALS)
            guarded = CookieGuard(shop, Config(state_dir=state, vendors=tuple(vendors), consent=settings))
            urls.append(stack.enter_context(serving(guarded)).at("shop.localhost"))
        with browser.new_context() as first:
            first.new_page().goto(urls[0], timeout=FIRST_PAGE_MS)
        yield World(*urls, tags)


POLICIES = {
    "/": ("", "script-src 'self' 'unsafe-inline'"),
    "/nonce": ('nonce="{nonce}"', "script-src 'nonce-{nonce}' 'strict-dynamic'; object-src 'none'"),
    "/file": ('src="/first.js"', "script-src 'self'; object-src 'none'"),
    "/none": ("", "script-src 'none'"),
}


def decided(visit: Visitors, url: str, state: str) -> tuple[BrowserContext, Page]:
    """Give a visitor in a state, on a page of the shop."""
    context = visit(gpc=state == "signalled")
    tab = context.new_page()
    tab.goto(url)
    if state in ("partly", "all", "withdrawn", "refused"):
        button = {"partly": "save", "refused": "reject"}.get(state, "accept")
        answer(tab, button, *(["statistics"] if state == "partly" else []))
    if state == "withdrawn":
        with tab.expect_navigation():
            tab.get_by_role("button", name="Withdraw").click()
    return context, tab


FOUND = {
    "undecided": ["undecided", False, False],
    "refused": ["refused", False, False],
    "signalled": ["undecided", False, False],
    "partly": ["partly", True, False],
    "all": ["all", True, True],
    "withdrawn": ["refused", False, False],
}


@pytest.mark.parametrize("state", STATES)
def test_the_pages_first_script_knows_the_choice(visit: Visitors, world: World, state: str) -> None:
    _, tab = decided(visit, f"{world.shop}/", state)

    assert tab.evaluate("first") == FOUND[state]
    assert tab.evaluate("cookieguard.has('necessary')") is True
    assert tab.evaluate("document.querySelectorAll('head > script[data-cg]').length") == 0


@pytest.mark.parametrize("path", ["/nonce", "/file"])
def test_a_strict_policy_of_the_shops_lets_it_in(visit: Visitors, world: World, path: str) -> None:
    tab = visit().new_page()
    faults: list[str] = []
    tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    requests: list[str] = []
    tab.on("request", lambda one: requests.append(one.url))

    tab.goto(world.shop + path)

    assert tab.evaluate("cookieguard.state") == "undecided"
    assert not faults
    own = [one for one in requests if "/_cg/" in one]
    assert bool(own) == (path == "/file")  # else no request more than the page itself


def test_a_page_that_sets_a_queue_anew_loses_no_word_of_the_choice(visit: Visitors, world: World) -> None:
    _, tab = decided(visit, f"{world.shop}/", "partly")

    told = tab.evaluate("""() => {
        dataLayer = [{page: "cup"}];
        uetq = [1];
        dataLayer = dataLayer.concat({event: "gtm.js"});
        return [dataLayer.map(one => one[1] || one), uetq.length, uetq[1]];
    }""")

    assert told == [["default", "update", {"page": "cup"}, {"event": "gtm.js"}], 7, "default"]


def test_page_that_allows_no_script_gets_none_of_ours(visit: Visitors, world: World) -> None:
    tab = visit().new_page()
    tab.goto(f"{world.shop}/none")

    assert tab.locator("script").count() == 1  # the page's own
    assert tab.locator("#cg").is_visible()


def test_the_object_cannot_be_changed(visit: Visitors, world: World) -> None:
    tab = visit().new_page()
    tab.goto(f"{world.shop}/")

    tab.evaluate("""() => {
        cookieguard.state = "all"; cookieguard.has = () => true; cookieguard.more = 1; window.cookieguard = null;
        document.body.insertAdjacentHTML("beforeend", "<form id=cookieguard></form>");
        delete window.cookieguard;
    }""")

    assert tab.evaluate("Object.keys(cookieguard)") == ["state", "has", "onchange", "open"]
    assert tab.evaluate("[cookieguard.state, cookieguard.has('marketing')]") == ["undecided", False]
    assert tab.evaluate("Object.isFrozen(cookieguard)") is True


@pytest.mark.parametrize(
    "own",
    [
        "let cookieguard = 2",
        *(
            pytest.param(one, marks=SLOW)
            for one in (
                "const cookieguard = 2",
                "var cookieguard = 2",
                "class cookieguard {}",
                "function cookieguard() {}",
            )
        ),
    ],
)
def test_a_script_of_the_shops_may_have_the_name_for_itself(visit: Visitors, world: World, own: str) -> None:
    tab = visit().new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda fault: faults.append(fault.message))
    tab.goto(f"{world.shop}/")

    tab.add_script_tag(content=f"{own}; window.found = typeof cookieguard")

    assert not faults
    assert tab.evaluate("found") == ("number" if "2" in own else "function")


def test_choice_reaches_the_pages_scripts_before_the_page_reloads(visit: Visitors, world: World) -> None:
    tab = visit().new_page()
    told: list[Any] = []
    tab.expose_function("tell", lambda said: told.append(said))  # noqa: PLW0108  # Playwright marks what it gets
    tab.goto(f"{world.shop}/")
    tab.evaluate("""() => {
        cookieguard.onchange = event => tell(["onchange", event.detail.state, event.detail.granted, cookieguard.state]);
        document.addEventListener("cookieguard:change", event => tell(["event", event.detail.state]));
    }""")

    answer(tab, "save", "statistics")

    assert told == [
        ["event", "partly"],
        ["onchange", "partly", ["necessary", "statistics"], "undecided"],
    ]
    assert tab.evaluate("first") == ["partly", True, False]


def test_choice_reaches_the_pages_scripts_if_unsaved_input_keeps_the_page(
    visit: Visitors, world: World
) -> None:
    tab = visit().new_page()
    tab.goto(f"{world.shop}/")
    tab.fill("[name=name]", "typed")

    tab.locator("#cg button[value=accept]").click()
    tab.locator("#cg .cg-k").wait_for()

    assert tab.evaluate("heard") == ["all"]
    assert tab.evaluate("cookieguard.state") == "undecided"  # what holds for this page, whose policy stays


@pytest.mark.parametrize("way", ["#to", pytest.param("#by", marks=SLOW), pytest.param("open()", marks=SLOW)])
def test_any_link_leads_to_the_choices_in_the_pages_language_and_back(
    visit: Visitors, world: World, way: str
) -> None:
    _, tab = decided(visit, f"{world.shop}/?a=1%20b", "refused")
    tab.evaluate("document.documentElement.lang = 'de'")  # this browser's is en-US

    with tab.expect_navigation():
        tab.evaluate("cookieguard.open()") if way == "open()" else tab.click(way)
    arrived = tab.url
    with tab.expect_navigation():
        tab.get_by_role("link", name="Zurück zum Shop").click()

    assert arrived == f"{world.shop}/_cg/choices?next=%2F%3Fa%3D1%2520b&lang=de"
    assert tab.url == f"{world.shop}/?a=1%20b"


def test_a_link_to_the_choices_works_without_javascript_too(visit: Visitors, world: World) -> None:
    tab = visit(javascript=False).new_page()
    tab.goto(f"{world.shop}/")

    with tab.expect_navigation():
        tab.click("#to")

    assert tab.url == f"{world.shop}/_cg/choices"


# What each tag may find in its queue: the words of its maker, before all that the shop says.

NO, YES = "denied", "granted"


def google(statistics: str, marketing: str) -> dict[str, str]:
    return {
        "ad_storage": marketing,
        "ad_user_data": marketing,
        "ad_personalization": marketing,
        "analytics_storage": statistics,
        "functionality_storage": marketing,  # preferences are agreed to with all else here
        "personalization_storage": marketing,
        "security_storage": YES,
    }


def queues(state: str) -> dict[str, list[Any]]:
    _, statistics, marketing = FOUND[state]
    counts, ads = (YES if statistics else NO), (YES if marketing else NO)
    is_decided = FOUND[state][0] != "undecided"
    return {
        "google": [
            ["consent", "default", google(NO, NO)],
            *([["consent", "update", google(counts, ads)]] if is_decided else []),
            ["js", 1],
            ["config", "G-1"],
        ],
        "meta": [
            ["consent", "grant" if marketing else "revoke"],
            ["init", "77"],
            ["track", "PageView"],
        ],
        "uet": [
            *("consent", "default", {"ad_storage": NO}),
            *(("consent", "update", {"ad_storage": ads}) if is_decided else ()),
            *("event", "view"),
        ],
        "clarity": [["consentv2", {"ad_Storage": ads, "analytics_Storage": counts}]],
    }


@pytest.mark.parametrize("state", STATES)
def test_one_default_and_one_update_come_before_all_that_a_tag_reads(
    visit: Visitors, world: World, state: str
) -> None:
    _, tab = decided(visit, f"{world.shop}/", state)
    world.tags.forget()

    tab.goto(f"{world.shop}/tags")
    world.tags.wait()

    let_in = {"partly": {"google"}, "all": set(QUEUES)}.get(state, set())
    assert set(world.tags.asked) == let_in
    assert world.tags.told == {one: queue for one, queue in queues(state).items() if one in let_in}
    for label, queue in queues(state).items():  # what lies there for nobody says the same
        assert json.loads(tab.evaluate(f"JSON.stringify({QUEUES[label]})")) == queue


@pytest.mark.parametrize("state", ["undecided", pytest.param("refused", marks=SLOW)])
def test_a_tag_that_is_declared_as_necessary_hears_of_no_consent(
    visit: Visitors, world: World, state: str
) -> None:
    _, tab = decided(visit, f"{world.needed}/", state)
    world.tags.forget()

    tab.goto(f"{world.needed}/tags")
    world.tags.wait()

    assert world.tags.told == queues(state)


def test_a_shop_that_uses_these_names_otherwise_is_not_broken(visit: Visitors, world: World) -> None:
    tab = visit().new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))

    for value in ("undefined", "null", "0", "{}", "{queue: 7}"):
        tab.goto(f"{world.shop}/")
        tab.evaluate(f"() => {{ window.fbq = {value}; window.fbq = 3; }}")
        assert tab.evaluate("fbq") == 3

    assert errors == []
