"""Messages to the app and to the server follow the ASGI specification, for any app and any chunks."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.asgi import ask, scope_of
from harness.strict import Broken, Conversation, Inside, Message, body, start

from cookieguard import CookieGuard

Guard = Callable[..., CookieGuard]
PAGE = (
    b'<!doctype html><html lang="en"><head><title>Shop</title></head><body>'
    b'<img src="//ads.example/a"><script>new Image().src="//ads.example/b"</script></body></html>'
)
JSON = b'{"a": "<img src=//ads.example>", "b": "<script>"}'
HTML = (b"content-type", b"text/html; charset=utf-8")
GZIP = (b"content-encoding", b"gzip")
ATTACHMENT = (b"content-disposition", b'attachment; filename="a.html"')


def length(content: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(content)).encode())


# name -> (headers, body, is it rewritten)
KINDS: dict[str, tuple[list[tuple[bytes, bytes]], bytes, bool]] = {
    "html": ([HTML, length(PAGE)], PAGE, True),
    "xhtml": ([(b"content-type", b"application/xhtml+xml")], PAGE.replace(b"<!doctype html>", b""), True),
    "no type": ([], PAGE, True),
    "gzip": ([HTML, GZIP], gzip.compress(PAGE, mtime=0), True),
    "deflate": ([HTML, (b"content-encoding", b"deflate")], zlib.compress(PAGE), True),
    "unread coding": ([HTML, (b"content-encoding", b"compress")], b"\x1f\x9d\x90not really", False),
    "wide": ([(b"content-type", b"text/html; charset=utf-16")], PAGE.decode().encode("utf-16"), True),
    "shifting": ([(b"content-type", b"text/html; charset=iso-2022-jp")], PAGE, False),
    "json": ([(b"content-type", b"application/json"), length(JSON)], JSON, False),
    "events": ([(b"content-type", b"text/event-stream")], b"data: <img src=//ads.example>\n\n" * 3, False),
    "lines": ([(b"content-type", b"application/x-ndjson")], b'{"a": 1}\n{"a": 2}\n', False),
    "attachment": ([HTML, ATTACHMENT, length(PAGE)], PAGE, False),
    "picture": ([(b"content-type", b"image/png"), length(b"\x89PNG" * 9)], b"\x89PNG" * 9, False),
    "script": ([(b"content-type", b"text/javascript")], b"import('//ads.example')", False),
    "svg": ([(b"content-type", b"image/svg+xml")], b"<svg><image href='//ads.example'/></svg>", False),
}
PARTIAL = [HTML, (b"content-range", b"bytes 0-9/100"), length(PAGE[:10])]


def converse(app: Any, *receives: Message, **options: Any) -> Conversation:
    request = {"type": "http.request", "body": b"", "more_body": False}
    return Conversation(scope_of(**options), receives or [request]).run(app)


def cuts_of(content: bytes) -> Iterator[list[bytes]]:
    """Yield the content whole, in two at every place, byte by byte, and between empty chunks."""
    yield [content]
    for at in range(len(content) + 1):
        yield [content[:at], content[at:]]
    yield [content[at : at + 1] for at in range(len(content))]
    yield [b"", content[:5], b"", b"", content[5:], b""]


def messages_of(chunks: list[bytes], *headers: tuple[bytes, bytes], status: int = 200) -> list[Message]:
    last = len(chunks) - 1
    return [
        start(*headers, status=status),
        *(body(chunk, more=index < last) for index, chunk in enumerate(chunks)),
    ]


def decoded(conversation: Conversation) -> bytes:
    coding = conversation.headers(b"content-encoding")
    if coding == [b"gzip"]:
        return gzip.decompress(conversation.body)
    return zlib.decompress(conversation.body) if coding == [b"deflate"] else conversation.body


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_cut_a_response_keeps_to_the_specification(guard: Guard, kind: str) -> None:
    headers, content, is_rewritten = KINDS[kind]
    inside = Inside()
    app = guard(inside)
    results = set()

    for chunks in cuts_of(content):
        inside.messages = tuple(messages_of(chunks, *headers))
        conversation = converse(app)
        assert conversation.error is None
        assert conversation.is_complete
        results.add(decoded(conversation))
        if not is_rewritten and kind not in ("unread coding", "shifting"):
            assert all(a is b for a, b in zip(conversation.sent[1:], inside.messages[1:], strict=True))

    assert len(results) == 1
    (result,) = results
    assert (b"data-cg-src" in result) == is_rewritten
    assert is_rewritten or result == content


@pytest.mark.parametrize("kind", ["html", "gzip", "json", "attachment", "no type"])
@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 304), ("HEAD", 206), ("HEAD", 404)],
)
def test_a_response_without_a_body_gets_none(guard: Guard, kind: str, method: str, status: int) -> None:
    headers = [pair for pair in KINDS[kind][0] if status != 204 or pair[0] != b"content-length"]

    for chunks in ([b""], [b"", b""]):
        conversation = converse(guard(Inside(*messages_of(chunks, *headers, status=status))), method=method)

        assert conversation.error is None
        assert conversation.is_complete
        assert conversation.body == b""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunks", [[], [b""], [b"\xef"]])
def test_parts_sent_before_an_app_stops_halfway_reach_the_client(
    guard: Guard, kind: str, chunks: list[bytes]
) -> None:
    messages = [start(*KINDS[kind][0]), *(body(chunk, more=True) for chunk in chunks)]

    conversation = converse(guard(Inside(*messages)))

    assert conversation.error is None
    assert conversation.types[:1] == ["http.response.start"]
    assert not conversation.is_complete
    assert kind in ("gzip", "deflate", "wide") or conversation.body in (b"", b"".join(chunks))


def test_a_part_of_a_page_passes_as_it_is(guard: Guard) -> None:
    conversation = converse(guard(Inside(*messages_of([PAGE[:4], PAGE[4:10]], *PARTIAL, status=206))))

    assert conversation.error is None
    assert conversation.body == PAGE[:10]


@pytest.mark.parametrize("kind", ["html", "gzip", "json", "events", "attachment", "unread coding"])
def test_an_app_that_fails_is_not_finished_by_us_wherever_it_fails(guard: Guard, kind: str) -> None:
    headers, content, _ = KINDS[kind]
    whole = messages_of([content[:30], content[30:60], content[60:]], *headers)
    failure = RuntimeError("the shop's own")
    waited = 2 if kind == "gzip" else 1  # the first piece of a compressed page says nothing yet

    for count in range(len(whole)):
        conversation = converse(guard(Inside(*whole[:count], error=failure)))

        assert conversation.error is failure
        assert not conversation.is_complete
        assert all(message.get("more_body", True) for message in conversation.sent)
        assert conversation.sent if count > waited else not conversation.body


@pytest.mark.parametrize("kind", ["html", "gzip", "json"])
def test_app_gets_the_disconnect_of_a_client_and_sends_no_more(guard: Guard, kind: str) -> None:
    headers, content, _ = KINDS[kind]
    whole = messages_of([content[:30], content[30:60], content[60:]], *headers)

    for count in range(4):
        inside = Inside(*whole)
        conversation = Conversation(scope_of(), [{"type": "http.request"}])
        conversation.gone_after = count
        conversation.run(guard(inside))

        assert isinstance(conversation.error, OSError)
        assert len(conversation.sent) == count
        assert inside.sends < len(whole)


def test_what_the_server_says_reaches_the_app_as_it_is(guard: Guard) -> None:
    receives: list[Message] = [
        {"type": "http.request", "body": b"a=", "more_body": True},
        {"type": "http.request", "body": b"1", "more_body": False, "x.more": 1},
        {"type": "http.disconnect"},
    ]
    inside = Inside(*messages_of([PAGE], HTML), receives=3)

    converse(guard(inside), *receives, method="POST")

    assert all(a is b for a, b in zip(inside.received, receives, strict=True))


@pytest.mark.parametrize("kind", ["html", "gzip", "json"])
def test_messages_and_members_to_come_pass_in_their_order(guard: Guard, kind: str) -> None:
    headers, content, _ = KINDS[kind]
    strange: list[Message] = [{"type": f"x.{number}", "given": object()} for number in range(3)]
    first, one, two = messages_of([content[:40], content[40:]], *headers)
    inside = Inside(
        {**first, "x.a": 1}, strange[0], {**one, "x.b": 2}, strange[1], {**two, "x.c": 3}, strange[2]
    )

    conversation = converse(guard(inside))

    assert conversation.error is None
    assert [message for message in conversation.sent if message["type"].startswith("x.")] == strange
    assert conversation.types[:2] == ["http.response.start", "x.0"]
    assert conversation.types[-1] == "x.2"
    assert conversation.sent[0]["x.a"] == 1
    assert conversation.sent[-2]["x.c"] == 3
    assert kind == "gzip" or conversation.sent[2]["x.b"] == 2  # where nothing comes out there is no message


@pytest.mark.parametrize("kind", ["html", "json"])
def test_trailers_push_and_debug_pass(guard: Guard, kind: str) -> None:
    headers, content, _ = KINDS[kind]
    offered = ["http.response.trailers", "http.response.push", "http.response.debug"]
    trailers: Message = {"type": "http.response.trailers", "headers": [(b"server-timing", b"a")]}
    inside = Inside(
        {"type": "http.response.debug", "info": {"template": "x"}},
        start(*headers, trailers=True),
        {"type": "http.response.push", "path": "/a.css", "headers": []},
        body(content[:50], more=True),
        body(content[50:]),
        trailers,
    )

    conversation = converse(guard(inside), extensions=offered)

    assert conversation.error is None
    assert conversation.is_complete
    assert conversation.sent[-1] is trailers
    assert conversation.types[:3] == ["http.response.debug", "http.response.start", "http.response.push"]
    assert conversation.sent[1]["trailers"] is True
    assert set(inside.scopes[0]["extensions"]) == set(offered)


def test_a_page_before_trailers_gets_no_length(guard: Guard) -> None:
    headers, content, _ = KINDS["html"]
    trailers: Message = {"type": "http.response.trailers", "headers": [(b"server-timing", b"a")]}
    headers = [pair for pair in headers if pair[0] != b"content-length"]
    inside = Inside(start(*headers, trailers=True), body(content), trailers)

    conversation = converse(guard(inside), extensions=["http.response.trailers"])

    assert conversation.types == ["http.response.start", "http.response.body", "http.response.trailers"]
    # HTTP/1.1 has no trailers beside one
    assert b"content-length" not in dict(conversation.sent[0]["headers"])


SENDS = ["http.response.pathsend", "http.response.zerocopysend"]


def test_no_file_passes_us_by_on_its_way_to_a_document(guard: Guard) -> None:
    inside = Inside(*messages_of([PAGE], HTML))
    kept = ["http.response.early_hint", "http.response.trailers"]
    offered = [*SENDS, *kept]

    converse(guard(inside), extensions=offered)
    converse(guard(inside), extensions=offered, headers=[("sec-fetch-dest", "image")])

    assert set(inside.scopes[0]["extensions"]) == set(kept)
    assert set(inside.scopes[1]["extensions"]) == set(offered)


@pytest.mark.parametrize(
    "file",
    [
        {"type": "http.response.pathsend", "path": "/srv/a.png"},
        {"type": "http.response.zerocopysend", "file": 7, "offset": 0, "count": 36, "more_body": False},
    ],
)
def test_a_picture_goes_as_a_file_where_the_server_offers_it(guard: Guard, file: Message) -> None:
    app = guard(Inside(start(*KINDS["picture"][0]), file))

    conversation = converse(app, extensions=SENDS, headers=[("sec-fetch-dest", "image")])

    assert conversation.sent[-1] is file


OWN_LINK = b"</a.css>; rel=preload; as=style"


@pytest.mark.parametrize(
    ("links", "passed"),
    [
        ([OWN_LINK], [OWN_LINK]),
        (
            [b"<https://shop.example/a.js>; rel=modulepreload"],
            [b"<https://shop.example/a.js>; rel=modulepreload"],
        ),
        ([b"<https://cdn.shop.example>; rel=preconnect"], [b"<https://cdn.shop.example>; rel=preconnect"]),
        ([OWN_LINK, b"<https://ads.example>; rel=preconnect"], [OWN_LINK]),
        ([OWN_LINK + b", <//ads.example/a.js>; rel=preload; as=script"], [OWN_LINK]),
        ([b'</a,b.css>; rel=preload; title="a, <b>"'], [b'</a,b.css>; rel=preload; title="a, <b>"']),
        ([b"<https://ads.example>; rel=dns-prefetch"], None),
        ([b'<//ads.example>;rel="preconnect"'], None),
        ([b"</\\ads.example/a.css>; rel=stylesheet"], None),
        ([b"<https:ads.example/a.js>; rel=modulepreload"], None),
        ([b'</a.gif>; rel=preload; as=image; imagesrcset="//ads.example/b.gif 2x"'], None),
        ([b'</a.css>; title="\\"; rel=preload, <//ads.example>; rel=preconnect'], None),
        ([b"<//ads.example/", b""], [b""]),
        ([], None),
    ],
)
def test_early_hints_leave_without_what_would_contact_anybody_held(
    guard: Guard, links: list[bytes], passed: list[bytes] | None
) -> None:
    hint: Message = {"type": "http.response.early_hint", "links": links}
    app = guard(Inside(hint, *messages_of([PAGE], HTML)))

    conversation = converse(app, extensions=["http.response.early_hint"])

    assert conversation.error is None
    assert conversation.types[-2:] == ["http.response.start", "http.response.body"]
    hints = [one["links"] for one in conversation.sent if one["type"].endswith("early_hint")]
    assert hints == ([] if passed is None else [passed])


def test_a_start_without_headers_and_a_body_without_members_are_enough(guard: Guard) -> None:
    app = guard(Inside({"type": "http.response.start", "status": 200}, {"type": "http.response.body"}))

    conversation = converse(app)

    assert conversation.error is None
    assert conversation.is_complete


@pytest.mark.parametrize("form", [tuple, list])
def test_headers_may_be_any_sequence_of_pairs(guard: Guard, form: type) -> None:
    pairs = form(form(pair) for pair in [(b"Content-Type", b"text/html"), (b"X-Own", b"1")])
    app = guard(Inside({"type": "http.response.start", "status": 200, "headers": pairs}, body(PAGE)))

    conversation = converse(app)

    assert conversation.error is None
    assert conversation.headers(b"x-own") == [b"1"]
    assert b"data-cg-src" in conversation.body


def test_what_is_said_of_bytes_is_true_of_the_bytes_sent(guard: Guard) -> None:
    said = [b"content-md5", b"digest", b"content-digest", b"repr-digest", b"last-modified", b"accept-ranges"]
    headers = [(name, b"x") for name in said] + [(b"etag", b'"own"')]

    page = converse(guard(Inside(*messages_of([PAGE], HTML, length(PAGE), *headers))))
    data = converse(guard(Inside(*messages_of([b"{}"], (b"content-type", b"application/json"), *headers))))

    assert [name for name in said if page.headers(name)] == []
    assert page.headers(b"etag")[0].startswith(b'W/"own-cg')
    assert page.headers(b"content-length") == [str(len(page.body)).encode()]
    assert [name for name in said if data.headers(name)] == said
    assert data.headers(b"etag") == [b'"own"']


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize(
    "path", ["/_cg/choices", "/_cg/consent", "/_cg/report", "/_cg/", "/_cg/nothing", "/.well-known/gpc.json"]
)
def test_our_own_pages_keep_to_the_specification(guard: Guard, method: str, path: str) -> None:
    conversation = converse(guard(Inside(*messages_of([b""], HTML))), method=method, path=path)

    assert conversation.error is None
    assert conversation.is_complete


@pytest.mark.parametrize("choice", ["accept", "reject"])
@pytest.mark.parametrize("kind", ["html", "gzip"])
def test_a_decided_visitors_page_keeps_to_the_specification(guard: Guard, choice: str, kind: str) -> None:
    headers, content, _ = KINDS[kind]
    app = guard(Inside(*messages_of([content[:70], content[70:]], *headers)))
    form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
    answer = ask(app, path="/_cg/consent", method="POST", headers=form, body=f"choice={choice}".encode())
    cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies().items())

    conversation = converse(app, headers=[("cookie", cookie)])

    assert conversation.error is None
    assert (b"data-cg-src" in decoded(conversation)) == (choice == "reject")


# -- sockets


def socket_scope(*extensions: str) -> Message:
    scope = scope_of(path="/live", scheme="wss", extensions=extensions)
    del scope["method"]
    return {**scope, "type": "websocket", "subprotocols": ["chat"]}


@pytest.mark.parametrize(
    "messages",
    [
        [
            {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-own", b"1")]},
            {"type": "websocket.send", "text": "<img src=//ads.example>"},
            {"type": "websocket.send", "bytes": b"\xff\x00"},
            {"type": "websocket.close", "code": 1001, "reason": "bye"},
        ],
        [{"type": "websocket.close"}],
        [
            {"type": "websocket.http.response.start", "status": 403, "headers": [HTML]},
            {"type": "websocket.http.response.body", "body": PAGE[:9], "more_body": True},
            {"type": "websocket.http.response.body", "body": PAGE[9:]},
        ],
    ],
    ids=["accepted", "closed", "denied"],
)
def test_a_socket_passes_message_by_message_in_both_directions(guard: Guard, messages: list[Message]) -> None:
    receives: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "//ads.example"},
        {"type": "websocket.disconnect", "code": 1005},
    ]
    inside = Inside(*messages, receives=3)

    conversation = Conversation(socket_scope("websocket.http.response"), receives).run(guard(inside))

    assert conversation.error is None
    assert conversation.is_complete
    assert all(a is b for a, b in zip(conversation.sent, messages, strict=True))
    assert all(a is b for a, b in zip(inside.received, receives, strict=True))
    assert inside.scopes[0]["client"] == ("198.51.100.0", 0)
    assert inside.scopes[0]["extensions"] == {"websocket.http.response": {}}


def test_a_socket_that_fails_fails_as_the_app_did(guard: Guard) -> None:
    failure = RuntimeError("the shop's own")
    app = guard(Inside({"type": "websocket.accept"}, error=failure))

    conversation = Conversation(socket_scope(), [{"type": "websocket.connect"}]).run(app)

    assert conversation.error is failure
    assert not conversation.is_complete


# -- the lifespan, and what is none of these

STARTUP: Message = {"type": "lifespan.startup"}
SHUTDOWN: Message = {"type": "lifespan.shutdown"}


@pytest.mark.parametrize(
    ("messages", "is_complete"),
    [
        ([{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}], True),
        ([{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.failed", "message": "x"}], True),
        ([{"type": "lifespan.startup.failed", "message": "no database"}], True),
        ([{"type": "lifespan.startup.complete"}], False),
        ([], False),
    ],
)
def test_a_lifespan_passes_as_the_app_lives_it(
    guard: Guard, messages: list[Message], is_complete: bool
) -> None:
    inside = Inside(*messages, receives=2)
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    conversation = Conversation(scope, [STARTUP, SHUTDOWN]).run(guard(inside))

    assert conversation.error is None
    assert conversation.is_complete == is_complete
    assert conversation.sent == messages
    assert inside.scopes[0] is scope
    assert inside.received == [STARTUP, SHUTDOWN]


def test_an_app_without_a_lifespan_says_so_itself(guard: Guard) -> None:
    failure = ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}

    conversation = Conversation(scope, [STARTUP]).run(guard(Inside(error=failure, receives=0)))

    assert conversation.error is failure
    assert conversation.sent == []


def test_a_scope_of_another_kind_passes_untouched(guard: Guard) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, await receive()))
        await send({"type": "x.done"})

    scope: Message = {"type": "x.scope", "asgi": {"version": "3.0"}, "client": ("203.0.113.9", 1)}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "x.begin"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(app)(scope, receive, send))

    assert seen == [(scope, {"type": "x.begin"})]
    assert sent == [{"type": "x.done"}]


# -- the driver itself

OK = start((b"content-length", b"3"))


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"x")],
        [OK, OK],
        [OK, body(b"1234")],
        [OK, body(b"12")],
        [OK, body(b"123"), body(b"")],
        [start((b"Content-Type", b"text/html"))],
        [start(("content-type", "text/html"))],  # type: ignore[arg-type]  # text where bytes belong
        [start((b"x", b"a\r\nb"))],
        [start((b"content-length", b"3"), (b"content-length", b"3"))],
        [start((b"transfer-encoding", b"chunked"))],
        [start(status="200")],  # type: ignore[arg-type]  # text where a number belongs
        [start(status=204), body(b"x")],
        [start(status=304), body(b"x")],
        [start(trailers=True)],
        [OK, {"type": "http.response.pathsend", "path": "/x"}],
        [{"type": "http.response.early_hint", "links": []}],
        [{"type": "http.response.strange"}],
        [{"type": "x.early"}],
        [{"type": "websocket.accept"}],
        [start(), {"type": "http.response.body", "body": "text"}],
        [start(), {"type": "http.response.body", "more_body": 1}],
    ],
)
def test_the_driver_refuses_what_the_specification_does(messages: list[Message]) -> None:
    assert isinstance(converse(Inside(*messages)).error, Broken)
