"""Views of cached pages are reported by the page, and counted as if the shop had answered."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from harness.asgi import App, ask, scope_of
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from cookieguard import CookieGuard
from cookieguard.config.cache import CacheSettings

Guard = Callable[..., CookieGuard]
Rows = list[dict[str, Any]]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
BROWSER = [
    ("accept", "text/html"),
    ("sec-fetch-dest", "document"),
    ("user-agent", FIREFOX),
    ("accept-language", "de"),
]
PROXY = ("203.0.113.9", 443)
CLIENT = "198.51.100.23"
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
SHOP = "https://shop.example"
# Pages in their order, each with what led there, and choices between them.
VISIT = [
    ("/product/bowl?utm_source=letter", "https://news.example"),
    ("/", SHOP),
    ("accept", ""),
    ("/", SHOP),  # the page comes again
    ("/product/mug", SHOP),
    ("reject", ""),
    ("/missing/one", SHOP),
    ("/product/mug", ""),
]


async def shown(_: Any) -> HTMLResponse:
    """Answer with a page of a shop."""
    return HTMLResponse("<!doctype html><html lang=de><body><h1>Kettle</h1></body></html>")


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[CookieGuard, str], Rows]:
    """Return what was counted, as `rows(guarded, its state directory)`."""

    def read(guarded: CookieGuard, state: str) -> Rows:
        guarded.close()
        connection = sqlite3.connect(tmp_path / state / "stats.db")
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM hit ORDER BY id")]

    return read


@pytest.fixture
def shop(guard: Guard, tmp_path: Path) -> Callable[[str], CookieGuard]:
    """Make a shop in a mode, with a state directory of the mode's name."""

    def make(mode: str) -> CookieGuard:
        app = Starlette(routes=[Route("/", shown), Route("/product/{slug}", shown)])
        settings: dict[str, Any] = {"cache": CacheSettings(mode=mode), "state_dir": str(tmp_path / mode)}
        return guard(app, trusted_proxies=("203.0.113.0/24",), origins=(SHOP,), **settings)

    return make


