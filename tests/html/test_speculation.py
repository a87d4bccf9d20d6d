"""Speculation rules, and refreshes in a spelling that only Chromium reads."""

from __future__ import annotations

import pytest

from cookieguard.html import Rewriter, Rules, Ruling, Url


def rewrite(page: bytes, *, held: bool = True) -> bytes:
    def judge(url: Url) -> Ruling | None:
        is_own = url.host == "shop.example"
        return None if is_own or not held else Ruling(purpose="marketing", vendor=None)

    rewriter = Rewriter(Rules(judge, url="https://shop.example/"), url="https://shop.example/")
    return rewriter.feed(page) + rewriter.close()


FOLLOWS = [
    b'{"prefetch":[{"source":"document","eagerness":"immediate"}]}',
    b'{"prerender":[{"where":{"selector_matches":"a"}}]}',
    b'{"prefetch":[{"where":{"not":{"href_matches":"/cart"}}}]}',
    b'{"prefetch":[{"where":{"or":[{"href_matches":"/a/*"},{"href_matches":"*://*/*"}]}}]}',
    b'{"prefetch":[{"where":{"href_matches":"https://ads.example/*"}}]}',
    b'{"prefetch":[{"where":{"href_matches":"https://*.shop.example/*"}}]}',
    b'{"prefetch":[{"where":{"href_matches":"https://shop.example{.ads.example}?/*"}}]}',
    b'{"prefetch":[{"where":{"href_matches":"https://shop.example:*/*"}}]}',
    b'{"prefetch":[{"where":{"href_matches":["https://shop.example/*","https://(.*)/*"]}}]}',
]
NAMES = [
    rb'{"prefetch":[{"urls":["https:ads.example/a"]}]}',
    rb'{"prefetch":[{"urls":["https:\/ads.example/a"]}]}',
    rb'{"prerender":[{"urls":["https:\\\\ads.example\\a"]}]}',
    rb'{"prefetch":[{"urls":["/\\ads.example/a"]}]}',
    rb'{"prefetch":[{"urls":["\u0068ttps:\u005cads.example"]}]}',
    b'{"prefetch":[{"urls":["https:ads.example/\xff"]}]}',
    b'\xef\xbb\xbf{"prefetch":[{"urls":["https:ads.example"]}]}',
    b'{"imports":{"/own/":"https:ads.example/"}}',
]
# Python reads none of these; Chromium's parser takes this escape, and nests deeper.
UNREAD = [
    rb'{"x":"\v","prefetch":[{"source":"document"}]}',
    rb'{"x":"\v","prefetch":[{"urls":["https:ads.example/x"]}]}',
    b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"prefetch":[{"source":"document"}]}',
]
STAYS = [
    b'{"prefetch":[{"source":"document","where":{"and":[{"href_matches":"/shop/*"},{"not":{"href_matches":"/x"}}]}}]}',
    b'{"prefetch":[{"where":{"href_matches":["/a","/b"]}}]}',
    b'{"prefetch":[{"where":{"href_matches":"https://shop.example/*"}}]}',
    b'{"prefetch":[{"urls":["/next"]}]}',
    b'{"imports":{"x":"/x.js"}}',
    b'{"imports":{"https:ads.example/":"/own/"}}',  # whoever imports that asks the shop
    b'{"imports":{"ads.example":"./x.js"},"integrity":{"/x.js":"sha256-a//b="}}',
]


@pytest.mark.parametrize("rules", FOLLOWS + UNREAD)
def test_rules_that_visit_any_link_are_held_until_nobody_is(rules: bytes) -> None:
    page = b'<script type="speculationrules">' + rules + b"</script>"
    assert b'type="text/plain"' in rewrite(page)
    assert rewrite(page, held=False) == page


@pytest.mark.parametrize("rules", NAMES)
def test_rules_that_name_a_host_as_only_a_url_parser_reads_it_are_held(rules: bytes) -> None:
    page = b'<script type="speculationrules">' + rules + b"</script>"
    assert b'type="text/plain"' in rewrite(page)
    assert rewrite(page, held=False) == page


def test_links_are_followed_by_rules_with_a_byte_that_is_no_utf_8() -> None:
    page = b'<script type="speculationrules">{"tag":"\xe9","prefetch":[{"source":"document"}]}</script>'
    assert b'type="text/plain"' in rewrite(page)


@pytest.mark.parametrize("rules", STAYS)
def test_rules_for_the_shops_own_pages_pass(rules: bytes) -> None:
    page = b'<script type="speculationrules">' + rules + b"</script>"
    assert rewrite(page) == page


def test_a_refresh_behind_a_vertical_tab_is_held() -> None:
    page = b'<meta http-equiv=refresh content="\v0;url=//ads.example/">'
    assert rewrite(page) == page.replace(b"http-equiv", b"data-cg-http-equiv")
