"""The panel of dev mode answers only on developers' hosts, in dev mode, to the page's own origin."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from harness.asgi import ask, page

from cookieguard import CookieGuard, Vendor

Guard = Callable[..., CookieGuard]
PAGE = b'<!doctype html><head><script src="https://js.chat.example/chat.js"></script></head><body>x'
CHAT = Vendor(name="Example Chat", purpose="preferences", hosts=("*.chat.example",), cookies=("_chat*",))
JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
HERE = "localhost"


def test_the_panel_says_whose_a_host_is_and_which_cookies_are_hidden(guard: Guard) -> None:
    app = guard(page(PAGE), dev=True, vendors=(CHAT,))

    shown = ask(app, host=HERE)
    told = ask(
        app,
        path="/_cg/dev",
        query="hosts=js.chat.example,late.example,x%20y",
        host=HERE,
        headers=[("cookie", "_chat_id=1; a=1")],
    )

    facts = json.loads(told.body)
    assert shown.body.count(b'<script src="/_cg/dev.js" defer="">') == 1
    assert ask(app, path="/_cg/dev.js", host=HERE).status == 200
    assert (facts["state"], facts["cookies"]) == ("undecided", ["_chat_id"])
    assert facts["hosts"]["js.chat.example"]["vendor"] == "Example Chat"
    assert "[[vendors]]" in facts["hosts"]["late.example"]["lines"]
    forgot = ask(
        app,
        path="/_cg/dev",
        method="POST",
        host=HERE,
        headers=[("origin", "http://localhost"), ("sec-fetch-site", "same-origin"), JSON],
    )
    assert forgot.get("set-cookie").startswith("cg_consent=")
    assert "Max-Age=0" in forgot.get("set-cookie")


def test_the_panel_names_and_asks_as_the_log_does(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    loads = [
        ("script", "www.googletagmanager.com", "/gtag/js", "google-analytics"),
        ("script", "www.googletagmanager.com", "/gtm.js", "google-tag-manager"),
        ("img", "images.mugcdn.example", "/mug.jpg", "first_party_hosts"),
        ("script", "assets.mugcdn.example", "/a.js", 'purpose = "marketing"'),
    ]
    for element, host, path, declared in loads:
        caplog.clear()
        body = f"<{element} src=https://{host}{path}></{element}>".encode()
        app = guard(
            page(b"<!doctype html><body>" + body), dev=True, vendors=(), origins=("http://localhost",)
        )

        ask(app, host=HERE, scheme="http")
        told = ask(app, path="/_cg/dev", query=f"hosts={element}%20{host}{path}", host=HERE, scheme="http")

        facts = json.loads(told.body)["hosts"][host]
        assert declared in f"{facts['words']}\n{facts['lines']}"
        assert f"{facts['words']}\n{facts['lines']}" in caplog.text


def test_a_host_of_pictures_and_scripts_is_declared_and_what_is_no_address_left_out(guard: Guard) -> None:
    app = guard(page(PAGE), dev=True, vendors=())

    told = ask(app, path="/_cg/dev", query="hosts=img%20script%20a.example/x,img%20[::", host=HERE)

    facts = json.loads(told.body)["hosts"]
    assert facts == {"a.example": facts["a.example"], "": {}}
    assert facts["a.example"]["words"] == "to declare it:"


def test_no_byte_of_the_panel_is_there_outside_dev_mode(guard: Guard) -> None:
    app = guard(page(PAGE))

    assert b"dev.js" not in ask(app, host=HERE).body
    for path, method in (("/_cg/dev", "GET"), ("/_cg/dev.js", "GET"), ("/_cg/dev", "POST")):
        assert ask(app, path=path, method=method, host=HERE).status == 404


def test_the_panel_answers_neither_other_hosts_nor_other_sites_in_dev_mode(guard: Guard) -> None:
    app = guard(page(PAGE), dev=True)

    assert b"dev.js" not in ask(app).body  # shop.example is no developer's host
    assert ask(app, path="/_cg/dev").status == ask(app, path="/_cg/dev.js").status == 404
    for header in (("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")):
        assert ask(app, path="/_cg/dev", method="POST", host=HERE, headers=[header, JSON]).status == 404


def test_no_form_makes_the_panel_forget_a_choice(guard: Guard) -> None:
    app = guard(page(PAGE), dev=True)
    own = ("sec-fetch-site", "same-origin")

    posted = [
        ask(app, path="/_cg/dev", method="POST", host=HERE, headers=[own, one], bare=True)
        for one in (JSON, FORM)
    ]

    assert [one.status for one in posted] == [204, 404]
