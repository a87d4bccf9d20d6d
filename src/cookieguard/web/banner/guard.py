"""What the guard is told, the script that stops in the browser what no policy stops (static/src/guard.js)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cookieguard.web.banner.page_scripts import head_allowance
from cookieguard.web.exchange import Exchange

STATES_KEPT = 64  # purposes granted together


def guard_of(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the guard for the start of a document; nothing where nobody is held or the shop wants none."""
    parts = exchange.parts
    if exchange.wall.is_open or not parts.config.html.guard:
        return b""
    held = _names(parts.shop_cookies.register.held_patterns(exchange.consent.in_force))
    script = head_allowance(exchange, policies)
    return parts.renderer.guard_script(exchange.wall.allowed, held, base=exchange.own_base, script=script)


@lru_cache(maxsize=STATES_KEPT)
def _names(patterns: Iterable[str]) -> str:
    """Write declared names of cookies as a JavaScript pattern for a cookie's text or a key, without blanks."""
    names = [re.escape(one.removesuffix("*")) + "[^=;]*" * one.endswith("*") for one in patterns]
    joined = "|".join(names).replace(" ", "x20")
    return rf"^\s*({joined or '(?!)'})\s*(=|;|$)"
