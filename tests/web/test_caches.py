"""Shared caches may keep pictures, and never an answer that depends on a visitor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import CookieGuard, Vendor

Guard = Callable[..., CookieGuard]
PICTURE = [("content-type", "image/png"), ("cache-control", "public, max-age=60"), ("etag", '"p"')]


@pytest.mark.parametrize(
    "condition",
    [
        ("if-none-match", '"p"'),
        ("if-modified-since", "Tue, 24 Nov 2026 12:00:00 GMT"),
        ("range", "bytes=0-9"),
    ],
)
def test_a_cache_that_revalidates_a_picture_may_keep_it(guard: Guard, condition: tuple[str, str]) -> None:
    answer = ask(guard(page(b"x", headers=PICTURE)), headers=[condition, ("accept", "image/*")])

    assert answer.headers == PICTURE


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("image/svg+xml", [("sec-fetch-dest", "image")]),
        ("image/svg+xml", [("sec-fetch-dest", "empty")]),
        ("application/rss+xml", [("accept", "*/*")]),
        ("application/xml", []),
    ],
)
def test_a_drawing_and_a_site_map_are_the_same_for_everyone_and_a_cache_may_keep_them(
    guard: Guard, kind: str, asked: list[tuple[str, str]]
) -> None:
    app = guard(page(b"<a/>", headers=[("content-type", kind), *PICTURE[1:]]))
    posted = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    choice = ask(app, path="/_cg/consent", method="POST", headers=posted, body=b"choice=accept")
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in choice.cookies().items()))

    first, second = ask(app, headers=asked), ask(app, headers=[*asked, cookie])

    assert first.headers == second.headers
    assert first.get("cache-control") == "public, max-age=60"
    assert first.get("vary") == "Sec-Fetch-Dest, Accept"
    # Out of a cache that knows no Vary
    assert "ads.example" not in first.get("content-security-policy") != ""
    assert "private" in ask(app, headers=[("sec-fetch-dest", "object"), cookie]).get("cache-control")


def test_a_drawing_that_a_worker_stores_ahead_does_not_vary_by_what_pictures_accept(guard: Guard) -> None:
    app = guard(page(b"<svg/>", headers=[("content-type", "image/svg+xml"), *PICTURE[1:]]))

    def varies(mode: str) -> str:
        asked = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", mode), ("accept", "*/*")]
        return ask(app, headers=asked).get("vary")

    assert varies("cors") == varies("no-cors") == "Sec-Fetch-Dest, Sec-Fetch-Mode"
    # A worker that passes a navigation on asks so.
    assert varies("navigate") == varies("same-origin") == "Sec-Fetch-Dest, Accept"


def test_a_vendor_behind_a_path_of_the_shop_leaves_its_other_paths_cacheable(guard: Guard) -> None:
    vendor = Vendor(name="Matomo", purpose="statistics", hosts=("shop.example/matomo/",))
    app = guard(page(b"x", headers=PICTURE), vendors=(vendor,))

    assert ask(app, path="/picture.png").headers == PICTURE
    assert ask(app, path="/matomo/m.png").status == 403


@pytest.mark.parametrize(
    "name",
    [
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        "X-LiteSpeed-Cache-Control",
        "Surrogate-Control",
        "Edge-Control",
        "X-Accel-Expires",
    ],
)
def test_no_cache_in_front_is_told_to_keep_a_page_of_one_visitor(guard: Guard, name: str) -> None:
    header = (name, "max-age=60")

    of_a_page = ask(guard(page(b"<!doctype html><body>x", headers=[*HTML, header])))
    of_a_picture = ask(guard(page(b"x", headers=[*PICTURE, header])))

    assert "max-age=60" not in str(of_a_page.headers)
    assert of_a_page.get("cache-control") == "private"
    assert (name.lower(), "max-age=60") in of_a_picture.headers


@pytest.mark.parametrize(
    "kind", [[], HTML, [("content-type", "text/html; charset=utf-8"), ("set-cookie", "lang=de")]]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/next", "https://shop.example/next?a=1", "http://shop.example:35407/", "?page=2"]
)
def test_a_redirect_shows_nothing_and_stays_as_cacheable_as_it_was(
    guard: Guard, kind: list[tuple[str, str]], status: int, location: str
) -> None:
    headers = [*kind, ("location", location), ("cache-control", "public, max-age=3600"), ("vary", "Accept")]
    cookie = [("cookie", "lang=de")]

    assert ask(guard(page(b"", status=status, headers=headers))).headers == headers
    assert ask(guard(page(b"", status=status, headers=headers)), headers=cookie).headers == headers


# Browsers show the body beside an empty one; where the others lead is not sure.
@pytest.mark.parametrize(
    "location", ["", "http://[/", "http://a b/", "//shop.example/", "mailto:a@shop.example"]
)
def test_body_of_a_redirect_that_a_browser_may_show_is_rewritten(guard: Guard, location: str) -> None:
    tag = b'<!doctype html><title>x</title><img src="https://ads.example/p.gif">'

    answer = ask(guard(page(tag, status=302, headers=[*HTML, ("location", location)])))

    assert b'data-cg-src="https://ads.example/p.gif"' in answer.body
    assert answer.get("cache-control") == "private"


# A browser takes the policy along to where the redirect leads, and tells it of the page that it came from.
@pytest.mark.parametrize("kind", [[], HTML, [("content-type", "text/plain")]])
def test_a_redirect_tells_where_it_leads_no_more_of_the_page_before_than_a_page_does(
    guard: Guard, kind: list[tuple[str, str]]
) -> None:
    headers = [*kind, ("location", "https://bank.example/pay"), ("referrer-policy", "unsafe-url")]

    answer = ask(guard(page(b"", status=303, headers=headers)))

    assert answer.get("referrer-policy") == "strict-origin-when-cross-origin"
