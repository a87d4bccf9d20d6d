"""The element that loads the panel of dev mode."""

from __future__ import annotations

from markupsafe import Markup

from cookieguard.consent import Allowance, Way
from cookieguard.web.exchange import Exchange

DEV_SCRIPT = "dev.js"


def panel_tag(exchange: Exchange, *, base: str, script: Allowance) -> bytes:
    """Return the element that loads the panel; empty outside dev mode."""
    if not is_developers(exchange) or script.way is Way.NONE:
        return b""
    nonce = Markup(' nonce="{}"').format(script.nonce) if script.nonce else Markup()
    tag = Markup('<script src="{}{}" defer=""{}></script>').format(base, DEV_SCRIPT, nonce)
    return str(tag).encode("ascii")


def is_developers(exchange: Exchange) -> bool:
    """Return whether dev mode is on and the page is on a developer's host."""
    return exchange.parts.config.dev and exchange.request.origin.is_developers
