"""A policy of many vendors behind nginx as it is installed: what its buffers take, and what the owner is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.servers import LOOPBACK, serving

from cookieguard import Config, CookieGuard, Vendor
from servers.clients import Reply
from servers.nginx import nginx_before
from servers.traces import draw

(ANNA,) = draw(1, seed=35)
FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html><body><p>Welcome</p>"})


def page_of(count: int, directory: Path) -> Reply:
    """Return the page of a visitor who agreed to all but statistics, where so many vendors are declared."""
    vendors = [
        Vendor(name=f"V{number}", purpose="marketing", hosts=(f"cdn.vendor{number:04}.example",))
        for number in range(count)
    ]
    vendors.append(Vendor(name="Count", purpose="statistics", hosts=("count.example",)))
    settings = Config(vendors=tuple(vendors), state_dir=str(directory / "state"), trusted_proxies=(LOOPBACK,))
    with serving(CookieGuard(shop, settings)) as server, nginx_before(server.port, directory) as nginx:
        body = "choice=save&purpose=marketing&purpose=preferences&next=/"
        chosen = nginx.ask("/_cg/consent", ANNA, method="POST", headers=FORM, body=body)
        return nginx.ask("/", ANNA, cookies=chosen.cookies)


@pytest.mark.parametrize("count", some_of([10, 45, 100], 45, 100))
def test_who_is_told_of_no_long_policy_gets_pages_through_nginx(
    count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="cookieguard"):
        page = page_of(count, tmp_path)

    is_told = "nginx takes 4 or 8 KB" in caplog.text
    assert is_told == (count == 100)
    assert page.status == 200 or is_told
    if page.status == 200:
        assert f"cdn.vendor{count - 1:04}.example" in page.headers["content-security-policy"]
