"""The app's Cookie header has no signed cookie that failed verification, and no held one, for any cookie parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

import pytest
from django.http.cookie import parse_cookie as django_cookies
from harness.asgi import ask
from hypothesis import example, given, settings
from hypothesis import strategies as st
from litestar._parsers import parse_cookie_string as litestar_cookies
from starlette.requests import cookie_parser as starlette_cookies
from werkzeug.http import parse_cookie as werkzeug_cookies

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config import CookieSettings, LogSettings, OwnCookie, SignedCookie, StatsSettings

SESSION = "__Host-cg_session"


def library_cookies(header: str) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


READERS: dict[str, Callable[[str], Mapping[str, Any]]] = {
    "http.cookies": library_cookies,
    "starlette": starlette_cookies,
    "django": django_cookies,
    "werkzeug": werkzeug_cookies,
    "litestar": litestar_cookies,
}
NAMES = [b"cart", b"_ga", b"_ga_x", b"nobody", b"lang", SESSION.encode()]
BLANKS = [b" ", b"\t", b"\x0b", b"\x0c", b"\x1c", b"\x1f", b"\x85", b"\xa0", b"\xc2\xa0", b"\xe2\x80\x83"]
SIGNS = [
    b"=",
    b"=",
    b";",
    b";",
    b"; ",
    b'"',
    b"\\",
    b",",
    b"$",
    b"$x",
    b"$Path",
    b":",
    b"(",
    b"\xff",
    b"a",
    b"1",
]
WORDS = [
    b"secure",
    b"httponly",
    b"path",
    b"expires",
    b"Wed, 21 Oct 2026 07:28:00 GMT",
    b"b=c",
    b"=EVIL",
    b"EVIL",
]
HEADERS = st.lists(st.sampled_from(NAMES * 2 + BLANKS + SIGNS + WORDS), max_size=12).map(b"".join)


class Shop:
    """A guarded app that records the Cookie headers it gets."""

    def __init__(self, state: str, undeclared: str) -> None:
        cookies = CookieSettings(
            sign=(SignedCookie(name="cart"),),
            own=(OwnCookie(name="lang", purpose="necessary"),),
            undeclared=undeclared,
        )
        vendors = (Vendor(name="Count", purpose="statistics", hosts=("count.example",), cookies=("_ga*",)),)
        config = Config(
            state_dir=state,
            vendors=vendors,
            cookies=cookies,
            log=LogSettings(enabled=False),
            stats=StatsSettings(enabled=False),
        )
        self.seen: list[bytes] = []
        self.hidden: set[str] = set()
        self.guarded = CookieGuard(self._app, config)

    def shown(self, header: bytes) -> bytes:
        """Return the Cookie header that the app is shown for one that was sent twice: names are remembered."""
        for _ in range(2):
            ask(self.guarded, headers=[("cookie", header.decode("latin-1"))])
        return b"; ".join(self.seen)

    async def _app(self, scope: Any, _: Any, send: Any) -> None:
        self.seen = [value for name, value in scope["headers"] if name == b"cookie"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"a/b")]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module", params=["report", "block"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Serve an app whose visitors agreed to nothing, with undeclared cookies let through, or held."""
    shop = Shop(str(tmp_path_factory.mktemp("readers") / "state"), request.param)
    shop.hidden = {"cart", "_ga", "_ga_x"} | ({"nobody"} if request.param == "block" else set())
    yield shop
    shop.guarded.close()


def found(header: bytes) -> set[tuple[str, str]]:
    """Return (reader, name) for whatever any reader finds, however the app decodes the header."""
    texts = {header.decode("latin-1"), header.decode("utf-8", "replace")}
    return {(reader, name) for reader in READERS for text in texts for name in names_found(reader, text)}


def names_found(reader: str, header: str) -> Mapping[str, Any]:
    try:
        return READERS[reader](header)
    except UnicodeError:  # not a text that its framework would give it
        return {}


@settings(max_examples=150, deadline=None)
@given(header=HEADERS)
@example(header=b"$x cart=EVIL")
@example(header=b"a=b; secure cart=EVIL")
@example(header=b"a=b; httponly\x0ccart = EVIL")
@example(header=b"lang=x _ga=1")
@example(header=b"lang=x\t_ga=1")
@example(header=b"lang=x;lang=y _ga=1")
@example(header=b"$x _ga=1")
@example(header=b"\xe2\x80\x83_ga=1")
@example(header=b"lang=x nobody=1")
@example(header=b'lang="a; cart=1"; b=" cart=EVIL')
def test_no_reader_finds_what_is_hidden(shop: Any, header: bytes) -> None:
    shown = shop.shown(header)

    assert {pair for pair in found(shown) if pair[1] in shop.hidden} == set(), shown


@settings(max_examples=50, deadline=None)
@given(header=HEADERS)
@example(header=f"$x {SESSION}=EVIL".encode())
@example(header=f"\xa0{SESSION}=EVIL".encode("latin-1"))
@example(header=f"lang=x {SESSION}=EVIL".encode())
def test_no_reader_finds_our_own_cookies_but_where_a_browser_writes_them(shop: Any, header: bytes) -> None:
    shown = shop.shown(header)

    written = any(pair.partition(b"=")[0].strip(b" \t") == SESSION.encode() for pair in header.split(b";"))
    assert written or {pair for pair in found(shown) if pair[1] == SESSION} == set(), shown


PLAIN = st.lists(
    st.tuples(
        st.sampled_from(["lang", "a", "b-c", "$d"]),
        st.from_regex(r"[!#-+\--:<-\[\]-~]{0,20}", fullmatch=True),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: "; ".join(f"{name}={value}" for name, value in pairs).encode())


@settings(max_examples=50, deadline=None)
@given(header=PLAIN)
def test_other_cookies_of_browsers_pass_byte_for_byte(shop: Any, header: bytes) -> None:
    if "nobody" not in shop.hidden:
        assert shop.shown(header) == header
