"""Browsers without a browser: httpx over the app itself, one cookie jar each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest


class Browser:
    """Visit one app as one visitor; redirects are followed unless told otherwise."""

    def __init__(self, app: Any, base_url: str) -> None:
        self.app = app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=base_url)

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


@pytest.fixture
def browser_for() -> Callable[[Any, str], Browser]:
    """Make a browser for an app at an address."""
    return Browser
