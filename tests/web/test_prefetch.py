"""If a browser prefetches a redirect, it reaches no held host before the visitor clicks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.asgi import ask, page

from cookieguard import CookieGuard

from .test_response import choose

Guard = Callable[..., CookieGuard]
OUT = "https://ads.example/out"
AHEAD = ("sec-purpose", "prefetch;prerender")


def leading(target: str) -> list[tuple[str, str]]:
    return [("location", target), ("content-type", "text/html")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", [OUT, "//ads.example/", "/\\ads.example", "https:ads.example"])
def test_a_redirect_to_a_held_host_waits_for_the_click(guard: Guard, status: int, target: str) -> None:
    cached = ("cache-control", "max-age=600")
    app = guard(page(b"go", status=status, headers=[*leading(target), cached]))

    ahead, clicked = ask(app, headers=[AHEAD]), ask(app)

    assert (ahead.status, clicked.status) == (503, status)
    assert not ahead.get("location")
    assert "no-store" in ahead.get("cache-control")
    assert "max-age" not in ahead.get("cache-control")
    assert clicked.get("location") == target


@pytest.mark.parametrize("kind", [[], [("content-type", "text/html")]])
def test_no_cache_in_front_answers_ahead_of_the_click_with_a_redirect_to_a_held_host(
    guard: Guard, kind: list[tuple[str, str]]
) -> None:
    cached = ("cache-control", "public, max-age=600")
    app = guard(page(b"go", status=302, headers=[*kind, ("location", OUT), cached]))
    own = guard(page(b"go", status=302, headers=[*kind, ("location", "/next"), cached]))

    assert ask(app).get("cache-control") == "max-age=600, private"
    assert ask(app, headers=[choose(app, "accept")]).get("cache-control") == "max-age=600, private"
    assert ask(own).get("cache-control") == "public, max-age=600"  # the control


def test_a_redirect_to_whom_nobody_holds_is_followed_ahead(guard: Guard) -> None:
    own = guard(page(b"", status=302, headers=leading("/next")))
    out = guard(page(b"", status=302, headers=leading(OUT)))

    assert ask(own, headers=[AHEAD]).status == 302
    assert ask(out, headers=[AHEAD, choose(out, "accept")]).status == 302
    assert ask(out, headers=[AHEAD, choose(out, "reject")]).status == 503


def test_prefetch_by_a_script_is_redirected_as_usual(guard: Guard) -> None:
    """Turbo does, and shows at the click what it got: the policy stops it from following."""
    app = guard(page(b"", status=303, headers=leading(OUT)))

    assert ask(app, headers=[("x-sec-purpose", "prefetch")]).status == 303


def test_a_redirect_without_a_target_and_a_page_with_one_stay_as_they_are(guard: Guard) -> None:
    lost = guard(page(b"", status=304, headers=leading(OUT)))
    made = guard(page(b"made", status=201, headers=leading(OUT)))

    assert ask(lost, headers=[AHEAD]).status == 304
    assert ask(made, headers=[AHEAD]).get("location") == OUT
