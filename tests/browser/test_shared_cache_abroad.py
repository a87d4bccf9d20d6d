"""Banner, choice, withdrawal and the way back in Firefox and WebKit behind nginx and Varnish."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from harness.browser import Recorder
from harness.servers import LOOPBACK, serving
from servers.shared_caches import (
    CHOICES,
    Cache,
    choose,
    find_varnish,
    nginx_cache,
    tls_before,
    varnish_cache,
)
from vectors.abroad import ENGINES

from cookieguard import Config, CookieGuard
from cookieguard.config.cache import CacheSettings

from .abroad import Seat, seated, until
from .tiny import TinyShop, page

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]
HOST, THERE = "shop.localhost", "there.localhost"
PATHS = ("/", "/next")
ACCEPT, WITHDRAW = "button[value=accept]", "button[value=reject]"
CACHES = {"nginx": nginx_cache, "varnish": varnish_cache}


@dataclass(frozen=True)
class Cached:
    """Hold a shop behind TLS and a cache that has all its pages, and the third party that they name."""

    url: str
    shop: TinyShop
    there: Recorder

    def forget(self) -> None:
        """Begin to count again."""
        self.there.forget()
        self.shop.asked.clear()

    @property
    def counts(self) -> tuple[int, int]:
        """How often the third party was asked since then, and the shop for a page."""
        self.there.wait()
        return len(self.there.requests), sum(path in PATHS for path in self.shop.asked)


@pytest.fixture(params=["nginx", "varnish"])
def cached(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cached]:
    """Serve the shop, the cache, TLS and the third party; another visitor in each state has fetched the pages."""
    if request.param == "varnish" and not find_varnish():
        pytest.skip("Debian's varnish is missing")
    certificate, there = tmp_path / "certificate.pem", Recorder()
    issued = trustme.CA().issue_cert(HOST, THERE)
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(certificate)}
    with ExitStack() as stack:
        party = stack.enter_context(serving(there, **tls))
        body = f'<img src="{party.at(THERE)}/pixel.gif" width="1" height="1" alt="">'
        app = TinyShop({path: page(body=body) for path in PATHS})
        settings = {"trusted_proxies": (LOOPBACK,), "cache": CacheSettings(mode="shared")}
        guard = CookieGuard(app, Config(state_dir=str(tmp_path / "state"), **settings))
        shop = stack.enter_context(serving(guard))
        edge = stack.enter_context(CACHES[request.param](shop.port, tmp_path / "edge", edit=_behind_tls))
        port = stack.enter_context(tls_before(edge.port, certificate, tmp_path / "tls"))
        _warm(edge, f"{HOST}:{port}")
        yield Cached(f"https://{HOST}:{port}", app, there)


def _behind_tls(text: str) -> str:
    return text.replace("Host $host;", "Host $http_host;").replace(
        "X-Forwarded-Proto $scheme;", "X-Forwarded-Proto $http_x_forwarded_proto;"
    )


def _warm(edge: Cache, host: str) -> None:
    asked = {**edge.headers, "X-Forwarded-Proto": "https", "Accept-Encoding": "gzip, deflate, br, zstd"}
    other = replace(edge, host=host, headers=asked)
    for cookies in ({}, choose(other, CHOICES["a"]), choose(other, CHOICES["n"])):
        for path in PATHS:
            assert other.ask(path, cookies=cookies).status == 200


@pytest.mark.parametrize("engine", [*ENGINES])
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_choice_and_its_withdrawal_take_effect_at_once_on_cached_pages(
    cached: Cached, engine: str, script: bool, tmp_path: Path
) -> None:
    lacks = ENGINES[engine].program() is None
    assert not lacks, f"{engine} is missing: apt-get install {ENGINES[engine].package}"

    folder = tmp_path / "browser"
    folder.mkdir()

    async def visit() -> None:
        async with seated(engine, folder, script=script) as seat:
            await _visit(seat, cached, script=script)

    with ThreadPoolExecutor(1) as thread:  # Playwright has an event loop in this one
        thread.submit(asyncio.run, visit()).result()


async def _visit(seat: Seat, cached: Cached, *, script: bool) -> None:
    cached.forget()
    await seat.open(f"{cached.url}/")
    await until(seat, ACCEPT)
    assert cached.counts == (0, 0), "the banner came from the cache, and held the tag"

    cached.forget()
    await seat.press(ACCEPT)
    await until(seat, ACCEPT, 0)
    await until(seat, WITHDRAW)
    assert cached.counts[0] > 0, "the choice took effect"

    cached.forget()
    await seat.open(f"{cached.url}/next")
    await until(seat, WITHDRAW)
    assert cached.counts == (1, 0), "so it did on the next page, out of the cache"

    cached.forget()
    await seat.press(WITHDRAW)
    await until(seat, WITHDRAW, 0)
    await seat.open(f"{cached.url}/")
    await until(seat, "a")
    assert cached.counts[0] == 0, "the withdrawal took effect"

    for _ in range(2):
        cached.forget()
        await seat.back()
        await asyncio.sleep(1)
        await until(seat, "a")
        assert cached.counts[0] == 0, "no page of before comes back to life"
        # Without script WebKit shows a page out of its history as it was, as it does without a cache
        assert not script or await seat.count(WITHDRAW) == await seat.count(ACCEPT) == 0