def browse(app: App, *, is_cached: bool, has_scripts: bool = True) -> None:
    """Make the visit, as browsers do behind a cache or without one."""
    cookies: dict[str, str] = {}
    for step, led_by in VISIT:
        from_client = [*BROWSER, ("x-forwarded-for", CLIENT)]
        sent = (
            [("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))] if cookies else []
        )
        if not step.startswith("/"):
            body = f"choice={step}".encode()
            page = [
                *FORM,
                *sent,
                ("referer", f"{SHOP}/"),
                ("user-agent", FIREFOX),
                ("x-forwarded-for", CLIENT),
            ]
            posted = ask(app, path="/_cg/consent", method="POST", headers=page, body=body, client=PROXY)
            cookies |= posted.cookies()
            continue
        path, _, query = step.partition("?")
        site = {SHOP: "same-origin", "": "none"}.get(led_by, "cross-site")
        headers = [*from_client, ("sec-fetch-site", site), *([("referer", f"{led_by}/")] if led_by else [])]
        if not is_cached:
            ask(app, scope_of(path, query=query, headers=[*headers, *sent], client=PROXY))
            continue
        variant = ("cg-variant", cookies.get("__Host-cg_v", "u"))
        page = ask(app, scope_of(path, query=query, headers=[*headers, variant], client=PROXY))
        mark = (seen_by_script if has_scripts else seen_by_picture)(page.text)
        if mark is not None:
            comes_again = led_by == SHOP and step == "/"
            more = {"r": led_by, "s": "1" if comes_again else ""} if has_scripts else {}
            report(app, {**mark, **more}, sent, has_scripts=has_scripts, page=SHOP + step)


def report(
    app: App, mark: dict[str, str], sent: list[tuple[str, str]], *, has_scripts: bool, page: str
) -> int:
    """Report a page as a browser does; return the status."""
    headers = [
        ("user-agent", FIREFOX),
        ("accept-language", "de"),
        ("x-forwarded-for", CLIENT),
        ("referer", page),
        *sent,
    ]
    if has_scripts:
        form = [*FORM, ("origin", SHOP), *headers]
        body = urlencode(mark).encode()
        answer = ask(app, path="/_cg/seen", method="POST", headers=form, body=body, client=PROXY, bare=True)
    else:
        image = [("sec-fetch-dest", "image"), ("sec-fetch-site", "same-origin"), *headers]
        answer = ask(app, path="/_cg/seen", query=urlencode(mark), headers=image, client=PROXY)
    return answer.status


def seen_by_script(page: str) -> dict[str, str] | None:
    """Return the words that the page gives its script."""
    found = re.search(r'<script data-cg="(/_cg/seen [^"]*)"', page)
    if found is None:
        return None
    _, value, address, route, _ = html.unescape(found[1]).split(" ")
    return {"v": value, "p": address, "t": unquote(route)}


def seen_by_picture(page: str) -> dict[str, str] | None:
    """Return the query of a page's picture."""
    found = re.search(r'<noscript><img src="/_cg/seen\?([^"]*)"', page)
    if found is None:
        return None
    pairs = (pair.partition("=") for pair in html.unescape(found[1]).split("&"))
    return {name: unquote(value.replace("+", " ")) for name, _, value in pairs}


def test_views_out_of_a_cache_are_counted_as_those_of_the_shop(
    shop: Callable[[str], CookieGuard], rows: Callable[[CookieGuard, str], Rows]
) -> None:
    private, shared = shop("private"), shop("shared")

    browse(private, is_cached=False)
    browse(shared, is_cached=True)

    alone, cached = rows(private, "private"), rows(shared, "shared")
    differing = {"id", "bytes", "key", "took", "millis", "bytes_sent"}  # each shop has keys of its own
    assert len(alone) >= 6
    assert [kept(row, differing) for row in cached] == [kept(row, differing) for row in alone]
    assert [bool(row["key"]) for row in cached] == [bool(row["key"]) for row in alone]


def kept(row: dict[str, Any], differing: set[str]) -> dict[str, Any]:
    """Return a row without what differs."""
    return {name: value for name, value in row.items() if name not in differing}


def test_without_scripts_the_same_pages_are_counted(
    shop: Callable[[str], CookieGuard], rows: Callable[[CookieGuard, str], Rows]
) -> None:
    private, shared = shop("private"), shop("shared")

    browse(private, is_cached=False)
    browse(shared, is_cached=True, has_scripts=False)

    def views(found: Rows) -> list[tuple[Any, ...]]:
        return [(row["page"], row["consent"]) for row in found if row["kind"] == found[0]["kind"]]

    # The page that comes again after a choice is counted too: nothing says so without scripts.
    alone = views(rows(private, "private"))
    assert views(rows(shared, "shared")) == [*alone[:2], ("/", "all"), *alone[2:]]


@pytest.mark.parametrize(
    "change",
    [{"p": "/invented"}, {"t": "/a/{b}"}, {"v": "AAAAAAAAAAAA"}, {"v": ""}],
)
def test_no_page_that_was_never_rendered_is_counted(
    shop: Callable[[str], CookieGuard],
    rows: Callable[[CookieGuard, str], Rows],
    change: dict[str, str],
) -> None:
    shared = shop("shared")
    page = ask(shared, scope_of("/", headers=[*BROWSER, ("cg-variant", "u")], client=PROXY))
    mark = seen_by_script(page.text)
    assert mark is not None

    report(shared, mark, [], has_scripts=True, page=SHOP)
    report(shared, {**mark, **change}, [], has_scripts=True, page=SHOP)

    assert len(rows(shared, "shared")) == 1


def test_another_site_reports_nothing(shop: Callable[[str], CookieGuard]) -> None:
    form = [(FORM[0]), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]

    answer = ask(shop("shared"), path="/_cg/seen", method="POST", headers=form, body=b"p=/", bare=True)

    assert answer.status == 403


def test_a_private_page_reports_nothing(shop: Callable[[str], CookieGuard]) -> None:
    page = ask(shop("shared"), scope_of("/", headers=BROWSER, client=PROXY))

    assert seen_by_script(page.text) is seen_by_picture(page.text) is None
