"""Fixtures for guarded shops: a test's own app, a shop of two workers, and a fixed clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cookieguard import Config, CookieGuard, Vendor
from harness.asgi import App
from harness.shopping import World
from harness.two_workers import Shop

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
VENDORS = (
    Vendor(name="Ads", purpose="marketing", hosts=("ads.example",), cookies=("_ad",)),
    Vendor(name="Count", purpose="statistics", hosts=("*.count.example",)),
)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Callable[..., CookieGuard]]:
    """Wrap an app as `guard(app, **settings)`; vendors and the state directory are given."""
    made: list[CookieGuard] = []

    def wrap(app: App, **settings: Any) -> CookieGuard:
        settings.setdefault("vendors", VENDORS)
        settings.setdefault("state_dir", str(tmp_path / "state"))
        clock = settings.pop("clock", lambda: NOW)
        customer_from = settings.pop("customer_from", None)
        made.append(CookieGuard(app, Config(**settings), clock=clock, customer_from=customer_from))
        return made[-1]

    yield wrap
    for app in made:
        app.close()


@pytest.fixture
def world(guard: Callable[..., CookieGuard]) -> World:
    """Give a shop that the test opens."""
    return World(guard)


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Give a function that returns the security events since its last call."""

    def take() -> list[str]:
        found = [
            record.getMessage() for record in caplog.records if "is not declared" not in record.getMessage()
        ]
        caplog.clear()
        return found

    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        yield take


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Make shops of two workers on one state directory, and close them after the test."""
    made: list[Shop] = []

    def make(options: dict[str, Any] | None = None, **settings: Any) -> Shop:
        made.append(Shop(tmp_path / "state", settings=settings, options=options or {}))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """Return a shop with default settings."""
    return make_shop()
