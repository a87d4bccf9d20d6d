"""Held frames become placeholders where that is safe, and nothing else of their tags changes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from harness.rewriting import HELD, ORIGIN, every_byte

from cookieguard.html import InsertContext, Rewriter, Rules, Ruling, Url
from cookieguard.html.types import Embed

SHOWN = b' srcdoc="&lt;p&gt;held&lt;/p&gt;"'


def outside(url: Url) -> Ruling | None:
    return None if url.host == "shop.example" else HELD


def stand(_: Embed, __: InsertContext) -> bytes:
    return SHOWN


def rewrite(page: bytes, cuts: range = range(0), *, xml: bool = False, rules: Rules | None = None) -> bytes:
    rewriter = Rewriter(rules or Rules(outside, ORIGIN), stand=stand, xml=xml)
    out, position = b"", 0
    for cut in [*cuts, len(page)]:
        out += rewriter.feed(page[position:cut])
        position = cut
    return out + rewriter.close()


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        (b"<iframe src=//v.example/1>", b"<iframe" + SHOWN + b" data-cg-src=//v.example/1>"),
        (b"<IFRAME SRC='//v.example/1' >", b"<IFRAME" + SHOWN + b" data-cg-src='//v.example/1' >"),
        (
            b'<iframe width="560" height=315 src="https://v.example/1" allowfullscreen>',
            b"<iframe"
            + SHOWN
            + b' width="560" height=315 data-cg-src="https://v.example/1" allowfullscreen>',
        ),
        (b"<iframe width=100% height=50% src=//v.example>", b"<iframe" + SHOWN + b" width=100%"),
        (b'<object data="//v.example/a.pdf" type=a/b>', b"<object" + SHOWN + b' data-cg-data="'),
        (b"<object data=//v.example type=a/b>", b"data-cg-type=a/b"),
        (b"<embed type=a/b src=//v.example>", b"<embed" + SHOWN + b" data-cg-type=a/b data-cg-src="),
        (b"<frame src=//v.example>", b"<frame" + SHOWN + b" data-cg-src="),
        # what would win over the placeholder, or keep it from working
        (b"<iframe srcdoc=x src=//v.example>", b"<iframe" + SHOWN + b" data-cg-srcdoc=x data-cg-src="),
        (b"<iframe sandbox src=//v.example>", b"<iframe" + SHOWN + b" data-cg-sandbox data-cg-src="),
        (b"<iframe style='max-width:100%;height:10px' src=//v.example>", b"<iframe" + SHOWN),
    ],
)
def test_a_held_frame_becomes_its_own_placeholder(tag: bytes, shown: bytes) -> None:
    page = b"<!doctype html><body>" + tag

    assert shown in rewrite(page)
    assert rewrite(page, every_byte(page)) == rewrite(page)


@pytest.mark.parametrize(
    "tag",
    [
        b"<iframe src=//v.example width=1 height=1>",
        b"<iframe src=//v.example width=0>",
        b"<iframe src=//v.example height='20px'>",
        b"<iframe src=//v.example hidden>",
        b"<iframe src=//v.example aria-hidden=true>",
        b"<iframe src=//v.example style='display: none'>",
        b"<iframe src=//v.example style='DISPLAY:none;visibility:hidden'>",
        b"<iframe src=//v.example style='position:absolute;left:-9999px'>",
        b"<iframe src=//v.example style='width:1px;height:1px'>",
        b"<iframe src=//v.example style='opacity:0'>",
        b"<img src=//v.example width=100>",
        b"<video src=//v.example>",
        b"<iframe src=/own>",
        b"<iframe src=javascript:x('//v.example')>",
        b"<iframe srcdoc='<img src=//v.example>'>",
        b"<iframe style='background:url(//v.example)'>",
    ],
)
def test_what_nobody_would_see_and_what_is_no_frame_gets_none(tag: bytes) -> None:
    assert b"held" not in rewrite(b"<!doctype html><body>" + tag)


def test_a_page_of_xml_stays_well_formed() -> None:
    tag = b'<iframe src="//v.example" srcdoc="x" sandbox="a" title="t"></iframe>'
    page = b'<html xmlns="http://www.w3.org/1999/xhtml"><body>' + tag + b"</body></html>"

    frame = ElementTree.fromstring(rewrite(page, xml=True)).find(".//{*}iframe")

    assert frame is not None
    assert frame.get("srcdoc") == "<p>held</p>"
    assert frame.get("data-cg-srcdoc") == "x"


@pytest.mark.parametrize("page", [b"<noscript>%b</noscript>", b"<svg>%b</svg>", b"<select>%b</select>"])
def test_placeholder_adds_no_end_tag_where_markup_may_be_text(page: bytes) -> None:
    written = rewrite(b"<!doctype html><body>" + page % b"<iframe src=//v.example></iframe>")

    assert written.count(b"</") == page.count(b"</") + 1
    assert b' src="' not in written


def test_documents_inside_of_documents_get_no_placeholder() -> None:
    written = rewrite(b'<body><iframe srcdoc="&lt;iframe src=//v.example>"></iframe>')

    assert b"data-cg-src=//v.example" in written
    assert b"held" not in written


def test_one_that_has_nothing_to_say_leaves_the_tag_as_it_is_without() -> None:
    rules = Rules(outside, ORIGIN)
    page = b"<!doctype html><body><iframe sandbox srcdoc=x src=//v.example></iframe>"
    silent = Rewriter(rules, stand=lambda embed, context: b"")

    assert rewrite(page, rules=rules) != Rewriter(rules).feed(page)
    assert silent.feed(page) == Rewriter(rules).feed(page)
    assert b" sandbox srcdoc=x " in silent.feed(page)


def test_placeholder_gets_the_vendor_the_frames_title_and_the_pages_language() -> None:
    heard: list[tuple[Embed, InsertContext]] = []
    page = b'<!doctype html><html lang=de><body><iframe id=film title="Ein Film" src=//v.example/x></iframe>'

    Rewriter(Rules(outside, ORIGIN), stand=lambda *said: heard.append(said) or b"").feed(page)

    ((embed, context),) = heard
    assert (embed.held.url.host, embed.held.purpose, embed.title) == ("v.example", "marketing", "Ein Film")
    assert (embed.anchor, context.lang) == ("film", "de")


def test_a_placeholder_speaks_of_what_is_embedded_not_of_what_else_the_tag_names() -> None:
    heard: list[str] = []
    page = b"<iframe style='background:url(//a.example)' srcdoc='<img src=//b.example>' src=//v.example></iframe>"
    inside = b"<iframe src='data:text/html,<img src=//b.example>'></iframe>"

    Rewriter(Rules(outside, ORIGIN), stand=lambda embed, _: heard.append(embed.held.url.host) or b"").feed(
        b"<!doctype html><body>" + page + inside
    )

    assert heard == ["v.example", "b.example"]


def test_frame_loaded_once_keeps_the_anchor_of_its_placeholder() -> None:
    page = b"<!doctype html><body><iframe src=//v.example/1></iframe><iframe id=x src=//v.example/2></iframe>"
    heard: list[str] = []
    Rewriter(Rules(outside, ORIGIN), stand=lambda embed, _: heard.append(embed.anchor) or b"").feed(page)

    lifted = Rewriter(
        Rules(lambda _: None, ORIGIN, is_lifted=lambda url: url.host == "v.example"), stand=stand
    )

    assert lifted.feed(page) == page.replace(b"<iframe src", b'<iframe id="%b" src' % heard[0].encode())
    assert heard[1] == "x"
    assert Rewriter(Rules(lambda _: None, ORIGIN), stand=stand).feed(page) == page
