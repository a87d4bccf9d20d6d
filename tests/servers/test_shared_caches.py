"""Behind nginx and Varnish as docs/caches.md says, pages come from the cache, and visitors are not mixed."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.servers import LOOPBACK, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from cookieguard import Config, CookieGuard, PolicyVersion, Vendor
from cookieguard.check.edge import examine_edge
from cookieguard.config.cache import CacheSettings
from servers.clients import Reply
from servers.shared_caches import (
    ADS,
    CACHES,
    CHOICES,
    HOST,
    PAGE,
    Cache,
    asking,
    choose,
    demo_shop,
    from_cache,
    libfaketime,
    nginx_cache,
)

PAGES = ("/", "/catalogue", "/catalogue?kind=bowls", "/journal", "/product/morning-mug", "/privacy")
VISITORS = 1000
EVE = datetime(2026, 12, 19, 23, 59, 58, tzinfo=UTC)  # two seconds before a day on which much changes
ADS_VENDOR = Vendor(name="Glimmer Ads", purpose="marketing", hosts=("ads.localhost:8001",))
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
    # the same header in other spellings
    lambda chosen: {"lines": (("COOKIE", f"__Host-cg_v={chosen['__Host-cg_v']}"),)},
    lambda chosen: {"lines": (("Cookie", f"a=1;\r\n\t__Host-cg_v={chosen['__Host-cg_v']}"),)},
    lambda chosen: {"lines": (("Cookie", f"a=1;__Host-cg_v={chosen['__Host-cg_v']}"),)},
    lambda chosen: {"lines": (("Cookie", f'__Host-cg_v="{chosen["__Host-cg_v"]}"'),)},
    lambda chosen: {"lines": (("Cookie", f"__Host-cg_v=u; __Host-cg_v={chosen['__Host-cg_v']}"),)},
    lambda chosen: {"lines": (("Cookie", f"{'x=1; ' * 300}__Host-cg_v={chosen['__Host-cg_v']}"),)},
    lambda chosen: {"lines": (("CG-Variant ", chosen["__Host-cg_v"]),)},
    lambda chosen: {
        "lines": (("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Dest", "document")),
        "cookies": chosen,
    },
    lambda chosen: {"cookies": chosen, "headers": {"Sec-GPC": "01"}},
    # what takes headers away between two servers
    lambda chosen: {"cookies": chosen, "headers": {"Connection": "CG-Variant"}},
    lambda chosen: {"cookies": chosen, "headers": {"Connection": "Cookie, keep-alive"}},
    # another host, scheme or address by another way
    lambda chosen: {"cookies": chosen, "host": "shop.localhost."},
    lambda chosen: {"cookies": chosen, "host": "SHOP.localhost"},
    lambda chosen: {"cookies": chosen, "host": "shop.localhost:443"},
    lambda chosen: {"cookies": chosen, "host": "other.localhost", "path": "http://shop.localhost{path}"},
    lambda chosen: {"cookies": chosen, "path": "http://other.localhost{path}"},
    lambda chosen: {"cookies": chosen, "path": "//shop.localhost{path}"},
    lambda chosen: {"cookies": chosen, "path": "{path}&cg-variant=u"},
    lambda chosen: {"cookies": chosen, "path": "{path}%00"},
    lambda chosen: {
        "cookies": chosen,
        "headers": {"X-Original-URL": "/account", "X-Rewrite-URL": "/account"},
    },
    lambda chosen: {"cookies": chosen, "headers": {"Forwarded": "host=other.localhost;proto=https"}},
    lambda chosen: {
        "cookies": chosen,
        "headers": {"X-Forwarded-Prefix": "/other", "X-Forwarded-Proto": "https"},
    },
    # another kind of request
    lambda chosen: {"cookies": chosen, "headers": {"X-HTTP-Method-Override": "POST"}},
    lambda chosen: {"cookies": chosen, "headers": {"Range": "bytes=0-99"}},
    lambda chosen: {"cookies": chosen, "headers": {"If-None-Match": "*"}},
    lambda chosen: {"cookies": chosen, "headers": {"If-Modified-Since": "Tue, 01 Dec 2037 00:00:00 GMT"}},
    lambda chosen: {"cookies": chosen, "headers": {"Cache-Control": "no-cache", "Pragma": "no-cache"}},
    lambda chosen: {"cookies": chosen, "method": "HEAD"},
    lambda chosen: {"cookies": chosen, "body": "choice=accept"},
    # another form of the answer
    lambda chosen: {"cookies": chosen, "headers": {"Accept-Encoding": "br, gzip"}},
    lambda chosen: {"cookies": chosen, "headers": {"Accept-Encoding": "identity;q=0, *;q=0"}},
    lambda chosen: {"cookies": chosen, "headers": {"Accept": "application/json"}},
    lambda chosen: {"cookies": chosen, "headers": {"Turbo-Frame": "main"}},
    lambda chosen: {"cookies": chosen, "headers": {"X-Requested-With": "XMLHttpRequest"}},
    lambda chosen: {
        "cookies": chosen,
        "headers": {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"},
    },
]


@pytest.mark.parametrize("number", range(len(POISONED)))
def test_the_first_request_decides_nothing_for_the_second(
    cache: Cache, shop: Cache, states: States, number: int
) -> None:
    path = f"/catalogue?poison={number}"

    poison(cache, path, states, number)

    assert mixed(cache, shop, path, states) == []


def poison(edge: Cache, path: str, states: States, number: int) -> None:
    """Send one of these requests over a connection of its own: a cache may refuse it, and close."""
    options = POISONED[number](states["a"][0])
    asked = options.pop("path", "{path}").replace("{path}", path)
    with closing(asking(edge.port).connection) as connection:
        replace(edge, connection=connection).ask(asked, **options)


def mixed(edge: Cache, shop: Cache, path: str, states: States) -> list[str]:
    """Return the states whose visitors get another page from a cache than from the shop."""
    found = []
    for state, (cookies, headers) in states.items():
        alone = seen(shop.ask(path, cookies=cookies, headers=headers))
        pages = [edge.ask(path, cookies=cookies, headers=headers) for _ in range(2)]
        found += [state for page in pages if seen(page) != alone]
    return found


def test_the_same_requests_poison_a_key_without_the_variant(
    shop: Cache, states: States, tmp_path: Path
) -> None:
    def without(text: str) -> str:
        return text.replace("$request_uri $cg_variant", "$request_uri", 1)

    poisoned = 0
    with nginx_cache(shop.port, tmp_path / "edge", edit=without) as edge:
        for number in range(len(POISONED)):
            path = f"/catalogue?poison={number}"
            poison(edge, path, states, number)
            undecided = edge.ask(path)
            poisoned += seen(undecided) != seen(shop.ask(path))

    assert poisoned >= 15


def test_over_http2_too_the_first_request_decides_nothing_for_the_second(
    shop: Cache, states: States, tmp_path: Path
) -> None:
    chosen = states["a"][0]
    variant = f"__Host-cg_v={chosen['__Host-cg_v']}"
    crumbs = [("cookie", f"{name}={value}") for name, value in chosen.items()]
    poisons = [
        ([("cookie", "a=1"), ("cookie", variant)], HOST),
        (crumbs, HOST),
        ([*crumbs, ("cg-variant", "u")], HOST),
        ([("cg-variant", chosen["__Host-cg_v"])], HOST),
        ([*crumbs, ("host", "other.localhost")], HOST),
        ([*crumbs, ("host", HOST)], "other.localhost"),
    ]
    with (
        nginx_cache(
            shop.port, tmp_path / "edge", edit=lambda text: text.replace("PORT;", "PORT; http2 on;")
        ) as edge,
        httpx.Client(http1=False, http2=True, base_url=f"http://{LOOPBACK}:{edge.port}") as client,
    ):
        for number, (lines, host) in enumerate(poisons):
            path = f"/catalogue?two={number}"
            asked = (
                [("host", host), *PAGE.items(), *lines]
                if "host" not in dict(lines)
                else [*PAGE.items(), *lines]
            )

            assert client.get(path, headers=asked).http_version == "HTTP/2"

            assert mixed(edge, shop, path, states) == []


def test_no_page_is_taken_for_that_of_another_state_by_its_tag(
    cache: Cache, shop: Cache, states: States
) -> None:
    tags = {
        state: cache.ask("/journal", cookies=cookies, headers=headers).headers["etag"]
        for state, (cookies, headers) in states.items()
    }

    assert len(set(tags.values())) == len(states)
    for state, (cookies, headers) in states.items():
        alone = seen(shop.ask("/journal", cookies=cookies, headers=headers))
        for other in states.keys() - {state}:
            page = cache.ask("/journal", cookies=cookies, headers={**headers, "If-None-Match": tags[other]})
            assert seen(page) == alone, (state, other)


async def tagged(request: Request) -> Response:
    """Answer with an ETag of the shop's and a max-age of one second."""
    headers = {"etag": '"v1"', "cache-control": "max-age=1"}
    if "v1" in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(f'<html lang="en"><body><img src="{ADS}/a.gif"></body></html>', headers=headers)


