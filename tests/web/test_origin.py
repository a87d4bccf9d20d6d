"""The origin of a request: which Host headers are accepted, and which are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.asgi import ask, page
from hypothesis import given
from hypothesis import strategies as st

from cookieguard import CookieGuard
from cookieguard.html import parse_url
from cookieguard.web.http.origin import (
    HOST,
    LONGEST_HOST,
    NOWHERE,
    ORIGINS,
    ORIGINS_KEPT,
    Origin,
    origin_of,
)

Guard = Callable[..., CookieGuard]
DOCUMENT = b'<!doctype html><body><img src="https://ads.example/p.gif">'
NOBODYS = [
    "",
    "..",
    ".:80",
    "shop.example:65536",
    "shop.example:99999",
    "256.256.256.256",
    "1.2.3.4.5",
    "shop.123",
    "0x100000000",
    "[::::]",
    "[1.2.3.4]",
    "[::1]:70000",
    "shop.example/x",
    "a b",
    "user@shop.example",
    "a" * 254,
    "a" * 70_000,
]


@pytest.mark.parametrize("host", NOBODYS)
def test_malformed_host_header_gets_a_page_and_matches_no_host(guard: Guard, host: str) -> None:
    answer = ask(guard(page(DOCUMENT)), host=host)

    assert answer.status == 200
    assert b'<img data-cg-src="https://ads.example/p.gif">' in answer.body
    assert origin_of("https", host.encode()).host == NOWHERE


@pytest.mark.parametrize("path", ["*", "", "x", "@ads.example/x", ":99", "<", "//ads.example/x"])
def test_a_target_without_a_slash_names_no_other_host(guard: Guard, path: str) -> None:
    answer = ask(guard(page(DOCUMENT + b'<img src="p.gif">')), path=path)

    assert b'<img data-cg-src="https://ads.example/p.gif">' in answer.body
    assert b'<img src="p.gif">' in answer.body


@pytest.mark.parametrize(
    ("scheme", "header", "origin"),
    [
        ("https", b"Shop.Example", Origin("https", "shop.example", None)),
        ("https", b"shop.example.:443", Origin("https", "shop.example", None)),
        ("http", b" shop.example:443 ", Origin("http", "shop.example", 443)),
        ("http", b"127.0.0.1:8000", Origin("http", "127.0.0.1", 8000)),
        ("wss", b"[2001:db8::1]:443", Origin("wss", "[2001:db8::1]", None)),
        ("http", b"my_shop", Origin("http", "my_shop", None)),
    ],
)
def test_a_host_header_is_read_as_browsers_write_it(scheme: str, header: bytes, origin: Origin) -> None:
    assert origin_of(scheme, header) == origin


@given(st.from_regex(HOST, fullmatch=True) | st.text("0123456789.x:[]af", max_size=30))
def test_every_origin_is_one_a_url_can_have(host: str) -> None:
    assert parse_url(f"{origin_of('https', host.encode('latin-1'))}/").host


def test_made_up_hosts_do_not_pile_up() -> None:
    for number in range(3 * ORIGINS_KEPT):
        origin_of("https", b"host%d.example" % number)
        origin_of("https", b"x" * (LONGEST_HOST + number))

    assert len(ORIGINS) <= ORIGINS_KEPT
    assert max(len(host) for _, host in ORIGINS) <= LONGEST_HOST


def test_schemes_of_one_host_are_told_apart() -> None:
    assert [origin_of(scheme, b"shop.example").text for scheme in ("http", "https", "http")] == [
        "http://shop.example",
        "https://shop.example",
        "http://shop.example",
    ]
