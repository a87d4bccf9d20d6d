"""Behind nginx and Varnish, configured as docs/caches.md says: pages come from the cache, and none is mixed."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cookieguard import Vendor
from cookieguard.check.edge import examine_edge
from servers.clients import Reply
from servers.shared_caches import (
    ADS,
    CACHES,
    CHOICES,
    Cache,
    asking,
    choose,
    demo_shop,
    from_cache,
    nginx_cache,
)

PAGES = ("/", "/catalogue", "/catalogue?kind=bowls", "/journal", "/product/morning-mug", "/privacy")
VISITORS = 1000
States = dict[str, tuple[dict[str, str], dict[str, str]]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """Give the guarded demo shop, to be asked without a cache."""
    with demo_shop(tmp_path_factory.mktemp("shop")) as port:
        yield asking(port)


@pytest.fixture(scope="module", params=CACHES)
def cache(request: Any, shop: Cache, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """Give a cache before it."""
    with request.param(shop.port, tmp_path_factory.mktemp("cache") / "edge") as edge:
        yield edge


@pytest.fixture(scope="module")
def states(shop: Cache) -> States:
    """Give cookies and headers of visitors in five states."""
    return states_of(shop)


def states_of(shop: Cache) -> States:
    """Make the choices of five visitors."""
    chosen = {name: choose(shop, body) for name, body in CHOICES.items()}
    return {
        "u": ({}, {}),
        "n": (chosen["n"], {}),
        "a": (chosen["a"], {}),
        "p": (chosen["p"], {}),
        "a-g": (chosen["a"], {"Sec-GPC": "1"}),
    }


def seen(page: Reply) -> tuple[Any, ...]:
    """Return what of a page depends on its visitor: the policy, each element of another host, what it asks."""
    elements = re.findall(
        rf"<[a-z][^>]*{re.escape(ADS.partition('//')[2].partition('.')[0])}[^>]*>", page.text
    )
    others = re.findall(r"<(?:script|img|iframe|link|source|video)\b[^>]*\.localhost[^>]*>", page.text)
    buttons = re.findall(r'name="choice" value="([a-z]+)"', page.text)
    purposes = re.findall(r'<script data-cg="/_cg/ ([a-z ]+)"', page.text)
    return page.status, page.headers["content-security-policy"], elements, others, buttons, purposes


def test_a_thousand_visitors_in_five_states_get_no_mixed_page(
    cache: Cache, shop: Cache, states: States
) -> None:
    alone = {
        (state, path): seen(shop.ask(path, cookies=cookies, headers=headers))
        for state, (cookies, headers) in states.items()
        for path in PAGES
    }
    for path in PAGES:  # the states do differ, but for the two that nothing may be loaded in
        assert len({repr(alone[state, path]) for state in states}) == len(states)
    draw, mixed, hits, asked = random.Random(37), [], 0, 0
    for cookies, headers in states.values():
        for path in PAGES:  # warm-up
            cache.ask(path, cookies=cookies, headers=headers)
    for _ in range(VISITORS):
        state = draw.choice(list(states))
        cookies, headers = states[state]
        language = draw.choice(("de", "fr;q=0.9, en", "*", "ja"))
        for path in draw.sample(PAGES, 2):
            page = cache.ask(
                path, cookies={**cookies, "_own": "1"}, headers={**headers, "Accept-Language": language}
            )
            asked, hits = asked + 1, hits + from_cache(page)
            if seen(page) != alone[state, path]:
                mixed.append((state, path))

    assert mixed == []
    assert hits >= 0.95 * asked, f"{hits} of {asked}"


POISONED: list[Callable[[dict[str, str]], dict[str, Any]]] = [
    lambda chosen: {"headers": {"CG-Variant": chosen["__Host-cg_v"]}},  # variant without cookie
    lambda chosen: {"cookies": {"__Host-cg_consent": chosen["__Host-cg_consent"]}},  # cookie without variant
    lambda chosen: {"headers": {"CG-Variant": chosen["__Host-cg_v"]}, "cookies": {"theme": "dark"}},
    lambda chosen: {"lines": (("CG-Variant", "u"), ("CG-Variant", chosen["__Host-cg_v"]))},
    lambda chosen: {"lines": (("Cookie", "a=1"), ("Cookie", f"__Host-cg_v={chosen['__Host-cg_v']}"))},
    lambda chosen: {"lines": (("cg-VARIANT", chosen["__Host-cg_v"]),)},
    lambda chosen: {"lines": (("CG_Variant", chosen["__Host-cg_v"]),)},
    lambda chosen: {"cookies": {"__host-CG_V": chosen["__Host-cg_v"]}},
    lambda chosen: {"cookies": {"__Host-cg_v": chosen["__Host-cg_v"] + "-g"}},
    lambda chosen: {"cookies": {"__Host-cg_v": "a.00000000"}},
    lambda chosen: {"cookies": {"x": f"y __Host-cg_v={chosen['__Host-cg_v']}"}},
    lambda chosen: {"cookies": chosen, "host": "other.localhost"},
    lambda chosen: {"cookies": chosen, "headers": {"X-Forwarded-Host": "other.localhost"}},
    lambda chosen: {"cookies": chosen, "headers": {"Sec-Fetch-Dest": "iframe"}},
    lambda chosen: {"cookies": chosen, "headers": {"HX-Request": "true"}},
    lambda chosen: {"headers": {"Sec-Fetch-Dest": f"document {chosen['__Host-cg_v']}"}},
    lambda chosen: {"headers": {"Sec-GPC": "1, 0"}},
    lambda chosen: {"headers": {"Accept-Encoding": "gzip"}, "method": "HEAD"},
    lambda chosen: {"headers": {"Authorization": "Basic eDp5"}, "cookies": chosen},
]


@pytest.mark.parametrize("number", range(len(POISONED)))
def test_the_first_request_decides_nothing_for_the_second(
    cache: Cache, shop: Cache, states: States, number: int
) -> None:
    path = f"/catalogue?poison={number}"

    cache.ask(path, **POISONED[number](states["a"][0]))

    for state, (cookies, headers) in states.items():
        alone = seen(shop.ask(path, cookies=cookies, headers=headers))
        for _ in range(2):
            assert seen(cache.ask(path, cookies=cookies, headers=headers)) == alone, state


def test_a_cache_that_keeps_cookies_and_ignores_what_pages_say_gives_the_second_the_first_s_page(
    shop: Cache, states: States, tmp_path: Path
) -> None:
    def ignoring(text: str) -> str:
        ignored = "proxy_ignore_headers Cache-Control Vary Set-Cookie; proxy_cache_valid 200 60s;"
        text = text.replace("proxy_cache_lock on;", f"proxy_cache_lock on; {ignored}", 1)
        text = text.replace("proxy_set_header Cookie $cg_cookie;", "", 1)
        return text.replace("$request_uri $cg_variant", "$request_uri", 1)

    with nginx_cache(shop.port, tmp_path / "edge", edit=ignoring) as edge:
        first = edge.ask("/journal", cookies=states["a"][0])
        second = edge.ask("/journal")

    assert seen(second) == seen(first) != seen(shop.ask("/journal"))


@pytest.mark.parametrize(
    "line",
    [
        "proxy_set_header Cookie $cg_cookie;",
        '"~(?:^|; )__Host-cg_consent=" "";',
        '"~(?:^|; )__Host-cg_(?:session|cart|remember)=" 1;',
        "proxy_cache_lock on;",
    ],
)
def test_a_missing_line_costs_hits_and_mixes_nothing(
    shop: Cache, states: States, tmp_path: Path, line: str
) -> None:
    def without(text: str) -> str:
        assert line in text
        return text.replace(line, "", 1)

    with nginx_cache(shop.port, tmp_path / "edge", edit=without) as edge:
        for path in ("/", "/journal"):
            for state in [*states, *reversed(states)]:
                cookies, headers = states[state]
                alone = shop.ask(path, cookies=cookies, headers=headers)
                assert seen(edge.ask(path, cookies=cookies, headers=headers)) == seen(alone), state


def test_where_a_client_s_own_variant_passes_it_reaches_nobody_else(
    shop: Cache, states: States, tmp_path: Path
) -> None:
    def without(text: str) -> str:
        return text.replace("proxy_set_header CG-Variant $cg_variant;", "", 1)

    with nginx_cache(shop.port, tmp_path / "edge", edit=without) as edge:
        edge.ask("/journal", headers={"CG-Variant": states["a"][0]["__Host-cg_v"]})
        others = [edge.ask("/journal", cookies=cookies) for cookies, _ in states.values()]

    alone = seen(shop.ask("/journal"))
    assert [seen(one) for one in others] == [alone] * len(others)


def test_a_key_without_the_variant_gives_the_second_the_first_s_page(
    shop: Cache, states: States, tmp_path: Path
) -> None:
    def without(text: str) -> str:
        return text.replace("$request_uri $cg_variant", "$request_uri", 1)

    with nginx_cache(shop.port, tmp_path / "edge", edit=without) as edge:
        first = edge.ask("/journal", cookies=states["a"][0])
        second = edge.ask("/journal")

    assert seen(second) == seen(first) != seen(shop.ask("/journal"))


def test_a_logged_in_visitor_and_own_pages_go_past_the_cache(cache: Cache, states: States) -> None:
    own = cache.ask("/_cg/choices", cookies=states["a"][0])
    cart = cache.ask("/catalogue", cookies={**states["n"][0], "__Host-cg_session": "x"})
    again = cache.ask("/catalogue", cookies={**states["n"][0], "__Host-cg_session": "x"})

    assert "checked" in own.text  # the cookies arrived
    assert not from_cache(own)
    assert not from_cache(cart)
    assert not from_cache(again)


def test_a_cached_page_is_asked_again_and_answers_304(cache: Cache) -> None:
    page = cache.ask("/journal")

    again = cache.ask("/journal", headers={"If-None-Match": page.headers["etag"]})

    assert (again.status, page.status) == (304, 200)
    assert again.headers["etag"] == page.headers["etag"]


def test_the_check_finds_nothing_missing(cache: Cache) -> None:
    found = list(examine_edge(f"http://127.0.0.1:{cache.port}/journal"))

    assert len(found) == 10
    assert [one for one in found if one.mend] == []


@pytest.mark.parametrize(
    ("line", "instead", "named"),
    [
        ("proxy_set_header CG-Variant $cg_variant;", "", "send CG-Variant"),
        ("proxy_set_header Cookie $cg_cookie;", "", "remove Cookie"),
        ("$request_uri $cg_variant", "$request_uri", "key"),
        ('"~(?:^|; )__Host-cg_consent=" "";', "", "__Host-cg_consent"),
        ('"~(?:^|; )__Host-cg_(?:session|cart|remember)=" 1;', "", "a cookie that pages depend on"),
        ('1       "-g";', "", "append -g"),
        ("CG-Variant $cg_variant;", "CG-Variant $http_cg_variant$cg_variant;", "overwrite"),
    ],
)
def test_the_check_names_the_line_that_is_missing(
    shop: Cache, tmp_path: Path, line: str, instead: str, named: str
) -> None:
    def without(text: str) -> str:
        assert line in text
        return text.replace(line, instead, 1)

    with nginx_cache(shop.port, tmp_path / "edge", edit=without) as edge:
        found = list(examine_edge(f"http://127.0.0.1:{edge.port}/journal"))

    assert [one for one in found if named in one.mend]


def test_the_check_says_that_nothing_answers() -> None:
    (found,) = examine_edge("http://127.0.0.1:9/")

    assert found.mend


def test_the_end_of_a_contract_reaches_cached_pages_with_the_day(tmp_path: Path) -> None:
    times = [datetime(2026, 11, 27, 23, 59, 58, tzinfo=UTC)]
    ads = Vendor(
        name="Glimmer Ads", purpose="marketing", hosts=("ads.localhost:8001",), contract_end=times[0].date()
    )
    with ExitStack() as stack:
        port = stack.enter_context(demo_shop(tmp_path, clock=lambda: times[0], vendors=(ads,)))
        edge = stack.enter_context(nginx_cache(port, tmp_path / "edge"))
        accepted = choose(edge, CHOICES["a"])
        edge.ask("/journal", cookies=accepted)
        before = edge.ask("/journal", cookies=accepted)

        times[0] += timedelta(seconds=4)
        time.sleep(3)  # what the cache keeps has two seconds to live
        after = edge.ask("/journal", cookies=accepted)

    assert from_cache(before)
    assert seen(before) != seen(after)
    assert "ads.localhost" not in after.headers["content-security-policy"]
