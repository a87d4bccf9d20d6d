"""What a page's own scripts and its tags are told of the visitor's choice (static/api.js, static/signals.js)."""

from __future__ import annotations

from collections.abc import Sequence

from cookieguard.consent import INLINE, Allowance, allowance
from cookieguard.web.exchange import Exchange


def told_of_choice(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the scripts for the start of a document; nothing where nobody is asked.

    Purposes alone: a party that is let in for this document is nothing the visitor agreed to.
    """
    parts = exchange.parts
    if not parts.config.consent.enabled:
        return b""
    consent, base, script = exchange.consent, exchange.own_base, head_allowance(exchange, policies)
    choice, signals = " ".join((consent.state, *sorted(consent.granted))), parts.config.consent.signals
    told = parts.renderer.told_script
    tags = told("signals.js", f"{','.join(signals)} {choice}", base=base, script=script) if signals else b""
    return tags + told("api.js", f"{base} {choice}", base=base, script=script)


def head_allowance(exchange: Exchange, policies: Sequence[bytes]) -> Allowance:
    """Find how a script enters at the start of a head; the page's own `<meta>` policy counts from there on."""
    if not policies:
        return INLINE
    texts = [policy.decode("latin-1") for policy in policies]
    return allowance(texts, "script", origin=exchange.request.origin.text, path=exchange.own_base)
