"""Our own pages under hostile requests: no open redirect, no injected header, no injected markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from harness.asgi import Answer, App, ask, page

from cookieguard import CookieGuard
from cookieguard.config import MailSettings
from cookieguard.html import parse_url, resolve

Guard = Callable[..., CookieGuard]
HOME = parse_url("https://shop.example/a/b")
# Ways out of the host, out of a header, out of a text: as paths, fields of forms, queries and headers.
HOSTILE = (
    "//evil.example/",
    "/\\evil.example/",
    "/\t/evil.example/",
    "/%2f/evil.example",
    "/.//evil.example/..//evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "/\r\nX-Evil: 1",
    "/%0d%0aX-Evil: 1",
    '/"><script>alert(1)</script>',
    "/' onload=alert(1) x='",
    "/\u2028<svg onload=alert(1)>",
)
MARKUP = ("<script>alert", "<svg onload", " onload=alert(1) x='")
FORM = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]
SPEAKING = (
    "choices",
    "privacy",
    "cookies",
    "receipt",
    "permission",
    "mail/stop",
)  # to visitors, in their language
READ = (*SPEAKING, "place", "stats", "staff", "consent", "embed", "report", "nothing", "stats/x.css")
STAYS = ("/_cg/consent",)  # leads back to the shop
POSTED = {
    "consent": ("choice=accept&next={}", "choice={}", "choice=save&purpose={}"),
    "embed": (
        "act=once&party=Ads&next={}&at={}",
        "act=always&party=Ads&next={}",
        "act={}",
        "act=once&party={}",
    ),
    "staff": ("token={}", "leave=1&next={}"),
}


def holds_nothing_hostile(answer: Answer) -> None:
    assert answer.status < 500
    assert answer.all("x-evil") == []
    for name, value in answer.headers:
        assert value.isprintable(), name
    for location in answer.all("location"):
        found = resolve(location, HOME)
        assert found is not None
        assert found.host == HOME.host
    assert answer.get("x-content-type-options") == "nosniff"
    if "html" in answer.get("content-type"):
        assert [one for one in MARKUP if one in answer.text] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_requested_text_causes_no_redirect_and_no_markup_on_our_pages(guard: Guard, text: str) -> None:
    app: App = guard(page())
    asked, header = quote(text), "".join(filter(str.isprintable, text)).encode("ascii", "replace").decode()

    for path in READ:
        for method in ("GET", "HEAD", "OPTIONS"):
            for query in (
                f"next={asked}&party=Ads&at={asked}&lang={asked}",
                f"tab={asked}&page={asked}",
                asked,
            ):
                headers = [("referer", f"https://shop.example{header}"), ("accept-language", header)]
                holds_nothing_hostile(
                    ask(app, path=f"/_cg/{path}", method=method, query=query, headers=headers)
                )


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_posted_leads_nowhere_and_becomes_no_markup(guard: Guard, text: str) -> None:
    app: App = guard(page())

    for path, bodies in POSTED.items():
        for body in bodies:
            for more in (
                [],
                [("accept", "application/json")],
                [("referer", f"https://shop.example{quote(text)}")],
            ):
                posted = body.replace("{}", quote(text)).encode()
                answer = ask(app, path=f"/_cg/{path}", method="POST", headers=[*FORM, *more], body=posted)
                holds_nothing_hostile(answer)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_grant_that_does_not_count_leads_nowhere_else(guard: Guard, text: str) -> None:
    app: App = guard(page())
    headers = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]

    answer = ask(app, path=text if text.startswith("/") else f"/{text}", query="cg-once=bad", headers=headers)

    assert answer.status == 303
    holds_nothing_hostile(answer)


@pytest.mark.parametrize("name", SPEAKING)
def test_a_page_of_ours_speaks_what_its_link_asks_for_and_so_do_its_links(guard: Guard, name: str) -> None:
    app: App = guard(page(), origins=("https://shop.example",), mail=MailSettings(lists=("news",)))
    english = [("accept-language", "en")]

    browsers = ask(app, path=f"/_cg/{name}", headers=english)
    asked = ask(app, path=f"/_cg/{name}", query="lang=de", headers=english)

    assert '<html lang="en"' in browsers.text
    assert '<html lang="de"' in asked.text
    for link in re.findall(r'(?:href|action)="(/_cg/[a-z/]+)"', asked.text):
        assert link in STAYS, link
