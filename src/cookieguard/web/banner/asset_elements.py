"""The elements that load our style sheets and scripts in a page, in the way that the page's own policy allows."""

from __future__ import annotations

from markupsafe import Markup

from cookieguard.consent import INLINE, Allowance, Way
from cookieguard.web.assets import Asset, load_asset
from cookieguard.web.banner.slots import SCRIPT_NONCE, STYLE_NONCE

WAITS = ' defer=""'


def style_element(asset: Asset, allowed: Allowance, base: str) -> Markup:
    """Return the element of a style sheet; empty if the page's policy blocks it."""
    nonce = _nonce(allowed, STYLE_NONCE.decode())
    if allowed.way is Way.FILE:
        return Markup('<link rel="stylesheet" href="{}{}"{}/>').format(base, asset.name, nonce)
    if allowed.way is Way.NONE:
        return Markup()
    return Markup("<style{}>{}</style>").format(nonce, asset.text)


def script_element(asset: Asset, allowed: Allowance, base: str) -> Markup:
    """Return the element of a script; empty if the page's policy blocks it."""
    nonce = _nonce(allowed, SCRIPT_NONCE.decode())
    if allowed.way is Way.FILE:
        return Markup('<script src="{}{}" defer=""{}></script>').format(base, asset.name, nonce)
    if allowed.way is Way.LATER:
        loader = load_asset("later.js").text
        return Markup('<script data-file="{}{}">{}</script>').format(base, asset.name, loader)
    if allowed.way is Way.NONE:
        return Markup()
    return Markup("<script{}>{}</script>").format(nonce, asset.text)


def form_of(allowed: Allowance) -> str:
    """Return a cache key for an allowance, the same for every nonce."""
    return "" if allowed is INLINE else allowed.way + "+" if allowed.nonce else allowed.way


def _nonce(allowed: Allowance, marker: str) -> Markup:
    return Markup(' nonce="{}"').format(marker) if allowed.nonce else Markup()
