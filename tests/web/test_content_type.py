"""The type that a browser derives from a Content-Type header, however it is malformed."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import CookieGuard
from cookieguard.web.http.content_type import kind_of


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/html charset=utf-8",
        b"text/html(x)",
        b"Text/HTML\t; a",
        b" text/html foo",
        b"text/plain,text/html x",
        b"application/x-unknown-content-type",
        b'application/json; a=",text/html; b="',  # two lines, joined
        b"application/json; a='\"', text/html; b='\"'",
        b'application/json; a"b="c, text/html',
        b"utf-8, application/json",
        b"application/json, utf-8",  # WebKitGTK sniffs what does not parse
        b'application/json "a, utf-8"',
    ],
)
def test_a_type_ends_where_a_browser_ends_it(content_type: bytes) -> None:
    assert kind_of(content_type).is_document


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/plain charset=text/html",
        b"text/htmlx",
        b"image/png",
        b'application/pdf; name="Rechnung, 2026.pdf"',
        b'multipart/mixed; boundary="a,b"',
        b'application/json; a="b,c"; d="e,f"',
    ],
)
def test_no_other_type_becomes_a_document(content_type: bytes) -> None:
    assert not kind_of(content_type).is_document


STREAM = (
    b'<turbo-stream action="append" target="list"><template><li>one'
    b'<iframe src="//ads.example/f"></iframe></template></turbo-stream>'
)


def test_a_piece_that_turbo_puts_into_a_page_is_guarded_without_a_banner(
    guard: Callable[..., CookieGuard],
) -> None:
    whole = b"<!doctype html><html><head></head><body>" + STREAM + b"</body></html>"
    turbos = [("content-type", "text/vnd.turbo-stream.html; charset=utf-8")]
    asked = [
        ("accept", "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"),
        ("sec-fetch-dest", "empty"),
    ]

    piece = ask(guard(page(STREAM, headers=turbos)), headers=asked)
    strange = ask(guard(page(whole, headers=turbos)), headers=asked)
    control = ask(guard(page(whole, headers=[("content-type", "text/html")])), headers=asked)

    assert b"ads.example" in piece.body
    assert b' src="//ads.example' not in piece.body + strange.body + control.body
    assert b'id="cg"' not in piece.body + strange.body
    assert b'id="cg"' in control.body


def test_a_piece_that_says_xml_too_is_torn() -> None:
    assert kind_of(b"text/vnd.turbo-stream.html, image/svg+xml").is_torn


@pytest.mark.parametrize("content_type", ["text/plain", "Text/Plain; charset=utf-8"])
def test_a_text_that_htmx_puts_into_a_page_is_guarded_and_no_other(
    guard: Callable[..., CookieGuard], content_type: str
) -> None:
    markup = b'<li>one<iframe src="//ads.example/f"></iframe>'
    app = guard(page(markup, headers=[("content-type", content_type)]))
    data = guard(page(markup, headers=[("content-type", "application/json")]))
    htmx = [("hx-request", "true"), ("sec-fetch-dest", "empty")]

    piece = ask(app, headers=htmx)

    assert b' src="//ads.example' not in piece.body
    assert b"data-cg-src" in piece.body
    assert b'id="cg"' not in piece.body
    assert piece.get("content-type") == content_type
    assert "HX-Request" in piece.get("vary")
    assert ask(app, headers=[("sec-fetch-dest", "empty")]).body == markup
    assert ask(app, headers=[("turbo-frame", "a")]).body == markup
    assert ask(data, headers=htmx).body == markup


XML = b'<a xmlns:h="http://www.w3.org/1999/xhtml"><h:iframe src="//ads.example/f"/></a>'


@pytest.mark.parametrize(
    ("content_type", "destination"),
    [
        ("text/xsl", "document"),
        ("Text/XSL; charset=utf-8", "iframe"),
        ("text/xml", "xslt"),
        ("application/xslt+xml", "xslt"),
    ],
)
def test_xml_is_guarded_where_a_browser_shows_it_as_a_page(
    guard: Callable[..., CookieGuard], content_type: str, destination: str
) -> None:
    app = guard(page(XML, headers=[("content-type", content_type)]))

    answer = ask(app, headers=[("sec-fetch-dest", destination), ("sec-fetch-mode", "navigate")])

    assert answer.body == XML.replace(b" src", b" data-cg-src")
    assert "default-src" in answer.get("content-security-policy")


@pytest.mark.parametrize("content_type", ["text/xsl", "application/xslt+xml"])
def test_xml_that_a_script_asks_for_stays_as_it_is(
    guard: Callable[..., CookieGuard], content_type: str
) -> None:
    app = guard(page(XML, headers=[("content-type", content_type)]))

    assert ask(app, headers=[("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")]).body == XML


SERIES = "Multipart/X-Mixed-Replace; boundary=x"


@pytest.mark.parametrize("destination", ["document", "iframe", ""])
def test_documents_in_a_series_go_out_under_the_strict_policy(
    guard: Callable[..., CookieGuard], destination: str
) -> None:
    parts = b"--x\r\nContent-Type: text/html\r\n\r\n<img src=//ads.example/p>\r\n--x--"
    app = guard(page(parts, headers=[("content-type", SERIES)]))

    answer = ask(app, headers=[("sec-fetch-dest", destination)] if destination else [])

    assert "default-src" in answer.get("content-security-policy")
    assert "ads.example" not in answer.get("content-security-policy")
    assert answer.body == parts


def test_pictures_in_a_series_are_left_alone(guard: Callable[..., CookieGuard]) -> None:
    app = guard(page(b"--x\r\n", headers=[("content-type", SERIES)]))

    assert ask(app, headers=[("sec-fetch-dest", "image")]).get("content-security-policy") == ""


JSON_OF_MARKUP = (
    b'{"html": "<script src=\\"https://ads.example/a.js\\"></script><img src=https://ads.example/p>"}'
)
STRING_OF_MARKUP = b' "<i class=\\"a\\"></i><img src=https://ads.example/p>" '
SCRIPTS_OWN = [
    [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors"), ("accept", "*/*")],
    [("accept", "application/json, text/javascript, */*; q=0.01"), ("x-requested-with", "XMLHttpRequest")],
]


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("asked", SCRIPTS_OWN)
@pytest.mark.parametrize("written", [JSON_OF_MARKUP, STRING_OF_MARKUP])
def test_json_that_the_app_calls_html_stays_json_for_a_script(
    guard: Callable[..., CookieGuard], written: bytes, asked: list[tuple[str, str]], coding: str
) -> None:
    body = gzip.compress(written) if coding else written
    headers = [*HTML, ("content-encoding", coding)] if coding else HTML

    answers = [ask(guard(page(body, headers=headers)), headers=asked) for _ in range(2)]

    assert {answer.body for answer in answers} == {body}
    assert answers[0].get("content-security-policy") == answers[1].get("content-security-policy") != ""


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        (
            JSON_OF_MARKUP,
            [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")],
        ),
        (
            JSON_OF_MARKUP,
            [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")],
        ),
        (JSON_OF_MARKUP, [("accept", "text/html, */*")]),
        (JSON_OF_MARKUP, [*SCRIPTS_OWN[0], ("hx-request", "true")]),
        (b"[Sale] " + JSON_OF_MARKUP, SCRIPTS_OWN[0]),
        (b'"Sale" <img src="https://ads.example/p.gif">', SCRIPTS_OWN[0]),
    ],
)
def test_what_may_be_shown_or_is_no_json_is_read_as_html(
    guard: Callable[..., CookieGuard], body: bytes, asked: list[tuple[str, str]]
) -> None:
    answer = ask(guard(page(body)), headers=asked)

    assert b"data-cg-src" in answer.body


def test_answer_that_a_script_fetched_as_data_is_not_shown_from_a_cache(
    guard: Callable[..., CookieGuard],
) -> None:
    headers = [
        *HTML,
        ("cache-control", "max-age=600"),
        ("etag", '"1"'),
        ("last-modified", "Tue, 24 Nov 2026"),
    ]

    data = ask(guard(page(JSON_OF_MARKUP, headers=headers)), headers=SCRIPTS_OWN[0])
    html = ask(guard(page(b"<p>", headers=headers)), headers=SCRIPTS_OWN[0])

    assert {"Sec-Fetch-Dest", "Accept"} <= {*data.get("vary").split(", ")}
    assert (data.get("etag"), data.get("last-modified")) == ("", "")  # a 304 would show it all the same
    assert "-cg." in html.get("etag")


# Flask calls bytes HTML, and whatever a template renders.
SCRIPT_OF_MARKUP = (
    b'let invoice = "<html><head><title>Invoice</title></head><body>";\n'
    b"let video = \"<iframe width=300 height=200 src='https://ads.example/v'></iframe>\";\n"
    b"for (let i = 0; i <n; i++) {}\n"
)


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("destination", ["script", "image", "font", "style", "video"])
def test_a_file_that_the_app_calls_html_stays_as_it_is_for_who_asked_for_a_file(
    guard: Callable[..., CookieGuard], destination: str, coding: str
) -> None:
    body = gzip.compress(SCRIPT_OF_MARKUP) if coding else SCRIPT_OF_MARKUP
    said = [*HTML, ("etag", '"1"'), ("cache-control", "public, max-age=60")]
    app = guard(page(body, headers=[*said, ("content-encoding", coding)] if coding else said))

    answer = ask(app, headers=[("sec-fetch-dest", destination), ("accept", "*/*")])
    opened = ask(app, headers=[("sec-fetch-dest", "document"), ("accept", "text/html")])

    assert answer.body == body != opened.body
    # Should a cache show it as a page
    assert answer.get("cache-control") == "max-age=60, private"
    assert "Sec-Fetch-Dest" in answer.get("vary")
    assert (answer.get("etag"), bool(answer.get("content-security-policy"))) == ("", True)


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize(
    "begin", [b"PK\x03\x04", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\x89PNG\r\n\x1a\n", b"\x82\xa2id\x01\xa1n"]
)
@pytest.mark.parametrize("asked", [[("sec-fetch-dest", "document"), ("accept", "text/html")], []])
def test_a_file_without_a_type_keeps_every_byte(
    guard: Callable[..., CookieGuard], begin: bytes, asked: list[tuple[str, str]], coding: str
) -> None:
    written = begin + bytes(range(256)) * 9 + b"<a tag that does not end" + b"\x00" * 99
    body = gzip.compress(written) if coding else written

    answer = ask(guard(page(body, headers=[("content-encoding", coding)] if coding else [])), headers=asked)

    assert answer.body == body
    assert "ads.example" not in answer.get("content-security-policy") != ""


@pytest.mark.parametrize("begin", [b"<p>", b"\xef\xbb\xbf\r\n <p>", b"Hello "])
def test_untyped_answer_that_may_be_a_page_is_rewritten(
    guard: Callable[..., CookieGuard], begin: bytes
) -> None:
    nul = b"\x00" if b"<" in begin else b""

    answer = ask(guard(page(begin + nul + b'<img src="https://ads.example/p.gif">', headers=[])))

    assert b"data-cg-src" in answer.body
