"""A vendor declared by its catalogue name is held, hidden and removed without further settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.asgi import ask, page

from cookieguard import CookieGuard, Vendor

Guard = Callable[..., CookieGuard]
SHOP = b"""<!doctype html><html><head>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-A"></script>
<script src="https://js.stripe.com/v3/"></script></head><body>
<iframe src="https://www.youtube-nocookie.com/embed/x"></iframe></body></html>"""
NAMES = ("google-analytics", "stripe", "youtube")


@pytest.fixture
def known(guard: Guard) -> Callable[..., CookieGuard]:
    return lambda app: guard(app, vendors=tuple(Vendor(catalogue=name) for name in NAMES))


def test_payment_works_at_once_and_all_else_waits(known: Callable[..., CookieGuard]) -> None:
    answer = ask(known(page(SHOP)))

    assert b'<script src="https://js.stripe.com/v3/">' in answer.body
    assert b'data-cg-src="https://www.googletagmanager.com/gtag/js?id=G-A"' in answer.body
    assert b'data-cg-src="https://www.youtube-nocookie.com/embed/x"' in answer.body
    policy = answer.get("content-security-policy")
    assert "*.stripe.com" in policy
    assert "google" not in policy


def test_their_cookies_are_hidden_and_removed_from_who_refuses(known: Callable[..., CookieGuard]) -> None:
    seen: list[dict[str, object]] = []
    cookies = "_ga=GA1.1.2.3; _ga_ABC123=GS1; __stripe_mid=m; basket=7"

    answer = ask(known(page(SHOP, seen=seen)), headers=[("cookie", cookies), ("sec-gpc", "1")])

    shown = dict(seen[0]["headers"])[b"cookie"]  # type: ignore[call-overload]
    assert shown == b"__stripe_mid=m; basket=7"
    removed = {line.partition("=")[0] for line in answer.all("set-cookie") if "Max-Age=0" in line}
    assert {"_ga", "_ga_ABC123"} <= removed
    assert not {"__stripe_mid", "basket"} & removed
