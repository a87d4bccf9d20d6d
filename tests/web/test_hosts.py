"""Any value of a client in a Host header gets the shop's page, and raises no error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask, page
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cookieguard import Config, CookieGuard
from cookieguard.config import LogSettings, StatsSettings

PAGE = b"<!doctype html><base href='//x/'><img src=//ads.example/x><iframe src=//maps.example></iframe><p>shop</p>"
WORDS = [
    "300.1.1.1",
    "127.0.0.1",
    "0x7f",
    "0xg",
    "1e3",
    "256",
    "00000000000000000000000000000000000000000000",
    "1",
]
WORDS += [
    "shop.example",
    "localhost",
    ".localhost",
    "testserver",
    "co.uk",
    "com",
    "xn--",
    "xn--a",
    "xn--zz--",
    "a" * 64,
]
SIGNS = [
    "..",
    ".",
    "-",
    "_",
    ":",
    ":80",
    ":99999",
    "@",
    "%",
    "%31",
    "/",
    "?",
    "#",
    "\\",
    " ",
    "\t",
    ",",
    "'",
    '"',
    "<",
]
BRACKETS = ["[", "]", "[::1]", "[::ffff:1.2.3.4]", "[fe80::1%25eth0]", "[v1.x]", "[::", "[.]", "[1.2.3.4]"]
HOSTS = st.lists(st.sampled_from(WORDS + SIGNS + BRACKETS + ["\xa0", "\xff", "\xc3\xa4"]), max_size=5).map(
    "".join
)
PLACES: dict[str, Callable[[str], tuple[str, str]]] = {
    "host": lambda host: ("accept", "text/html"),
    "x-forwarded-host": lambda host: ("x-forwarded-host", host),
    "forwarded": lambda host: ("forwarded", f'for=192.0.2.1;host="{host}"'),
    "origin": lambda host: ("origin", f"https://{host}"),
    "referer": lambda host: ("referer", f"https://{host}/x"),
}


async def app(scope: Any, _: Any, send: Any) -> None:
    scope["session"]["seen"] = 1
    headers = [(b"content-type", b"text/html"), (b"link", b"<//cdn.example/x>; rel=preload")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


@pytest.fixture(scope="module", params=[False, True])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CookieGuard]:
    """Guard a shop behind a proxy that passes on what clients write, in dev mode and outside."""
    config = Config(
        state_dir=str(tmp_path_factory.mktemp("hosts") / "state"),
        dev=request.param,
        trusted_proxies=("198.51.100.0/24",),
        log=LogSettings(enabled=False),
        stats=StatsSettings(enabled=False),
    )
    guarded = CookieGuard(app, config)
    yield guarded
    guarded.close()


def visit(guarded: CookieGuard, host: str, place: str, **options: Any) -> Answer:
    navigation = [("sec-fetch-dest", "document"), ("content-type", "application/x-www-form-urlencoded")]
    headers = [*navigation, PLACES[place](host)]
    return ask(guarded, host=host if place == "host" else "shop.example", headers=headers, **options)


@settings(max_examples=60, deadline=None)
@given(host=HOSTS, place=st.sampled_from([*PLACES]))
@example(host="300.1.1.1..", place="host")
@example(host="300.1.1.1..:8000", place="host")
@example(host="0xg..", place="x-forwarded-host")
@example(host="1..", place="forwarded")
def test_every_page_comes_whatever_stands_where_a_host_belongs(
    guarded: CookieGuard, host: str, place: str
) -> None:
    page = visit(guarded, host, place)
    choices = visit(guarded, host, place, path="/_cg/choices")
    choice = visit(guarded, host, place, path="/_cg/consent", method="POST", body=b"choice=accept&next=/")

    assert page.status == 200
    assert b"shop</p>" in page.body
    assert b" src=//ads.example" not in page.body
    assert choices.status == 200
    assert choice.status in (303, 400, 403)


@pytest.mark.parametrize("client", [("127.0.0.1", 4711), None], ids=["port", "unix socket"])
def test_the_app_behind_a_proxy_sees_the_network_of_the_visitor(
    tmp_path: Path, client: tuple[str, int] | None
) -> None:
    seen: list[object] = []

    tell = page(headers=(), act=lambda scope: seen.append(scope["client"]))

    guarded = CookieGuard(tell, Config(state_dir=str(tmp_path / "state"), trusted_proxies=("127.0.0.1",)))
    ask(guarded, client=client, headers=[("x-forwarded-for", "203.0.113.9")])
    guarded.close()

    assert seen == [("203.0.113.0", 0)]
