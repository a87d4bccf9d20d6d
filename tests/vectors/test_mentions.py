"""A page that mentions a third party without contacting it passes byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import Config, CookieGuard, Vendor

from .mentions import MENTIONS


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CookieGuard]:
    """Serve one page that holds every mention, between marks."""
    body = "".join(f"\n[{name}]{snippet}[/{name}]\n" for name, snippet in MENTIONS.items())
    document = f"<!doctype html><html><head><title>Shop</title></head><body>{body}</body></html>"
    vendors = (Vendor(name="Ads", purpose="marketing", hosts=("*.ads.example",)),)
    config = Config(state_dir=str(tmp_path_factory.mktemp("state")), vendors=vendors)
    guard = CookieGuard(page(document.encode(), headers=HTML), config)
    yield guard
    guard.close()


@pytest.fixture(scope="module")
def sent(shop: CookieGuard) -> str:
    """Give the page as an undecided visitor gets it."""
    return ask(shop).text


@pytest.mark.parametrize("name", MENTIONS)
def test_a_mention_is_not_altered(sent: str, name: str) -> None:
    start, end = f"[{name}]", f"[/{name}]"

    assert sent[sent.index(start) + len(start) : sent.index(end)] == MENTIONS[name]


@pytest.mark.parametrize("name", MENTIONS)
def test_a_mention_is_not_altered_where_it_stands_alone(tmp_path: Path, name: str) -> None:
    guard = CookieGuard(page(MENTIONS[name].encode(), headers=HTML), Config(state_dir=str(tmp_path)))

    assert MENTIONS[name] in ask(guard).text
    guard.close()


def test_the_same_page_would_be_altered_if_it_loaded(tmp_path: Path) -> None:
    loads = '<p>text</p><img src="https://ads.example/a.gif">'
    guard = CookieGuard(page(loads.encode(), headers=HTML), Config(state_dir=str(tmp_path)))

    assert loads not in ask(guard).text
    guard.close()