def test_a_cache_that_asks_whether_its_pages_are_still_right_mixes_none(tmp_path: Path) -> None:
    def revalidating(text: str) -> str:
        return text.replace("proxy_cache_lock on;", "proxy_cache_lock on; proxy_cache_revalidate on;", 1)

    settings: dict[str, Any] = {"trusted_proxies": (LOOPBACK,), "cache": CacheSettings(mode="shared")}
    config = Config(state_dir=str(tmp_path / "state"), vendors=(ADS_VENDOR,), **settings)
    guard = CookieGuard(Starlette(routes=[Route("/tagged", tagged)]), config)
    with serving(guard) as server, nginx_cache(server.port, tmp_path / "edge", edit=revalidating) as edge:
        shop, states = asking(server.port), states_of(edge)
        for _ in range(2):
            assert mixed(edge, shop, "/tagged", states) == []
            time.sleep(2.1)
        again = edge.ask("/tagged")
        tags = {edge.ask("/tagged", cookies=one).headers["etag"]: one for one, _ in states.values()}
        foreign = [
            edge.ask("/tagged", cookies=cookies, headers={"If-None-Match": tag}).status
            for tag, own in tags.items()
            for cookies in tags.values()
            if cookies is not own
        ]

    assert again.headers["x-cache"] == "REVALIDATED"
    assert len(tags) == 4  # nobody, all, nothing, some
    assert set(foreign) == {200}


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


