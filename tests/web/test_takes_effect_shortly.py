"""If the log's store is down, on real servers, a withdrawal takes effect at once, and a grant shortly."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.asgi import page
from harness.locks import locked
from harness.servers import Server, serving, wait_until

from cookieguard import Config, CookieGuard, Vendor
from cookieguard.config.languages import LANGUAGES, texts_of
from cookieguard.features.records.store.open import open_stores, place_of

HTML = page(
    b"<!doctype html><html lang=de><title>x</title><body><script src=https://ads.example/a.js></script>"
)
COOKIE = "__Host-cg_consent"
SAID = texts_of("de")["control"]["pending"]
WAITS = httpx.Timeout(60)


def guarded(state: Path) -> CookieGuard:
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("ads.example",)),)
    return CookieGuard(HTML, Config(state_dir=str(state), vendors=vendors))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Run two servers of one shop, as two workers are."""
    with serving(guarded(tmp_path)) as first, serving(guarded(tmp_path)) as second:
        yield first, second


def choose(server: Server, choice: str, cookie: str = "", **headers: str) -> httpx.Response:
    sent = {"sec-fetch-site": "same-origin", **with_cookie(cookie), **headers}
    return httpx.post(f"{server.url}/_cg/consent", json={"choice": choice}, headers=sent, timeout=WAITS)


def look(server: Server, path: str, cookie: str) -> httpx.Response:
    return httpx.get(server.url + path, headers=with_cookie(cookie), timeout=WAITS)


def read(server: Server, path: str, cookie: str) -> str:
    return unescape(look(server, path, cookie).text)


def holds(response: httpx.Response) -> bool:
    """Return whether the page may load nothing of the vendor's."""
    return "default-src 'self'" in response.headers["content-security-policy"]


def with_cookie(cookie: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={cookie}"} if cookie else {}


def cookie_of(response: httpx.Response) -> str:
    lines = response.headers.get_list("set-cookie")
    values = [one.partition("=")[2].partition(";")[0] for one in lines if one.startswith(COOKIE)]
    return values[-1] if values else ""  # after those that remove it from elsewhere


def kinds(state: Path) -> list[str]:
    stores = open_stores(place_of(Config(state_dir=str(state)), state, environ={}), make=False)
    rows = [*stores.log.rows(), *stores.log.unnumbered()]
    stores.close()
    return sorted(row.about[8:].decode() for row in rows)


def test_a_grant_is_saved_and_takes_effect_once_any_worker_has_written_it_once(
    servers: tuple[Server, Server], tmp_path: Path
) -> None:
    first, second = servers
    choose(first, "reject")
    with locked(tmp_path / "log.db"):
        granted = cookie_of(choose(first, "accept"))
        shown = [read(one, path, granted) for one in servers for path in ("/", "/_cg/choices?lang=de")]
        held = look(second, "/", granted)
    assert all(SAID in one for one in shown)
    assert holds(held)

    found: list[httpx.Response] = []

    def is_written() -> bool:
        found.append(look(second, "/", granted))
        return bool(cookie_of(found[-1]))

    wait_until(is_written, "the worker that only saw the cookie has it written")
    after = cookie_of(found[-1])
    for path in ("/", "/_cg/choices?lang=de"):
        assert SAID not in read(first, path, after)
    assert not holds(look(first, "/", after))
    look(first, "/", granted)  # the old cookie once more, at the worker that has it in its memory too
    wait_until(lambda: "consent:grant" in kinds(tmp_path), "it is in the log")
    assert kinds(tmp_path) == ["consent:grant", "consent:refusal"]


def test_a_refusal_counts_at_once_and_nothing_is_said_to_follow(
    servers: tuple[Server, Server], tmp_path: Path
) -> None:
    first, second = servers
    granted = cookie_of(choose(first, "accept"))
    assert not holds(look(second, "/", granted))
    with locked(tmp_path / "log.db"):
        refused = cookie_of(choose(first, "reject", granted))
        answers = [look(one, "/", refused) for one in servers]

    assert all(holds(one) and SAID not in unescape(one.text) for one in answers)


def test_a_script_is_told_what_to_say(servers: tuple[Server, Server], tmp_path: Path) -> None:
    first, _ = servers
    choose(first, "reject")
    french = {"accept": "application/json", "accept-language": "fr"}
    with locked(tmp_path / "log.db"):
        granted, refused = (choose(first, choice, **french).json() for choice in ("accept", "reject"))

    assert granted["message"] == texts_of("fr")["control"]["pending"]
    assert refused["pending"] is True
    assert "message" not in refused


def test_every_language_says_so_in_words_of_its_own() -> None:
    controls: list[Any] = [texts_of(lang)["control"] for lang in LANGUAGES]

    assert len({one["pending"] for one in controls}) == len(LANGUAGES)
    assert all(one["pending"][:6] == one["saved"][:6] for one in controls)
