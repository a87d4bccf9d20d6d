"""While Google's tag is held, its callbacks are answered in the page: waiting code continues, and nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from harness.servers import serving

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import ConsentSettings

from .conftest import Visitors, answer
from .tiny import TinyShop, page

HEAD = """<script>
window.said = [];
const say = what => () => said.push(what);
dataLayer = [{event: "first", eventCallback: say("in the first list")}];
dataLayer.push({event: "pushed", eventCallback: say("pushed")}, {event: "none"});
const inner = dataLayer.push; dataLayer.push = function (...all) { return inner.apply(this, all); };
window.dataLayer = window.dataLayer || [];
function gtag() { dataLayer.push(arguments); }
gtag("event", "command", {event_callback: say("command")});
gtag("get", "G-1", "client_id", say("asked"));
gtag("event", "no function", {event_callback: "no"}); dataLayer.push(null, 7, "text", {eventCallback: 1});
</script>"""
ALL = ["asked", "command", "in the first list", "later", "pushed"]
# A `var` of that name hides what stands on the prototype.
OF_ITS_OWN = HEAD.replace("dataLayer = [", "var dataLayer = [", 1)
# A tag that the shop serves itself answers, and comes late.
OWN = """<script>
setTimeout(() => {
  window.google_tag_manager = {};
  dataLayer.forEach(one => one?.eventCallback?.call && one.eventCallback());
}, 50);
</script>"""
# What keeps a page hidden until the tag is there, as pages of Optimize and Tag Manager have it.
HIDDEN = """<style>.hidden { opacity: 0 }</style><script>
window.root = document.documentElement; root.className = "shop hidden";
dataLayer = [];
dataLayer.hide = {end() { root.className = "shop"; }, timeout: 600_000, "GTM-1": true};
setTimeout(() => { dataLayer.hide.end?.(); dataLayer.hide.end = null; }, 600_000);
</script>"""
LAYER = "[dataLayer.length, Array.isArray(dataLayer), JSON.stringify(dataLayer)]"


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve a guarded shop, which tells Google's tags of the choice, and its unguarded copy."""
    with ExitStack() as stack:
        shop = TinyShop({"/": page(HEAD), "/own": page(HEAD + OWN), "/hidden": page(HIDDEN)})
        guarded = CookieGuard(shop, _config(tmp_path_factory, signals=("google",)))
        served = [stack.enter_context(serving(one)) for one in (guarded, shop)]
        yield served[0].at("shop.localhost"), served[1].at("shop.localhost")


def _config(folders: pytest.TempPathFactory, signals: tuple[str, ...]) -> Config:
    return Config(
        state_dir=str(folders.mktemp("callbacks") / "state"),
        vendors=(Vendor(catalogue="google-tag-manager"),),
        consent=ConsentSettings(signals=signals),
    )


def test_each_callback_comes_once_and_the_queue_stays_as_the_page_wrote_it(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    tab, plain = visit().new_page(), visit().new_page()
    tab.goto(f"{shops[0]}/")
    plain.goto(f"{shops[1]}/")
    tab.evaluate("dataLayer.push({event: 'later', eventCallback: say('later')})")
    plain.evaluate("dataLayer.push({event: 'later', eventCallback: say('later')})")
    tab.wait_for_function("said.length >= 5")
    tab.evaluate("new Promise(go => setTimeout(go, 50))")

    assert sorted(tab.evaluate("said")) == ALL
    assert plain.evaluate("said") == []
    (size, *kind, text), (size_plain, *kind_plain, text_plain) = (one.evaluate(LAYER) for one in (tab, plain))
    # The signal, before all others
    assert tab.evaluate("[...dataLayer[0]].slice(0, 2)") == ["consent", "default"]
    assert (size, kind) == (size_plain + 1, kind_plain)
    assert json.loads(text)[1:] == json.loads(text_plain)


def test_without_signals_the_queue_is_the_pages_own_and_heard_however_it_is_made(
    visit: Visitors, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shop = TinyShop({"/": page(HEAD), "/var": page(OF_ITS_OWN), "/none": page("")})
    with serving(CookieGuard(shop, _config(tmp_path_factory, signals=()))) as served:
        tab, told = visit().new_page(), []
        for path in ("/", "/var"):
            tab.goto(f"{served.at('shop.localhost')}{path}")
            tab.evaluate("dataLayer.push({event: 'later', eventCallback: say('later')})")
            tab.wait_for_function("said.length >= 5")
            tab.evaluate("new Promise(go => setTimeout(go, 50))")
            told.append(sorted(tab.evaluate("said")))
        tab.goto(f"{served.at('shop.localhost')}/none")

        assert told == [ALL, ALL]
        assert tab.evaluate("[Array.isArray(window.dataLayer), Object.hasOwn(window, 'dataLayer')]") == [
            True,
            False,
        ]


def test_a_tag_that_the_shop_serves_itself_is_the_only_one_that_answers(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    tab = visit().new_page()
    tab.goto(f"{shops[0]}/own")
    tab.wait_for_function("said.length >= 2")
    tab.evaluate("new Promise(go => setTimeout(go, 1200))")

    assert tab.evaluate("said") == ["in the first list", "pushed"]


def test_a_page_that_is_hidden_until_the_tag_is_there_is_shown_at_once(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    tab, plain = visit().new_page(), visit().new_page()
    plain.goto(f"{shops[1]}/hidden")
    tab.goto(f"{shops[0]}/hidden")
    tab.wait_for_function("root.className == 'shop'")

    assert plain.evaluate("root.className") == "shop hidden"


def test_guard_answers_no_callbacks_if_googles_tag_is_accepted(
    visit: Visitors, shops: tuple[str, str]
) -> None:
    tab = visit().new_page()
    tab.goto(f"{shops[0]}/")
    answer(tab, "accept")
    tab.evaluate("new Promise(go => setTimeout(go, 1200))")

    assert tab.evaluate("said") == []