def test_variant_header_of_a_client_affects_no_other_visitor(
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


def life_of(page: Reply) -> int:
    """Return for how many seconds shared caches may keep a page."""
    found = re.search(r"s-maxage=(\d+)", page.headers["cache-control"] or "")
    return int(found[1]) if found else 0


@pytest.mark.parametrize("edge_of", CACHES)
def test_the_end_of_a_contract_reaches_cached_pages_with_the_day(tmp_path: Path, edge_of: Any) -> None:
    times, ads = [EVE], replace(ADS_VENDOR, contract_end=EVE.date())
    with ExitStack() as stack:
        port = stack.enter_context(demo_shop(tmp_path, clock=lambda: times[0], vendors=(ads,)))
        edge = stack.enter_context(edge_of(port, tmp_path / "edge"))
        accepted = choose(edge, CHOICES["a"])
        edge.ask("/journal", cookies=accepted)
        before = edge.ask("/journal", cookies=accepted)

        times[0] += timedelta(seconds=4)
        time.sleep(3)  # what the cache keeps has two seconds to live
        after = edge.ask("/journal", cookies=accepted)

    assert from_cache(before)
    assert seen(before) != seen(after)
    assert "ads.localhost" not in after.headers["content-security-policy"]


@pytest.mark.parametrize("edge_of", CACHES)
def test_a_policy_s_day_reaches_cached_pages_with_the_day(tmp_path: Path, edge_of: Any) -> None:
    times = [EVE]
    # Not announced, so that every choice counts until that day and is asked for again on it.
    policy = PolicyVersion(version="2026-12-20", effective=date(2026, 12, 20), privacy_url="/privacy")
    with ExitStack() as stack:
        port = stack.enter_context(demo_shop(tmp_path, clock=lambda: times[0], policy=policy))
        edge, alone = stack.enter_context(edge_of(port, tmp_path / "edge")), asking(port)
        accepted = choose(edge, CHOICES["a"])
        edge.ask("/journal", cookies=accepted)
        before = edge.ask("/journal", cookies=accepted)

        times[0] += timedelta(seconds=4)
        time.sleep(3)
        after = edge.ask("/journal", cookies=accepted)
        again = edge.ask("/journal", cookies=accepted | after.cookies)
        expected = seen(alone.ask("/journal", cookies=accepted))

    assert from_cache(before)
    assert life_of(before) <= 2
    assert not from_cache(after)
    assert seen(after) == seen(again) == expected != seen(before)


@pytest.mark.parametrize("before_midnight", [1, 120, 299, 301, 86_399])
def test_no_page_is_kept_into_the_next_day(tmp_path: Path, before_midnight: int) -> None:
    now = datetime(2026, 12, 20, tzinfo=UTC) - timedelta(seconds=before_midnight)
    with demo_shop(tmp_path, clock=lambda: now) as port:
        page = asking(port).ask("/journal", headers={"CG-Variant": "u"})

    assert life_of(page) == min(before_midnight, 300)


@pytest.mark.slow
def test_a_new_vendor_reaches_cached_pages_within_300_seconds(tmp_path: Path) -> None:
    ahead = tmp_path / "ahead"  # by how much the cache's clock is ahead
    ahead.write_text("+0")
    names = {
        "FAKETIME_TIMESTAMP_FILE": str(ahead),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    # Under Varnish's own allocator the library that sets the clock hangs
    add_a_vendor(
        tmp_path,
        partial(nginx_cache, env={"LD_PRELOAD": libfaketime(), **names}),
        wait_until_old=lambda seconds: ahead.write_text(f"+{seconds}"),
    )


def add_a_vendor(tmp_path: Path, edge_of: Any, *, wait_until_old: Callable[[int], object]) -> None:
    """Restart a shop with one more vendor, and look at what is cached 200 s and 301 s after it was rendered."""
    with ExitStack() as stack:
        with demo_shop(tmp_path, vendors=()) as port:
            edge = stack.enter_context(edge_of(port, tmp_path / "edge"))
            states = states_of(edge)
            old = {state: shown for state, (_, shown) in journals(asking(port), states).items()}
            journals(edge, states)
        with demo_shop(tmp_path, port=port, vendors=(ADS_VENDOR,)):
            new = {state: shown for state, (_, shown) in journals(asking(port), states).items()}
            wait_until_old(200)
            before = journals(edge, states)
            wait_until_old(301)
            after = journals(edge, states)
            kept = {
                state: (following(cookies, after[state][0]), said)
                for state, (cookies, said) in states.items()
            }
            again = journals(edge, kept)

    assert all(from_cache(page) for page, _ in before.values())
    assert {state: shown for state, (_, shown) in before.items()} == old != new
    assert not any(from_cache(page) for page, _ in after.values())
    for state, (_, shown) in after.items():  # a choice that is not known is asked for again, once
        assert shown in (new[state], new["u"]), state
    assert {state: shown for state, (_, shown) in again.items()} == new


def journals(edge: Cache, states: States) -> dict[str, tuple[Reply, tuple[Any, ...]]]:
    """Ask for one page in every state, over a new connection; return the replies and what depends on the visitor."""
    with closing(asking(edge.port).connection) as connection:
        asker = replace(edge, connection=connection)
        pages = {
            state: asker.ask("/journal", cookies=one, headers=said) for state, (one, said) in states.items()
        }
    return {state: (page, seen(page)) for state, page in pages.items()}


def following(cookies: dict[str, str], page: Reply) -> dict[str, str]:
    """Return the cookies of a browser that got this page."""
    return {name: value for name, value in (cookies | page.cookies).items() if value}
