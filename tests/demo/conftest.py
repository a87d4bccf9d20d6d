"""HTTP clients over the demo app itself, each with a cookie jar of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_site.shop import passwords
from demo_site.shop.database import Database

passwords.COST["n"] = 2**8  # a sixty-fourth: the result of a login does not depend on how long a hash takes


class Browser:
    """Visit one app as one visitor; redirects are followed by default."""

    def __init__(self, app: Any, base_url: str) -> None:
        self.app = app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=base_url)

    @property
    def cookie_names(self) -> set[str]:
        """Name the cookies kept."""
        return set(self._client.cookies)

    def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, follow: bool = True
    ) -> httpx.Response:
        """Open a page."""
        return self.send("GET", path, headers=headers, follow=follow)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> httpx.Response:
        """Send a form, or bytes as they are."""
        return self.send("POST", path, form=form, content=content, headers=headers, follow=follow)

    def send(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> httpx.Response:
        """Send any request."""
        request = self._client.request(
            method, path, data=form, content=content, headers=headers, follow_redirects=follow
        )
        return asyncio.run(request)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed a database once: hashing passwords is slow on purpose."""
    path = tmp_path_factory.mktemp("seeded") / "shop.sqlite3"
    Database(path)
    return path


@pytest.fixture
def database(seeded: Path, tmp_path: Path) -> Path:
    """Give a test a seeded database of its own."""
    return Path(shutil.copy(seeded, tmp_path))


@pytest.fixture
def browser_for() -> Callable[[Any, str], Browser]:
    """Make a browser for an app at an address."""
    return Browser
