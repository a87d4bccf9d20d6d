"""A form in the app's own markup that posts to our pages is disarmed; all other forms pass unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import CookieGuard

Guard = Callable[..., CookieGuard]
DOCUMENT = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")]


def shown(guard: Guard, markup: str, *, path: str = "/a/b", headers: Any = HTML, **settings: Any) -> str:
    body = f"<!doctype html><html><head><title>x</title></head><body>{markup}</body></html>"
    text = ask(guard(page(body.encode(), headers=headers), **settings), path=path, headers=DOCUMENT).text
    return text.partition("<body>")[2].partition("<cg-part")[0]


HELD = [
    '<form method="post" action="/_cg/privacy">',
    "<form action=/_cg/consent>",
    '<FORM ACTION="HTTPS://SHOP.example:443/_cg/consent">',
    '<form action="//shop.example/_cg/consent">',
    '<form action="../_cg/consent">',
    '<form action="&#47;_cg&sol;consent">',
    '<form action="/%5fcg/con%73ent">',
    '<form action="/x/%2e%2e/_cg/privacy">',
    '<form action="/_cg/../_cg//requests">',
    '<form action="/.//_cg/consent">',
    '<form action="/x%2f..%2f_cg/consent">',
    '<form action="/_cg/choices%2f..%2fconsent">',
    '<form action="/_cg/policy/x/%2e%2e%2f../consent">',
    '<form action="\\_cg\\consent">',
    '<form action="\t/_c\ng/consent ">',
    '<form action="/_cg/consent?x#y" data-cg="necessary">',
    '<form action="/eu/_cg/privacy">',
    '<form action="/_cg/staff">',
    '<button formaction="/_cg/consent">',
    '<input type="image" formaction="/_cg/consent" data-cg="necessary">',
    '<input type="submit" formaction="/_cg/embed">',
    '<template><form action="/_cg/consent"></template>',
    '<svg><foreignObject><form action="/_cg/consent"></foreignObject></svg>',
    '<base href="/_cg/"><form action="consent">',
    '<form action="consent"><base href="/_cg/choices">',
    '<form action="consent"><base href="/_cg/policy/2026/changes">',
    '<form action="/_cg/policy/..%2fconsent">',
    '<form action="/_cg/choices%2f%2e%2e%2fconsent">',
    '<iframe srcdoc="<form action=/_cg/consent target=_top>"></iframe>',
]
FREE = [
    '<form action="/cart/add" method="post"><button formaction="/cart/remove">',
    '<form><input type="submit">',
    '<form action="">',
    '<form action="/_cg/choices"><button>Choices</button></form>',
    '<form action="/_cg/policy/2026-01.1/changes?lang=de"><button>Changes</button></form>',
    '<form action="/login?next=/_cg/privacy" method="post">',
    '<form action="/my_cg/consent">',
    '<form action="https://pay.example/_cg/consent">',
    '<a href="/_cg/privacy">',
    '<button data-action="/_cg/consent" data-formaction="x">',
    '<base href="/shop/"><form action="cart">',
]


@pytest.mark.parametrize("markup", HELD)
def test_a_form_that_posts_to_us_does_nothing(guard: Guard, markup: str) -> None:
    text = shown(guard, markup)

    assert not re.search(r"""[\t\n ](action|formaction|href)=""", text.replace('action="consent"', ""))
    assert re.search(r'method="dialog"|type="button"|&quot;dialog|data-cg-href', text)


@pytest.mark.parametrize("markup", FREE)
def test_other_forms_and_links_pass_as_they_are(guard: Guard, markup: str) -> None:
    assert shown(guard, markup) == markup


def test_a_form_is_held_from_everybody_and_below_any_prefix(guard: Guard) -> None:
    markup = '<form action="/a/b/consent">'

    assert "dialog" in shown(guard, markup, prefix="/a/b/")
    assert shown(guard, markup) == markup
    assert "dialog" in shown(guard, '<form action="/_cg/consent">', vendors=())


def test_a_form_in_xhtml_is_held_and_stays_well_formed(guard: Guard) -> None:
    headers = [("content-type", "application/xhtml+xml")]
    markup = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>'
        '<form method="post" action="/_cg/consent"><button type="submit" formaction="/_cg/consent">x</button></form>'
        "</body></html>"
    )
    text = ask(guard(page(markup.encode(), headers=headers)), headers=DOCUMENT).text
    form = ElementTree.fromstring(text).find(".//{*}body/{*}form")

    assert form is not None
    assert form.attrib == {"method": "dialog", "data-cg-method": "post", "data-cg-action": "/_cg/consent"}
    assert form[0].attrib == {
        "type": "button",
        "data-cg-type": "submit",
        "data-cg-formaction": "/_cg/consent",
    }
