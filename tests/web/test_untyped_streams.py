"""Responses without a Content-Type start with their first chunk, and browsers leak nothing through them."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi.responses import StreamingResponse
from harness.asgi import Answer, App, ask, page, scope_of
from starlette.middleware.gzip import GZipMiddleware

from cookieguard import CookieGuard

Guard = Callable[..., CookieGuard]
BEGINS_WITHIN = 0.1  # seconds, twice what is promised
NAVIGATION = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("accept", "text/html")]
CLIENTS = {"curl": [("accept", "*/*")], "navigation": NAVIGATION}
IFRAME = b'<iframe src="https://ads.example/f"></iframe>'
HELD = b'data-cg-src="https://ads.example/f"'
OWN_POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]

each_client = pytest.mark.parametrize("client", CLIENTS)


def strict(answer: Answer) -> bool:
    return "default-src 'self'" in answer.get("content-security-policy")


async def take_first(app: App, client: str, *extra: tuple[str, str]) -> list[dict[str, Any]]:
    """Return what the server was given when the first bytes of the body came, and hang up."""
    sent: list[dict[str, Any]] = []
    has_begun = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message.get("body"):
            has_begun.set()

    running = asyncio.ensure_future(app(scope_of(headers=[*CLIENTS[client], *extra]), receive, send))
    try:
        await asyncio.wait_for(has_begun.wait(), BEGINS_WITHIN)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return sent


async def endless(begin: bytes = b"tick 0\n") -> AsyncIterator[bytes]:
    yield begin
    for number in itertools.count(1):
        await asyncio.sleep(60)
        yield b"tick %d\n" % number


def test_a_client_that_asks_for_no_page_gets_the_start_before_anything_else(guard: Guard) -> None:
    sent: list[str] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert sent == ["http.response.start"]
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        raise ZeroDivisionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    with pytest.raises(ZeroDivisionError):
        asyncio.run(guard(app)(scope_of(headers=CLIENTS["curl"]), asyncio.Event().wait, send))


@each_client
@pytest.mark.parametrize("begin", [b"tick 0\n", b"<!doctype html><p>one", b'{"id": 1}\n', b"\x00\x01", b" "])
def test_an_endless_stream_without_a_type_begins_with_its_first_chunk(
    guard: Guard, client: str, begin: bytes
) -> None:
    sent = asyncio.run(take_first(guard(StreamingResponse(endless(begin))), client))

    assert [message["type"].rpartition(".")[2] for message in sent] == ["start", "body"]
    assert sent[1]["body"].endswith(begin[-6:])


@each_client
def test_a_compressed_stream_without_a_type_begins_with_the_header_of_its_coding(
    guard: Guard, client: str
) -> None:
    started = asyncio.Event()

    async def run() -> list[str]:
        sent: list[str] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message["type"])
            started.set()

        app = guard(GZipMiddleware(StreamingResponse(endless(b"x" * 600))))
        scope = scope_of(headers=[*CLIENTS[client], ("accept-encoding", "gzip")])
        running = asyncio.ensure_future(app(scope, asyncio.Event().wait, send))
        try:
            await asyncio.wait_for(started.wait(), BEGINS_WITHIN)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return sent

    assert asyncio.run(run())[0] == "http.response.start"


@each_client
def test_an_app_that_streams_without_a_type_is_not_run_ahead(guard: Guard, client: str) -> None:
    made, taken = 0, []
    may_go_on = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(5):
            made += 1
            yield b"a line of text\n"

    async def run() -> None:
        async def send(message: dict[str, Any]) -> None:
            taken.append(message)
            await may_go_on.wait()  # a client that reads nothing

        app = guard(StreamingResponse(chunks()))
        running = asyncio.ensure_future(app(scope_of(headers=CLIENTS[client]), asyncio.Event().wait, send))
        await asyncio.sleep(BEGINS_WITHIN)
        assert made <= 1
        may_go_on.set()
        await asyncio.sleep(BEGINS_WITHIN)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert made == 5


@each_client
def test_an_error_after_the_first_chunk_comes_after_the_start(guard: Guard, client: str) -> None:
    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ZeroDivisionError

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(guard(app)(scope_of(headers=CLIENTS[client]), asyncio.Event().wait, send))
    assert [message.get("body") for message in sent] == [None, b"one"]


@each_client
@pytest.mark.parametrize("value", ["nosniff", "NoSniff ", "\tnosniff"])
def test_nosniff_means_that_a_response_without_a_type_is_no_page(
    guard: Guard, client: str, value: str
) -> None:
    headers = [("x-content-type-options", value), ("etag", '"1"')]

    answer = ask(guard(page(b"<", IFRAME, headers=headers)), headers=CLIENTS[client])

    assert answer.body == b"<" + IFRAME
    assert answer.headers == headers


@pytest.mark.parametrize("value", ["", "sniff", "nosniff, nosniff", "nosniff;"])
def test_any_other_word_in_its_place_forbids_nothing(guard: Guard, value: str) -> None:
    answer = ask(guard(page(IFRAME, headers=[("x-content-type-options", value)])), headers=NAVIGATION)

    assert HELD in answer.body


def test_a_piece_that_htmx_puts_into_a_page_is_guarded_though_nobody_sniffs_it(guard: Guard) -> None:
    app = guard(page(IFRAME, headers=[("x-content-type-options", "nosniff")]))

    assert HELD in ask(app, headers=[("hx-request", "true"), ("sec-fetch-dest", "empty")]).body


# What may come first, and whether it says too little: then the rest is held by the header as well.
BEGINS = {
    "a part of a tag": (b"<", True),
    "blanks": (b" " * 511, False),
    "lines": (b"\r\n\t", False),
    "a part of a mark": (b"\xef", True),
    "more of it": (b"\xef\xbb", True),
    "a mark": (b"\xef\xbb\xbf", False),
    "a part of another mark": (b"\xff", True),
    "a declaration": (b"<?xml version='1.0'", True),
    "a comment": (b"<!-- a -->", False),
    "a part of a comment": (b"<!-", False),
    "a doctype": (b"<!doctype html>", False),
    "a word": (b"Hello ", False),
}


@each_client
@pytest.mark.parametrize("begin", BEGINS)
def test_a_page_without_a_type_is_held_whatever_its_first_chunk_is(
    guard: Guard, client: str, begin: str
) -> None:
    first, says_too_little = BEGINS[begin]
    rest = b"?><p>" + IFRAME if b"xml" in first else b"!-- --><html>" + IFRAME if first == b"<" else IFRAME
    closer = b"- -->" if first == b"<!-" else b""

    answer = ask(guard(page(b"", first, closer + rest, headers=[])), headers=CLIENTS[client])

    assert HELD in answer.body
    assert IFRAME not in answer.body
    assert strict(answer)  # nobody agreed to anything
    app = guard(page(b"", first, closer + rest, headers=[]))
    posted = ask(
        app,
        path="/_cg/consent",
        method="POST",
        headers=OWN_POST,
        body=b"choice=save&purpose=statistics",
    )
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in posted.cookies().items()))
    partly = ask(app, headers=[*CLIENTS[client], cookie])
    is_judged = client == "navigation" and not says_too_little
    assert ("count.example" in partly.get("content-security-policy")) == is_judged


@pytest.mark.parametrize("cut", [1, 10, 12, 200])
def test_a_compressed_page_without_a_type_is_held_wherever_it_is_cut(guard: Guard, cut: int) -> None:
    body = gzip.compress(b"<!doctype html><body>" + IFRAME * 9)
    headers = [("content-encoding", "gzip")]

    answer = ask(guard(page(body[:cut], body[cut:], headers=headers)), headers=NAVIGATION)

    assert gzip.decompress(answer.body).count(HELD) == 9
    assert strict(answer)


@each_client
@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("begin", [b"PK\x03\x04", b'{"html": "', b"\n\n["])
@pytest.mark.parametrize("cut", [1, 10])
def test_data_and_files_without_a_type_keep_every_byte_in_whatever_chunks_they_come(
    guard: Guard, client: str, coding: str, begin: bytes, cut: int
) -> None:
    written = begin + IFRAME.replace(b'"', b'\\"') + b"<a tag that does not end" + b"\x00"
    body = gzip.compress(written) if coding else written
    cut = cut if coding else len(begin)
    headers = [("content-encoding", coding)] if coding else []

    answer = ask(guard(page(body[:cut], body[cut:], headers=headers)), headers=CLIENTS[client])

    assert (gzip.decompress(answer.body) if coding else answer.body) == written
    assert strict(answer)


def test_json_without_a_type_is_read_where_it_is_put_into_a_page(guard: Guard) -> None:
    app = guard(page(b"[Sale] ", IFRAME, headers=[]))

    assert HELD in ask(app, headers=[("hx-request", "true"), ("sec-fetch-dest", "empty")]).body


@each_client
@pytest.mark.parametrize("begin", [b"Hello ", b"PK\x03\x04", b"1"])
@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("length", ["100", "7"])
def test_a_file_without_a_type_keeps_the_length_that_its_app_names(
    guard: Guard, client: str, begin: bytes, chunks: int, length: str
) -> None:
    body = [begin + IFRAME] if chunks == 1 else [begin, IFRAME]
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = guard(page(*body, headers=[("content-length", length)]))
    asyncio.run(app(scope_of(headers=CLIENTS[client]), asyncio.Event().wait, send))

    answer = Answer(messages=sent)
    assert answer.body == begin + IFRAME
    assert answer.all("content-length") == [length]  # a wrong one too: the server says so, as unguarded
    assert strict(answer)


@pytest.mark.parametrize("asked", [[("hx-request", "true")], [("sec-fetch-dest", "empty")]])
def test_a_text_with_a_length_is_read_where_a_script_may_put_it_into_a_page(
    guard: Guard, asked: list[tuple[str, str]]
) -> None:
    body = b"Hello " + IFRAME

    answer = ask(guard(page(body, headers=[("content-length", str(len(body)))])), headers=asked)

    assert HELD in answer.body
    assert answer.all("content-length") == [str(len(answer.body))]


def test_an_empty_chunk_reaches_the_server_so_an_app_can_wait_for_it(guard: Guard) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = scope_of(headers=NAVIGATION)
    asyncio.run(guard(page(b"<p>", b"", b"x", headers=[]))(scope, receive, send))

    assert [message for message in sent if message.get("more_body") and not message["body"]]


def test_what_an_app_returns_reaches_the_server(guard: Guard) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> str:
        await page(b"x", headers=[])(scope, receive, send)
        return "a mistake, as uvicorn says"

    async def nothing(message: Any = None) -> Any:
        return {"type": "http.disconnect"}

    assert asyncio.run(guard(app)(scope_of(), nothing, nothing)) == "a mistake, as uvicorn says"
