"""Refusals below our prefix: a page in the visitor's language for browsers, one line for other clients."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from harness.asgi import ask, page

from cookieguard import CookieGuard
from cookieguard.config.languages import LANGUAGES, texts_of

BROWSER = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = ("sec-fetch-site", "same-origin")
# Each status with a request that gets it, and what its page says.
REFUSALS: dict[str, tuple[dict[str, Any], int, tuple[str, str]]] = {
    "a page that does not exist": ({"path": "/_cg/nowhere"}, 404, ("errors", "missing")),
    "a form's address opened": ({"path": "/_cg/consent"}, 405, ("errors", "failed")),
    "a form of another site": (
        {"path": "/_cg/consent", "method": "POST", "headers": [FORM, ("sec-fetch-site", "cross-site")]},
        403,
        ("errors", "forbidden"),
    ),
    "a form without a choice": (
        {"path": "/_cg/consent", "method": "POST", "headers": [FORM, OWN], "body": b"choice=<b>"},
        400,
        ("errors", "failed"),
    ),
    "a form that is too large": (
        {"path": "/_cg/consent", "method": "POST", "headers": [FORM, OWN], "body": b"x=" + b"y" * 100_000},
        413,
        ("errors", "failed"),
    ),
    "a form of another kind": (
        {"path": "/_cg/consent", "method": "POST", "headers": [("content-type", "text/csv"), OWN]},
        415,
        ("errors", "failed"),
    ),
}


@pytest.fixture
def shop(guard: Callable[..., CookieGuard]) -> CookieGuard:
    return guard(None)


def refused(shop: CookieGuard, request: dict[str, Any], *more: tuple[str, str]) -> Any:
    return ask(shop, **{**request, "headers": [*request.get("headers", ()), *more]})


@pytest.mark.parametrize("name", REFUSALS)
def test_browser_gets_a_page_and_a_script_one_line(shop: CookieGuard, name: str) -> None:
    request, status, (section, text) = REFUSALS[name]

    page = refused(shop, request, BROWSER, ("accept-language", "de"))
    line = refused(shop, request, ("accept", "application/json"))

    said = texts_of("de")[section][text]
    assert (page.status, line.status) == (status, status)
    assert page.text.startswith('<!doctype html>\n<html lang="de" dir="ltr">')
    assert f"<title>{said}</title>" in unescape(page.text)
    assert unescape(page.text).count(f"<h1>{said}</h1>") == page.text.count("<h1") == 1
    assert texts_of("de")["page"]["back"] in unescape(page.text)
    assert line.get("content-type") == "text/plain; charset=utf-8"
    assert line.text.count("\n") == 1
    assert "<b>" not in page.text
    assert page.get("allow") == line.get("allow")
    assert "accept" in page.get("vary").lower().split(", ")
    assert "frame-ancestors 'none'" in page.get("content-security-policy")


def test_page_speaks_every_language(shop: CookieGuard) -> None:
    for lang in LANGUAGES:
        page = refused(shop, {"path": "/_cg/nowhere", "query": f"lang={lang}"}, BROWSER)

        texts = texts_of(lang)
        assert f'<html lang="{lang}" dir="{texts["meta"]["dir"]}">' in unescape(page.text)
        assert unescape(page.text).count(texts["errors"]["missing"]) == 2


def test_frames_pictures_and_heads_get_no_page(shop: CookieGuard) -> None:
    parts = [
        refused(shop, {"path": "/_cg/nowhere"}, BROWSER, ("sec-fetch-dest", to)) for to in ("iframe", "image")
    ]
    head = refused(shop, {"path": "/_cg/nowhere", "method": "HEAD"}, BROWSER)

    assert {one.text for one in parts} == {"there is no such page\n"}
    assert head.status == 404
    assert head.body == b""


def test_refusals_of_the_shop_stay_the_shops(guard: Callable[..., CookieGuard]) -> None:
    missing = page(b"gone", status=404, headers=[("content-type", "text/plain")])
    assert ask(guard(missing), path="/nowhere", headers=[BROWSER]).text == "gone"
