"""Responses of the app: which are rewritten, which pass, and the headers that are sent with them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness.asgi import HTML, Answer, App, ask, drive, page, scope_of
from starlette.datastructures import URLPath

from cookieguard import CookieGuard, Vendor
from cookieguard.config import ConsentSettings, CspSettings, HtmlSettings

Guard = Callable[..., CookieGuard]
PIXEL = b'<img src="https://ads.example/p.gif">'
DOCUMENT = (
    b"<!doctype html><html><head><title>Shop</title></head><body><h1>Shop</h1>" + PIXEL + b"</body></html>"
)
HELD = b'<img data-cg-src="https://ads.example/p.gif">'
OWN_POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]


def choose(app: App, choice: str) -> tuple[str, str]:
    """Post a choice and return the Cookie header to send from then on."""
    answer = ask(app, path="/_cg/consent", method="POST", headers=OWN_POST, body=f"choice={choice}".encode())
    return ("cookie", "; ".join(f"{name}={value}" for name, value in answer.cookies().items()))


def test_a_document_is_rewritten_and_carries_banner_and_policy(guard: Guard) -> None:
    answer = ask(guard(page(DOCUMENT)))

    assert HELD in answer.body
    assert answer.body.index(b"<h1>") < answer.body.index(b'id="cg"') < answer.body.index(b"</body>")
    (policy,) = answer.all("content-security-policy")
    assert "ads.example" not in policy
    assert answer.get("content-length") == str(len(answer.body))
    assert "Cookie" in answer.get("vary")
    assert "Sec-GPC" in answer.get("vary")
    assert answer.get("cache-control") == "private"


def test_a_page_of_two_types_gets_the_one_it_is_read_by(guard: Guard) -> None:
    types = [("content-type", "text/html"), ("content-type", "application/xhtml+xml")]
    hidden = b'<html xmlns="http://www.w3.org/1999/xhtml"><title/><iframe src="https://ads.example/"/></html>'

    answer = ask(guard(page(hidden, headers=types)))

    assert answer.all("content-type") == ["application/xhtml+xml"]
    assert b'data-cg-src="https://ads.example/"' in answer.body


FIVE = ("google-analytics", "stripe", "youtube", "google-fonts", "hotjar")
XHTML = [("content-type", "application/xhtml+xml")]
WORKER = [("content-type", "text/javascript")]


@pytest.mark.parametrize(
    ("headers", "destination"),
    [(HTML, "document"), (HTML, "iframe"), (HTML, "empty"), (WORKER, "worker"), (WORKER, "serviceworker")],
)
def test_five_vendors_are_no_news_where_the_whole_policy_goes_out_or_counts_for_nothing(
    guard: Guard, caplog: pytest.LogCaptureFixture, headers: list[tuple[str, str]], destination: str
) -> None:
    app = guard(page(DOCUMENT, headers=headers), vendors=tuple(Vendor(catalogue=one) for one in FIVE))
    agreed = choose(app, "save&purpose=statistics&purpose=preferences")

    answer = ask(app, headers=[agreed, ("sec-fetch-dest", destination)])

    is_page = destination in ("document", "iframe")
    assert (b"<meta http-equiv" in answer.body) == is_page
    assert ("hotjar.io" in f"{answer.body!r}{answer.headers}") == (destination != "empty")
    assert "Content-Security-Policy" not in caplog.text


@pytest.mark.parametrize("settings", [{}, {"html": HtmlSettings(enabled=False)}])
def test_a_page_without_some_of_the_vendors_that_were_agreed_to_is_told_once(
    guard: Guard, caplog: pytest.LogCaptureFixture, settings: dict[str, Any]
) -> None:
    app = guard(
        page(DOCUMENT, headers=HTML if settings else XHTML),
        vendors=tuple(Vendor(catalogue=one) for one in FIVE),
        **settings,
    )
    agreed = choose(app, "save&purpose=statistics&purpose=preferences")

    answers = [ask(app, headers=[one, ("sec-fetch-dest", "document")]) for one in (agreed, agreed)]

    sent = len(answers[0].get("content-security-policy"))
    assert "hotjar.io" not in answers[0].get("content-security-policy")
    assert caplog.text.count(f"(Sec-Fetch-Dest: document) got only {sent} of the ") == 1


@pytest.mark.parametrize(
    "said", ["application/json, application/json", "text/plain,image/png", "text/css, text/css"]
)
def test_what_is_no_page_under_two_types_gets_one_since_webkit_would_sniff_it(
    guard: Guard, said: str
) -> None:
    answer = ask(guard(page(DOCUMENT, headers=[("content-type", said)])))

    assert answer.body == DOCUMENT
    assert answer.headers == [("content-type", said.rpartition(",")[2].strip())]


@pytest.mark.parametrize("quoted", ['application/ld+json; profile="http://a.example/b, http://c.example/d"'])
@pytest.mark.parametrize("before", ["", "application/json, "])
def test_a_type_in_quotes_is_none_that_a_response_gets(guard: Guard, before: str, quoted: str) -> None:
    answer = ask(guard(page(DOCUMENT, headers=[("content-type", before + quoted)])))

    assert answer.body == DOCUMENT
    assert answer.get("content-type").startswith("application/ld+json; profile=")
    assert before or answer.get("content-type") == quoted


def test_after_accepting_the_page_is_as_it_was_but_for_the_control(guard: Guard) -> None:
    app = guard(page(DOCUMENT))

    answer = ask(app, headers=[choose(app, "accept")])

    assert PIXEL in answer.body
    assert b"<h2" not in answer.body
    assert b'value="reject"' in answer.body


def test_speculation_rules_in_files_are_not_named_until_nobody_is_held(guard: Guard) -> None:
    rules = ("speculation-rules", '"/rules.json"')
    app = guard(page(DOCUMENT, headers=[*HTML, rules]))

    assert not ask(app).get("speculation-rules")
    assert ask(app, headers=[choose(app, "accept")]).get("speculation-rules") == rules[1]


@pytest.mark.parametrize("name", ["link ", "link\t", "Link \t"])
def test_blanks_in_the_name_of_a_header_hide_nothing(guard: Guard, name: str) -> None:
    app = guard(page(DOCUMENT, headers=[*HTML, (name, "<//ads.example/>; rel=preconnect")]))
    plain = guard(page(b"{}", headers=[("content-type ", "text/html")]))

    assert not [one for one, _ in ask(app).headers if one.strip().lower() == "link"]
    assert ask(plain).get("content-security-policy")


def test_no_name_is_looked_up_ahead_until_nobody_is_held(guard: Guard) -> None:
    asked_for = ("x-dns-prefetch-control", "on")
    app = guard(page(DOCUMENT, headers=[*HTML, asked_for]))
    plain = guard(page(b"{}", headers=[("content-type", "application/json")]))

    assert ask(app).all("x-dns-prefetch-control") == ["off"]
    assert ask(app, headers=[choose(app, "reject")]).all("x-dns-prefetch-control") == ["off"]
    assert ask(app, headers=[choose(app, "accept")]).all("x-dns-prefetch-control") == ["on"]
    assert not ask(plain).all("x-dns-prefetch-control")


def test_after_refusing_nothing_comes_alive_and_the_banner_stays_away(guard: Guard) -> None:
    app = guard(page(DOCUMENT))

    answer = ask(app, headers=[choose(app, "reject")])

    assert HELD in answer.body
    assert b"<h2" not in answer.body
    assert b"/_cg/choices" in answer.body


def test_each_purpose_brings_only_its_own_vendors(guard: Guard) -> None:
    app = guard(page(b"<!doctype html><body>" + PIXEL + b"<script src=//x.count.example/a.js></script>"))

    answer = ask(app, headers=[choose(app, "save&purpose=statistics")])

    assert HELD in answer.body
    assert b"<script src=//x.count.example/a.js>" in answer.body
    assert "count.example" in answer.get("content-security-policy")
    assert "ads.example" not in answer.get("content-security-policy")


@pytest.mark.parametrize("value", ["1", "1, 1", "0, 1"])
def test_gpc_holds_everything_suppresses_the_banner_and_says_so(guard: Guard, value: str) -> None:
    answer = ask(guard(page(DOCUMENT)), headers=[("sec-gpc", value)])

    assert HELD in answer.body
    assert b"<h2" not in answer.body
    assert b"Opt-out signal" in answer.body
    assert not answer.all("set-cookie")


@pytest.mark.parametrize("value", ["0", "", "true", "11", "?1"])
def test_gpc_counts_only_when_it_is_exactly_1(guard: Guard, value: str) -> None:
    assert b"<h2" in ask(guard(page(DOCUMENT)), headers=[("sec-gpc", value)]).body


def test_gpc_overrules_a_grant_made_without_it(guard: Guard) -> None:
    app = guard(page(DOCUMENT))

    answer = ask(app, headers=[choose(app, "accept"), ("sec-gpc", "1")])

    assert HELD in answer.body
    assert "ads.example" not in answer.get("content-security-policy")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "image/png",
        "image/webp",
        "font/woff2",
        "video/mp4",
        "audio/mpeg",
        "application/pdf",
        "application/octet-stream",
        "text/css",
        "text/event-stream",
        "application/x-ndjson",
    ],
)
def test_what_is_no_document_passes_as_the_same_objects_and_without_headers_of_ours(
    guard: Guard, content_type: str
) -> None:
    chunks = [PIXEL, b"more"]
    headers = [("content-type", content_type), ("etag", '"a"'), ("cache-control", "public, max-age=60")]
    headers += [("vary", "Accept"), ("last-modified", "Tue, 24 Nov 2026 12:00:00 GMT")]

    answer = ask(guard(page(*chunks, headers=headers)))

    assert [message["body"] for message in answer.bodies] == chunks
    assert all(message["body"] is chunk for message, chunk in zip(answer.bodies, chunks, strict=True))
    assert answer.headers == headers


def test_an_attachment_passes_as_it_is(guard: Guard) -> None:
    headers = [*HTML, ("content-disposition", 'attachment; filename="a.html"')]

    answer = ask(guard(page(DOCUMENT, headers=headers)))

    assert answer.body == DOCUMENT
    assert answer.headers == headers


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "")],
        [("content-type", "html")],
        [("content-type", "TEXT/HTML")],
        [("content-type", "text/html;x")],
        [("content-type", "text/plain"), ("content-type", "text/html")],
        [("content-type", "text/plain, text/html")],
        [("content-type", "unknown/unknown")],
        [("Content-Type", "text/html")],
        [("content-type", "application/xhtml+xml")],
    ],
)
def test_whatever_a_browser_may_read_as_html_is_a_document(
    guard: Guard, headers: list[tuple[str, str]]
) -> None:
    answer = ask(guard(page(PIXEL, headers=headers)))

    assert b" src=" not in answer.body
    assert answer.all("content-security-policy")


def test_a_streamed_page_leaves_chunk_by_chunk(guard: Guard) -> None:
    chunks = [b"<!doctype html><body>", b"one", b"two<im", b"g src=//ads.example/p>", b"three"]

    answer = ask(guard(page(*chunks)))

    assert not answer.all("content-length")
    pieces = [message["body"] for message in answer.bodies]
    assert pieces[1] is chunks[1]
    assert pieces[2] == b"two"
    assert b"data-cg-src" in pieces[3]


def test_the_start_of_an_event_stream_leaves_before_any_body_exists(guard: Guard) -> None:
    answer = Answer(scope=scope_of())

    async def app(_: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        assert answer.status == 200
        await send({"type": "http.response.body", "body": b"data: 1\n\n"})

    asyncio.run(drive(guard(app), answer))
    assert answer.body == b"data: 1\n\n"


@pytest.mark.parametrize("codings", [["compress"], ["gzip, gzip"], ["gzip", "gzip"], ["identity", "dcb"]])
def test_an_undecodable_coding_goes_out_under_the_strict_policy_until_everything_is_accepted(
    guard: Guard, codings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    body = b"\x1b\x02"
    app = guard(page(body, headers=[*HTML, *(("content-encoding", one) for one in codings)]))

    answers_are_strict_until_everything_is_accepted(app, body)
    assert "sent under the strict policy: content-encoding" in caplog.text


@pytest.mark.parametrize(
    "coding", ["none", "UTF-8", "8bit", "binary", "identity", "", ",", "identity, Identity", "aws-chunked"]
)
def test_a_page_that_names_a_coding_where_it_has_none_is_guarded(guard: Guard, coding: str) -> None:
    answer = ask(guard(page(DOCUMENT, headers=[*HTML, ("content-encoding", coding)])))

    assert b'id="cg"' in answer.body
    assert b' src="https://ads.example' not in answer.body


def answers_are_strict_until_everything_is_accepted(app: App, body: bytes) -> None:
    # Nobody reads such a page, so "partly" cannot be kept apart on it. Who agreed to all gets what the shop wrote.
    undecided, partly, everything = (
        ask(app, headers=[choose(app, choice)] if choice else [])
        for choice in ("", "save&purpose=statistics", "accept")
    )

    assert undecided.body == partly.body == everything.body == body
    for answer in (undecided, partly):
        assert "'self'" in answer.get("content-security-policy")
        assert "count.example" not in answer.get("content-security-policy")
    assert "'self'" not in everything.get("content-security-policy")


def test_a_part_of_a_page_goes_out_under_the_strict_policy_until_everything_is_accepted(guard: Guard) -> None:
    app = guard(page(DOCUMENT[40:], status=206, headers=[*HTML, ("content-range", "bytes 40-99/100")]))

    answers_are_strict_until_everything_is_accepted(app, DOCUMENT[40:])


def test_under_block_accepting_everything_brings_the_declared_vendors_and_nobody_else(guard: Guard) -> None:
    app = guard(page(b"x", headers=[*HTML, ("content-encoding", "compress")]), undeclared="block")

    policy = ask(app, headers=[choose(app, "accept")]).get("content-security-policy")

    assert "ads.example" in policy
    assert "'self'" in policy


def test_a_failing_rewriter_ends_the_page_without_a_raw_byte(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from cookieguard.html import Rewriter

    class Broken(Rewriter):
        def feed(self, chunk: bytes) -> bytes:
            raise ZeroDivisionError

    monkeypatch.setattr("cookieguard.web.document.choose_body.Rewriter", Broken)
    answer = ask(guard(page(DOCUMENT, b"more" + PIXEL)))

    assert answer.status == 200
    assert b"ads.example" not in answer.body
    assert "a page was cut short" in caplog.text


def test_an_app_that_crashes_in_the_middle_is_not_finished_by_us(guard: Guard) -> None:
    answer = Answer(scope=scope_of())

    async def app(_: Any, __: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b"<p>half", "more_body": True})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(drive(guard(app), answer))
    assert all(message["more_body"] for message in answer.bodies)


def test_messages_of_other_types_pass_after_the_start_that_waited(guard: Guard) -> None:
    answer = Answer(scope=scope_of())

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.debug", "info": {"template": 1}})
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        await send({**start, "trailers": True})
        await send({"type": "http.response.unheard-of", "x": 1})
        await send({"type": "http.response.body", "body": b"<p>"})
        await send({"type": "http.response.trailers", "headers": []})

    asyncio.run(drive(guard(app), answer))

    assert [message["type"].rpartition(".")[2] for message in answer.messages] == [
        "debug",
        "start",
        "unheard-of",
        "body",
        "trailers",
    ]
    assert answer.messages[1]["trailers"] is True


@pytest.mark.parametrize("first", [b"", b"<"])
def test_a_document_after_a_message_of_another_type_is_still_rewritten(guard: Guard, first: bytes) -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        if first:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        await send({"type": "http.response.push", "path": "/a.css", "headers": []})
        await send({"type": "http.response.body", "body": DOCUMENT.removeprefix(first)})

    answer = ask(guard(app))

    assert answer.body.startswith(b"<!doctype html>")
    assert HELD in answer.body
    assert PIXEL not in answer.body


def test_the_doors_around_us_are_shut_for_documents(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    doors = ["http.response.pathsend", "http.response.zerocopysend", "http.response.early_hint", "tls"]
    app = guard(page(seen=seen))

    ask(app, extensions=doors)
    ask(app, extensions=doors, headers=[("sec-fetch-dest", "image")])

    assert list(seen[0]["extensions"]) == ["http.response.early_hint", "tls"]
    assert list(seen[1]["extensions"]) == doors


def test_a_file_handed_to_the_server_all_the_same_goes_under_the_strict_policy(guard: Guard) -> None:
    answer = Answer(scope=scope_of())

    async def app(_: Any, __: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.early_hint", "links": [b"<//ads.example>; rel=preconnect"]})
        await send({"type": "http.response.pathsend", "path": "/tmp/x"})

    asyncio.run(drive(guard(app), answer))

    assert [message["type"] for message in answer.messages] == [
        "http.response.start",
        "http.response.pathsend",
    ]
    assert "'self'" in answer.get("content-security-policy")


HTML_ACCEPTED = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")


@pytest.mark.parametrize(
    ("headers", "is_cut"),
    [
        ([("sec-fetch-dest", "document")], True),
        ([("sec-fetch-dest", "iframe")], True),
        ([("sec-fetch-dest", "frame")], True),
        ([("sec-fetch-dest", "embed")], True),
        ([("sec-fetch-dest", "object")], True),
        ([HTML_ACCEPTED], True),
        ([("sec-fetch-dest", "empty"), HTML_ACCEPTED], True),
        ([("sec-fetch-dest", "empty"), ("hx-request", "true")], True),
        ([("sec-fetch-dest", "empty"), ("x-requested-with", "XMLHttpRequest")], False),
        ([("sec-fetch-dest", "empty"), ("accept", "*/*")], False),
        ([("sec-fetch-dest", "empty"), ("accept", "application/json")], False),
        ([("accept", "*/*")], False),
        ([], False),
        ([("sec-fetch-dest", "image"), HTML_ACCEPTED], False),
        ([("sec-fetch-dest", "font")], False),
    ],
)
def test_app_is_offered_only_codings_that_the_rewriter_reads(
    guard: Guard, headers: list[tuple[str, str]], is_cut: bool
) -> None:
    seen: list[dict[str, Any]] = []
    offered = ("accept-encoding", "gzip, deflate, br;q=1.0, dcb, zstd, *")

    ask(guard(page(seen=seen)), headers=[*headers, offered])

    (asked,) = [value for name, value in seen[0]["headers"] if name == b"accept-encoding"]
    assert asked == (b"gzip, deflate, br;q=1.0, zstd" if is_cut else offered[1].encode())


def test_a_page_that_a_script_fetches_is_guarded_whatever_coding_it_took(guard: Guard) -> None:
    fetches = [("sec-fetch-dest", "empty"), ("accept", "*/*"), ("accept-encoding", "br, gzip")]
    coded = guard(page(gzip.compress(DOCUMENT), headers=[*HTML, ("content-encoding", "gzip")]))
    unread = guard(page(b"?", headers=[*HTML, ("content-encoding", "compress")]))

    assert HELD in zlib.decompressobj(31).decompress(ask(coded, headers=fetches).body)
    assert "'self'" in ask(unread, headers=fetches).get("content-security-policy")


def test_an_accept_encoding_without_end_asks_for_no_coding(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []

    ask(guard(page(seen=seen)), headers=[HTML_ACCEPTED, ("accept-encoding", "gzip," * 9000)])

    assert (b"accept-encoding", b"identity") in seen[0]["headers"]


def test_a_head_request_announces_no_length_that_is_not_known(guard: Guard) -> None:
    answer = ask(guard(page(b"", headers=[*HTML, ("content-length", "500")])), method="HEAD")

    assert not answer.all("content-length")
    assert answer.all("content-security-policy")


@pytest.mark.parametrize("body", [b"", DOCUMENT])
def test_a_head_request_announces_the_length_of_a_page_that_the_app_wrote_for_it(
    guard: Guard, body: bytes
) -> None:
    app = guard(page(body, headers=[*HTML, ("content-length", str(len(body)))]))

    asked, shown = ask(app, method="HEAD"), ask(app)

    assert asked.body == b""
    assert asked.get("content-length") == str(len(shown.body)) == shown.get("content-length")


def test_a_head_request_announces_no_length_of_a_worker_that_the_app_did_not_read(guard: Guard) -> None:
    headers = [("content-type", "text/javascript"), ("content-length", "500")]

    answer = ask(
        guard(page(b"", headers=headers)), method="HEAD", headers=[("sec-fetch-dest", "serviceworker")]
    )

    assert not answer.all("content-length")


def test_a_page_with_a_transfer_encoding_of_the_apps_gets_no_length_beside_it(guard: Guard) -> None:
    copied = [*HTML, ("transfer-encoding", "chunked")]  # as from another server's answer
    app = guard(page(DOCUMENT, headers=copied))

    answers = [ask(app) for _ in range(3)]  # the last one is a page that is known

    assert [answer.get("transfer-encoding") for answer in answers] == ["chunked"] * 3
    assert [answer.all("content-length") for answer in answers] == [[]] * 3


@pytest.mark.parametrize("root_path", ["", "/shop"])
def test_a_path_may_be_a_text_of_a_kind_of_its_own(guard: Guard, root_path: str) -> None:
    scope = scope_of(root_path=root_path) | {"path": URLPath("/one")}  # from a middleware that rewrites it

    assert HELD in ask(guard(page(DOCUMENT)), scope).body


def test_headers_that_contact_third_parties_are_held_on_every_response(guard: Guard) -> None:
    headers = [
        ("content-type", "application/json"),
        (
            "link",
            "<https://ads.example/a.js>; rel=preload, </own.css>; rel=preload; as=style, <//ads.example>",
        ),
        ("refresh", "0; url=https://ads.example/"),
        ("report-to", '{"endpoints":[{"url":"https://ads.example/r"}]}'),
        ("reporting-endpoints", 'a="https://ads.example/r"'),
        ("nel", '{"report_to":"a"}'),
        ("content-security-policy-report-only", "default-src 'self'; report-uri https://ads.example/r"),
        ("sourcemap", "//ads.example/map"),
    ]

    answer = ask(guard(page(b"{}", headers=headers)))

    assert "ads.example" not in str(answer.headers)
    assert answer.get("link") == "</own.css>; rel=preload; as=style"
    assert answer.get("content-security-policy-report-only") == "default-src 'self';"


def test_an_etag_says_for_which_state_of_consent_its_page_was_written(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    headers = [
        *HTML,
        ("etag", '"v1"'),
        ("last-modified", "Tue, 24 Nov 2026 12:00:00 GMT"),
        ("accept-ranges", "bytes"),
    ]
    app = guard(page(DOCUMENT, headers=headers, seen=seen))
    dest = ("sec-fetch-dest", "document")

    first = ask(app, headers=[dest])
    tag = first.get("etag")
    ask(app, headers=[dest, ("if-none-match", tag)])
    ask(app, headers=[dest, ("if-none-match", tag), choose(app, "reject")])
    ask(app, headers=[dest, ("if-none-match", '"v1"'), ("if-modified-since", "x"), ("range", "bytes=0-")])

    assert tag.startswith('W/"v1-cg.')
    assert not first.all("last-modified")
    assert not first.all("accept-ranges")
    conditions = [
        [
            value
            for name, value in scope["headers"]
            if name in (b"if-none-match", b"if-modified-since", b"range")
        ]
        for scope in seen
    ]
    assert conditions == [[], [b'"v1"'], [], []]


@pytest.mark.parametrize(
    ("asked", "varies"),
    [
        ([("sec-fetch-dest", "empty"), ("hx-request", "true")], "hx-request"),
        ([("sec-fetch-dest", "empty"), ("x-requested-with", "XMLHttpRequest")], "x-requested-with"),
        ([("turbo-frame", "a"), ("x-requested-with", "Turbo")], "turbo-frame, x-requested-with"),
        ([("sec-fetch-dest", "iframe")], "Sec-Fetch-Dest"),
        ([("sec-fetch-dest", "document"), ("x-requested-with", "com.shop.app")], ""),
        ([("sec-fetch-dest", "empty"), ("hx-request", "true"), ("hx-boosted", "true")], ""),
    ],
)
def test_a_piece_of_a_page_is_not_what_a_browsers_cache_shows_in_place_of_the_page(
    guard: Guard, asked: list[tuple[str, str]], varies: str
) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(DOCUMENT, headers=[*HTML, ("etag", '"v1"')], seen=seen))
    piece = ask(app, headers=asked)
    tag = ("if-none-match", piece.get("etag"))

    ask(app, headers=[*asked, tag])
    ask(app, headers=[("sec-fetch-dest", "document"), tag])

    assert piece.get("vary") == ", ".join(filter(None, (varies, "Cookie, Sec-GPC")))
    conditions = [dict(scope["headers"]).get(b"if-none-match") for scope in seen]
    is_page = b'id="cg"' in piece.body and "hx" not in str(asked)
    assert conditions == [None, b'"v1"', b'"v1"' if is_page else None]


def test_a_page_that_said_a_choice_is_saved_is_not_shown_again_by_a_304(guard: Guard) -> None:
    now = [datetime(2026, 11, 24, 12, tzinfo=UTC)]
    seen: list[dict[str, Any]] = []
    app = guard(page(DOCUMENT, headers=[*HTML, ("etag", '"v1"')], seen=seen), clock=lambda: now[0])
    cookie = choose(app, "accept")

    said = ask(app, headers=[cookie])
    now[0] += timedelta(minutes=10)
    later = ask(app, headers=[cookie, ("if-none-match", said.get("etag"))])
    ask(app, headers=[cookie, ("if-none-match", later.get("etag"))])

    assert (b'role="status"' in said.body, b'role="status"' in later.body) == (True, False)
    asked = [dict(scope["headers"]).get(b"if-none-match") for scope in seen]
    assert asked == [None, None, b'"v1"']


def test_an_etag_of_ours_is_the_apps_own_where_something_is_to_change(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    app = guard(page(DOCUMENT, headers=[*HTML, ("etag", '"v1"')], seen=seen))
    tag = ask(app).get("etag")

    ask(app, method="PUT", headers=[("if-match", f'"v0", {tag}'), ("sec-fetch-dest", "empty")])
    ask(app, method="PUT", headers=[("if-match", tag), choose(app, "accept")])
    ask(app, method="PUT", headers=[("if-match", "*")])

    asked = [dict(scope["headers"]).get(b"if-match") for scope in seen]
    assert asked == [None, b'"v0", "v1"', b'"v1"', b"*"]


def test_a_file_that_was_shown_is_revalidated_and_resumed(guard: Guard) -> None:
    seen: list[dict[str, Any]] = []
    stamps = [("etag", '"p1"'), ("last-modified", "Tue, 24 Nov 2026 12:00:00 GMT")]
    app = guard(page(b"%PDF", headers=[("content-type", "application/pdf"), *stamps], seen=seen))
    dest = ("sec-fetch-dest", "document")
    conditions = [("if-none-match", '"p1"'), ("if-modified-since", stamps[1][1])]
    resumed = [("range", "bytes=2-"), ("if-range", '"p1"')]

    for headers in (
        conditions,
        [],
        conditions,
        resumed,
        [("if-none-match", '"p0"')],
        [("range", "bytes=2-")],
    ):
        ask(app, path="/p.pdf", headers=[dest, *headers])
    ask(app, path="/other", headers=[dest, *conditions])

    asked = [
        sorted(pair for pair in scope["headers"] if pair[0].startswith((b"if-", b"range"))) for scope in seen
    ]
    kept = [sorted((name.encode(), value.encode()) for name, value in one) for one in (conditions, resumed)]
    assert asked == [[], [], kept[0], kept[1], [], [], []]


def test_a_304_for_a_file_that_was_shown_keeps_its_etag(guard: Guard) -> None:
    answers = iter([(200, b"%PDF"), (304, b"")])

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        status, body = next(answers)
        headers = [(b"etag", b'"p1"')] + [(b"content-type", b"application/pdf")] * (status == 200)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    app = guard(shop)
    dest = ("sec-fetch-dest", "document")
    ask(app, headers=[dest])

    answer = ask(app, headers=[dest, ("if-none-match", '"p1"')])

    assert (answer.status, answer.get("etag")) == (304, '"p1"')


def test_a_page_that_another_release_wrote_is_not_answered_by_304(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = page(DOCUMENT, headers=[*HTML, ("etag", '"v1"')])
    today = ask(guard(shop)).get("etag")
    again = ask(guard(shop)).get("etag")
    monkeypatch.setattr("cookieguard.web.parts.opening._release", lambda: "99.0")

    later = ask(guard(shop)).get("etag")

    assert today == again
    assert later != today


def test_a_304_for_a_document_carries_the_policy_in_force(guard: Guard) -> None:
    headers = [*HTML, ("etag", 'W/"v1"')]
    first = ask(guard(page(DOCUMENT, headers=headers)))

    app = guard(page(status=304, headers=[("etag", 'W/"v1"')]))
    answer = ask(app, headers=[("if-none-match", first.get("etag"))])

    assert answer.all("content-security-policy")
    assert answer.get("etag") == first.get("etag")


@pytest.mark.parametrize("destination", ["worker", "sharedworker", "serviceworker", "object", "embed"])
def test_a_304_for_a_context_of_its_own_carries_the_policy_in_force(guard: Guard, destination: str) -> None:
    app = guard(page(status=304, headers=[("etag", '"w"')]))

    answer = ask(app, headers=[("if-none-match", '"w"'), ("sec-fetch-dest", destination)])

    assert "ads.example" not in answer.get("content-security-policy")
    assert "default-src 'self'" in answer.get("content-security-policy")
    assert answer.get("cache-control") == "private"


def test_a_304_for_a_picture_gets_nothing_of_ours(guard: Guard) -> None:
    app = guard(page(status=304, headers=[("etag", '"p"')]))

    answer = ask(app, headers=[("if-none-match", '"p"'), ("sec-fetch-dest", "image")])

    assert answer.headers == [("etag", '"p"')]


@pytest.mark.parametrize(
    ("content_type", "destination", "carries"),
    [
        ("text/javascript", "worker", True),
        ("text/javascript", "sharedworker", True),
        ("text/javascript", "serviceworker", True),
        ("text/plain", "worker", True),
        ("application/octet-stream", "sharedworker", True),
        ("text/plain; charset=utf-8", "empty", False),
        ("text/jscript", "", True),
        ("Text/JavaScript1.5", "", True),
        ("application/javascript", "", True),
        ("text/javascript", "script", False),
        ("text/javascript", "audioworklet", False),
        ("image/svg+xml", "document", True),
        ("text/xml", "document", True),
        ("text/css", "style", False),
    ],
)
def test_what_can_become_a_context_of_its_own_carries_the_policy(
    guard: Guard, content_type: str, destination: str, carries: bool
) -> None:
    headers = [("sec-fetch-dest", destination)] if destination else []

    answer = ask(guard(page(b"x", headers=[("content-type", content_type)])), headers=headers)

    assert bool(answer.all("content-security-policy")) == carries
    if "javascript" in content_type:
        assert "Sec-Fetch-Dest" in answer.get("vary")


def test_a_drawing_that_a_service_worker_asks_for_to_show_is_read_and_data_are_not(guard: Guard) -> None:
    body = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="//ads.example/a"/></svg>'
    app = guard(page(body, headers=[("content-type", "image/svg+xml")]))
    data, wanted = ("sec-fetch-dest", "empty"), ("accept", "text/html,*/*;q=0.8")

    for mode in ("navigate", "same-origin"):
        answer = ask(app, headers=[data, ("sec-fetch-mode", mode), wanted])
        assert b' href="//ads' not in answer.body
    assert ask(app, headers=[data, ("sec-fetch-mode", "cors"), wanted]).body == body
    assert ask(app, headers=[data, ("sec-fetch-mode", "navigate"), ("accept", "*/*")]).body == body


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/wasm"])
def test_a_worker_made_of_a_download_carries_the_policy(guard: Guard, content_type: str) -> None:
    headers = [
        ("content-type", content_type),
        ("content-disposition", "attachment"),
        ("cache-control", "public"),
    ]

    answer = ask(guard(page(b"x", headers=headers)), headers=[("sec-fetch-dest", "worker")])

    assert answer.all("content-security-policy")
    assert answer.get("cache-control") == "private"


@pytest.mark.parametrize("content_type", ["image/svg+xml", "text/xml"])
@pytest.mark.parametrize("asked", [("sec-fetch-dest", "image"), ("accept", "image/webp,*/*")])
def test_a_picture_that_was_not_read_is_not_what_a_cache_shows_to_who_opens_it(
    guard: Guard, content_type: str, asked: tuple[str, str]
) -> None:
    body = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="//ads.example/a"/></svg>'
    headers = [("content-type", content_type), ("cache-control", "max-age=60")]
    app = guard(page(body, headers=headers))

    picture = ask(app, headers=[asked])
    opened = ask(app, headers=[(asked[0], "document" if asked[0] == "sec-fetch-dest" else "text/html")])

    assert picture.body == body
    assert b' href="//ads' not in opened.body
    for answer in (picture, opened):
        assert asked[0] in answer.get("vary").lower()


@pytest.mark.parametrize("coding", ["", "gzip", "compress"])
def test_the_script_of_a_service_worker_has_other_bytes_under_another_policy(
    guard: Guard, coding: str
) -> None:
    script = b"self.skipWaiting()"
    body = gzip.compress(script) if coding == "gzip" else script
    headers = [("content-type", "text/javascript"), ("etag", '"v1"'), ("content-encoding", coding)]
    app = guard(page(body, headers=headers if coding else headers[:2]))
    asks = ("sec-fetch-dest", "serviceworker")

    def bodies(answer: Answer) -> bytes:
        return zlib.decompressobj(31).decompress(answer.body) if coding == "gzip" else answer.body

    undecided = ask(app, headers=[asks])
    refused = ask(app, headers=[asks, choose(app, "reject")])
    accepted = ask(app, headers=[asks, choose(app, "accept")])
    as_script = ask(app, headers=[("sec-fetch-dest", "script"), choose(app, "accept")])

    assert (undecided.body == accepted.body) == (coding == "compress")  # nobody reads that one
    assert undecided.body == refused.body  # the same policy
    assert bodies(accepted).startswith(script)
    assert len(bodies(accepted).splitlines()) == (1 if coding == "compress" else 2)
    assert as_script.body == body
    for answer in (undecided, accepted):
        assert answer.all("content-security-policy")
        assert answer.get("etag").startswith('W/"v1-cg.')
        assert {"Sec-Fetch-Dest", "Cookie"} <= {one.strip() for one in answer.get("vary").split(",")}


def test_head_of_a_service_worker_has_no_body(guard: Guard) -> None:
    app = guard(page(b"", headers=[("content-type", "text/javascript")]))

    asked = ask(app, scope_of(method="HEAD", headers=[("sec-fetch-dest", "serviceworker")]))

    assert (asked.status, asked.body) == (200, b"")


@pytest.mark.parametrize(
    ("headers", "has_banner"),
    [
        ([], True),
        ([("sec-fetch-dest", "document")], True),
        ([("sec-fetch-dest", "empty")], True),
        ([("sec-fetch-dest", "iframe")], False),
        ([("hx-request", "true")], False),
        ([("hx-request", "true"), ("hx-boosted", "true")], True),
        ([("hx-request", "true"), ("hx-history-restore-request", "true")], True),
        ([("x-up-version", "3.14.3"), ("x-up-target", "body")], True),
        ([("x-up-version", "3.14.3"), ("x-up-target", ".flash, body")], True),
        ([("x-up-version", "3.14.3"), ("x-up-target", ".body")], False),
        ([("x-requested-with", "XMLHttpRequest")], False),
        ([("x-requested-with", "com.instagram.android"), ("sec-fetch-dest", "document")], True),
        ([("x-requested-with", "com.shop.app"), ("hx-request", "true")], False),
        ([("x-requested-with", ""), ("sec-fetch-dest", "document")], True),
        ([("turbo-frame", "a")], False),
    ],
)
def test_fragments_and_frames_are_guarded_without_a_banner(
    guard: Guard, headers: list[tuple[str, str]], has_banner: bool
) -> None:
    answer = ask(guard(page(DOCUMENT)), headers=headers)

    assert HELD in answer.body
    assert (b'id="cg"' in answer.body) == has_banner


@pytest.mark.parametrize(
    ("method", "site", "has_banner"),
    [("POST", "cross-site", False), ("POST", "same-origin", True), ("GET", "cross-site", True)],
)
def test_visitor_posted_back_by_another_site_is_not_asked_again(
    guard: Guard, method: str, site: str, has_banner: bool
) -> None:
    headers = [("sec-fetch-site", site), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]

    answer = ask(guard(page(DOCUMENT)), scope_of("/paid", method=method, headers=headers))

    assert HELD in answer.body
    assert (b'id="cg"' in answer.body) == has_banner


def test_a_piece_of_a_page_gets_no_banner(guard: Guard) -> None:
    answer = ask(guard(page(b"<li>one</li>" + PIXEL)))

    assert answer.body == b"<li>one</li>" + HELD


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("script-src 'nonce-abc'; style-src 'nonce-abc'", [b'<style nonce="abc">', b'<script nonce="abc">']),
        ("script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'", [b"<style>", b"<script>"]),
        ("default-src 'self'", [b'<link rel="stylesheet" href="/_cg/banner.', b'<script src="/_cg/banner.']),
    ],
)
def test_what_we_insert_is_allowed_by_the_shops_own_policy(
    guard: Guard, policy: str, expected: list[bytes]
) -> None:
    answer = ask(guard(page(DOCUMENT, headers=[*HTML, ("content-security-policy", policy)])))

    policies = answer.all("content-security-policy")
    assert policies[0] == policy
    assert len(policies) == 2
    assert "nonce" not in policies[1]
    for part in expected:
        assert part in answer.body


@pytest.mark.parametrize(
    ("in_force", "tried", "script", "style"),
    [
        (
            "",
            "script-src 'nonce-abc'; style-src 'nonce-abc'",
            b'<script nonce="abc">',
            b'<style nonce="abc">',
        ),
        ("", "script-src 'nonce-abc'; style-src 'unsafe-inline'", b'<script nonce="abc">', b"<style>"),
        (
            "script-src 'unsafe-inline'",
            "script-src 'nonce-abc' 'strict-dynamic'",
            b'<script nonce="abc">',
            b"<style>",
        ),
        # It costs a request more, or the banner: what is only tried out is not worth that.
        ("", "default-src 'self'", b"<script data-file=", b"<style>"),
        ("", "default-src 'none'", b"<script data-file=", b"<style>"),
        ("script-src 'nonce-x'", "script-src 'nonce-abc'", b'<script nonce="x">', b"<style>"),
    ],
)
def test_a_policy_that_is_tried_out_reports_nothing_of_ours_where_that_costs_nothing(
    guard: Guard, in_force: str, tried: str, script: bytes, style: bytes
) -> None:
    policies = [("content-security-policy", in_force)] * bool(in_force)
    app = guard(page(DOCUMENT, headers=[*HTML, *policies, ("content-security-policy-report-only", tried)]))
    shown = DOCUMENT.replace(b"</h1>", b"</h1><p>")
    other = guard(page(shown, headers=[*HTML, ("content-security-policy-report-only", tried)]))

    for _ in range(3):
        answer = ask(app)
        assert script in answer.body
        assert style in answer.body
        assert answer.get("content-security-policy-report-only") == tried
    assert (b'nonce="' in ask(other).body) == ("nonce" in tried)


def test_a_nonce_that_is_tried_out_is_each_pages_own(guard: Guard) -> None:
    nonces = iter(["one", "two", "three", "four"])

    async def shop(scope: Any, receive: Any, send: Any) -> None:
        tried = ("content-security-policy-report-only", f"script-src 'nonce-{next(nonces)}'")
        await page(DOCUMENT, headers=[*HTML, tried])(scope, receive, send)

    app = guard(shop)

    for nonce in (b"one", b"two", b"three", b"four"):
        assert b'<script nonce="%s">' % nonce in ask(app).body


def test_a_policy_that_allows_nothing_gets_a_banner_of_plain_html(guard: Guard) -> None:
    answer = ask(guard(page(DOCUMENT, headers=[*HTML, ("content-security-policy", "default-src 'none'")])))

    assert b"<style" not in answer.body
    assert b"<script" not in answer.body
    assert b"<form" in answer.body


def test_a_nonce_in_a_meta_policy_is_copied_too(guard: Guard) -> None:
    meta = (
        b"<meta http-equiv=Content-Security-Policy content=\"script-src 'nonce-Q1'; style-src 'nonce-Q1'\">"
    )

    answer = ask(guard(page(b"<!doctype html><head>" + meta + b"</head><body>x")))

    assert b'<style nonce="Q1">' in answer.body


def test_under_a_foreign_base_the_banner_posts_to_the_shop(guard: Guard) -> None:
    body = b'<!doctype html><head><base href="https://cdn.shop.example/x/"></head><body>x'

    answer = ask(guard(page(body)))

    assert b'action="https://shop.example/_cg/consent"' in answer.body


def test_a_page_that_answered_a_post_leads_back_to_the_page_before(guard: Guard) -> None:
    app = guard(page(DOCUMENT))

    own = ask(app, path="/cart/add", method="POST", headers=[("referer", "https://shop.example/cart?a=1")])
    foreign = ask(app, path="/cart/add", method="POST", headers=[("referer", "https://evil.example/x")])

    assert b'name="next" value="/cart?a=1"' in own.body
    assert b'name="next" value="/"' in foreign.body


@pytest.mark.parametrize(
    ("path", "query", "leads_to"),
    [
        ("/paid", "result=" + "x" * 2000, "/paid?result=" + "x" * 2000),
        ("/paid", "result=" + "x" * 3000, ""),
        ("/", "result=" + "x" * 3000, ""),
        ("/" + "x" * 3000, "", ""),
        ("/", "a=1", "/?a=1"),
        ("/", "", "/"),
    ],
)
def test_a_choice_on_a_page_of_a_long_address_does_not_lead_home(
    guard: Guard, path: str, query: str, leads_to: str
) -> None:
    answer = ask(guard(page(DOCUMENT)), path=path, query=query)

    assert f'name="next" value="{leads_to}"'.encode() in answer.body


@pytest.mark.parametrize(
    ("path", "query", "led_by", "leads_to"),
    [
        ("/order", "", "/order", "/order?"),
        ("/order", "step=2", "/order?step=2", "/order?step=2&amp;"),
        ("/caf\u00e9", "", "/caf%c3%a9", "/caf%c3%a9?"),
        ("/order", "", "/order?step=2", "/order?step=2"),
    ],
)
def test_no_choice_leads_to_the_very_address_of_a_page_that_answered_a_post(
    guard: Guard, path: str, query: str, led_by: str, leads_to: str
) -> None:
    app = guard(page(DOCUMENT))
    headers = [("referer", f"https://shop.example{led_by}")]

    answer = ask(app, scope_of(path, query=query, method="POST", headers=headers))
    agreed = [ask(app, method=one, headers=[choose(app, "accept")]).body for one in ("GET", "POST")]

    assert f'name="next" value="{leads_to}"'.encode() in answer.body
    assert [b"location.reload()" in one for one in agreed] == [True, False]


@pytest.mark.parametrize(
    ("options", "has_note"),
    [
        ({"scheme": "https"}, False),
        ({"scheme": "http"}, True),
        ({"scheme": "http", "host": "shop.localhost:8000"}, False),
        ({"scheme": "http", "host": "127.0.0.1:8000"}, False),
        ({"scheme": "http", "host": "[::1]:8000"}, False),
        ({"scheme": "http", "headers": [("sec-fetch-site", "none")]}, False),
    ],
)
def test_plain_http_beyond_loopback_is_told_once_in_log_and_on_the_banner(
    guard: Guard, options: dict[str, Any], has_note: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(page(DOCUMENT))

    answer = ask(app, **options)
    ask(app, **options)

    assert (b"plain http" in answer.body) == has_note
    assert caplog.text.count("plain http on a host") == int(has_note)


def test_an_undeclared_host_is_told_once_with_the_lines_that_allow_it(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(
        page(b"<!doctype html><script src=//widget.example/w.js></script><img src=//shop-cdn.net/a>" + PIXEL)
    )

    ask(app, path="/product/7")
    ask(app, path="/product/8")

    assert caplog.text.count("held widget.example on /product/7") == 1
    assert (
        '[[vendors]]\nname = "widget.example"\npurpose = "marketing"\nhosts = ["widget.example"]'
        in caplog.text
    )
    assert 'first_party_hosts = ["shop-cdn.net"]' in caplog.text
    assert "held ads.example" not in caplog.text


def test_parts_that_are_switched_off_leave_the_page_alone(guard: Guard) -> None:
    app = guard(
        page(DOCUMENT),
        html=HtmlSettings(enabled=False),
        csp=CspSettings(enabled=False),
        consent=ConsentSettings(enabled=False),
    )

    answer = ask(app)

    assert answer.body == DOCUMENT
    assert not answer.all("content-security-policy")
    assert ask(app, path="/_cg/choices").status == 404


@pytest.mark.parametrize(("choice", "comes_alive"), [("save&purpose=marketing", False), ("accept", True)])
def test_both_walls_treat_an_undeclared_host_alike(guard: Guard, choice: str, comes_alive: bool) -> None:
    app = guard(page(b"<!doctype html><body><img src=//nobody.example/p>"))

    answer = ask(app, headers=[choose(app, choice)])

    assert (b" src=//nobody.example/p" in answer.body) == comes_alive
    assert ("'self'" not in answer.get("content-security-policy")) == comes_alive


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (
            "text/xml",
            b'<html xmlns="http://www.w3.org/1999/xhtml"><iframe src="https://ads.example/f"/></html>',
        ),
        (
            "image/svg+xml",
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="https://ads.example/i"/></svg>',
        ),
    ],
)
def test_xml_and_svg_that_a_browser_shows_are_rewritten_without_a_banner(
    guard: Guard, content_type: str, body: bytes
) -> None:
    app = guard(page(body, headers=[("content-type", content_type)]))

    shown = ask(app, headers=[("sec-fetch-dest", "document")])
    fetched = ask(app, headers=[("sec-fetch-dest", "image"), ("accept", "image/*")])

    assert b" src=" not in shown.body
    assert b" href=" not in shown.body
    assert b'id="cg"' not in shown.body
    assert shown.all("content-security-policy")
    assert fetched.body == body


def test_a_link_header_is_held_under_either_reading_of_its_scheme(guard: Guard) -> None:
    headers = [*HTML, ("link", "<http:ads.example>; rel=preconnect, <https:ads.example>; rel=preconnect")]

    assert not ask(guard(page(DOCUMENT, headers=headers)), scheme="http").all("link")
