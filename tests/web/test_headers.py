"""Response headers that need a closer look, and headers that keep a response out of shared caches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, drive, scope_of

from cookieguard import Config, CookieGuard
from cookieguard.web.document.contact_headers import CONTACT_NAMES
from cookieguard.web.http.headers import MOST_HEADERS, USUAL, Headers, by_name, make_private, quiet_type, read
from cookieguard.web.response import LOUD

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    "headers",
    [
        [JSON],
        [JSON, (b"content-length", b"2"), (b"x-request-id", b"7")],
    ],
)
def test_headers_that_say_nothing_we_look_at(headers: Headers) -> None:
    assert quiet_type(headers, LOUD, USUAL - LOUD) == JSON[1]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        None,
        (JSON,),
        iter([JSON]),
        [[b"etag", b'"1"'], JSON],
        [[bytearray(b"etag"), b'"1"'], JSON],
        [JSON, JSON],
        [(b"content-type", b""), JSON],
        [JSON, (b"content-type", b"text/html")],
        [(b"content-type", bytearray(b"application/json"))],
        [JSON, ("link", "<//ads.example/>")],
        [JSON, (b"Content-Type", b"text/html")],
        [JSON, (b" link ", b"<//ads.example/>")],
        *([JSON, (name, b"")] for name in sorted(LOUD)),
    ],
)
def test_headers_that_take_a_closer_look(headers: Any) -> None:
    assert quiet_type(headers, LOUD, USUAL - LOUD) == b""


def test_a_closer_look_finds_headers_whole() -> None:
    headers: Iterable[tuple[bytes, bytes]] = iter([JSON])
    assert quiet_type(headers, LOUD, USUAL - LOUD) == b""
    assert read(headers) == ([JSON], dict([JSON]))  # type: ignore[arg-type]


def test_every_header_that_contacts_somebody_is_loud() -> None:
    assert LOUD > CONTACT_NAMES


@pytest.mark.parametrize("content_type", [b"text/html", bytearray(b"text/html"), b"application/json"])
@pytest.mark.parametrize("value", ["text", 5, bytearray(b"bytes")])
def test_a_value_that_is_no_bytes_object_is_left_to_the_server(
    guard: Callable[..., CookieGuard], content_type: bytes, value: Any
) -> None:
    sent: list[Any] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", content_type), (b"x-own", value)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(app)(scope_of("/"), receive, send))  # type: ignore[arg-type]

    assert (b"x-own", value) in sent[0]["headers"]
    assert sent[1]["body"] == b"hello"


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize(
    ("headers", "varies", "control"),
    [
        ([], b"Cookie", b"private"),
        ([JSON, (b"x-own", b"1")], b"Cookie", b"private"),
        ([(b"vary", b"Origin")], b"Origin, Cookie", b"private"),
        ([(b"vary", b"cookie")], b"cookie", b"private"),
        ([(b"vary", b"*")], b"*", b"private"),
        ([(b"cache-control", b"public, max-age=60")], b"Cookie", b"max-age=60, private"),
        ([(b"surrogate-control", b"max-age=60")], b"Cookie", b"private"),
        ([(b"cdn-cache-control", b"max-age=60"), JSON], b"Cookie", b"private"),
        ([(b"x-accel-expires", b"60")], b"Cookie", b"private"),
    ],
)
def test_no_shared_cache_keeps_what_is_one_visitors(
    headers: Headers, varies: bytes, control: bytes, store: bool
) -> None:
    found = make_private(headers, (b"Cookie",), store=store)
    joined = read(found)[1]
    assert joined[b"vary"].replace(b",Cookie", b", Cookie") == varies
    assert joined[b"cache-control"] == control + (b"" if store else b", no-store")
    assert set(joined) <= {b"vary", b"cache-control", *(name for name, _ in headers)}
    assert not {b"surrogate-control", b"cdn-cache-control", b"x-accel-expires"} & set(joined)


def test_lines_of_one_header_are_joined_in_one_go() -> None:
    lines = [(b"set-cookie", b"a=%d" % number) for number in range(200_000)]
    start = time.process_time()

    joined = by_name([(b"server", b"x"), *lines])

    assert joined[b"set-cookie"].count(b",") == 199_999
    assert time.process_time() - start < 1


@pytest.mark.parametrize("as_given", [list, tuple, iter])
def test_no_number_of_headers_hides_the_address_that_a_proxy_wrote_behind_them(
    tmp_path: Path, as_given: Callable[[Headers], Any]
) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope))
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": b"{}"})

    guarded = CookieGuard(app, Config(state_dir=str(tmp_path / "state"), trusted_proxies=("10.0.0.0/8",)))
    padding = [(b"x-%d" % number, b"") for number in range(5000)]
    headers = [(b"host", b"shop.example"), *padding, (b"x-forwarded-for", b"203.0.113.7")]
    scope = {**scope_of(client=("10.0.0.1", 1)), "headers": as_given(headers)}

    asyncio.run(drive(guarded, Answer(scope=scope)))

    guarded.close()
    assert seen[0]["client"] == ("203.0.113.0", 0)
    assert len(seen[0]["headers"]) == MOST_HEADERS - 1  # the proxy's own is taken out
    assert seen[0]["headers"][0] == headers[0]
