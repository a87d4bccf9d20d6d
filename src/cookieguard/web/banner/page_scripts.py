"""The scripts that pass the visitor's choice to a page's own scripts and tags (static/src/api.js, signals.js).

While Google's tag is held, another script calls its callbacks in its place (static/src/callbacks.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from markupsafe import escape

from cookieguard.consent import INLINE, Allowance, Way, allowance
from cookieguard.web.banner.form_value import form_value
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.routes import route_in

# Google's tag calls `event_callback` and `eventCallback`, in which shops lead on to the checkout.
ANSWERS = "https://www.googletagmanager.com/"
SEEN = "seen"  # the endpoint to which pages out of a cache report a view, and the purpose of their form value
WORDS = "CG-SEEN"  # the marker in the script, which is rendered once; each page's words replace it


def choice_scripts(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the scripts for the start of a document; empty if consent.enabled is off.

    They name only granted purposes, not a party of "load once", to which the visitor did not consent.
    """
    parts = exchange.parts
    if not parts.config.consent.enabled:
        return b""
    consent, base, script = exchange.consent, exchange.own_base, head_allowance(exchange, policies)
    choice, signals = " ".join((consent.state, *sorted(consent.granted))), parts.config.consent.signals
    script_of = parts.renderer.script_with_words
    tags = (
        script_of("signals.js", f"{','.join(signals)} {choice}", base=base, script=script) if signals else b""
    )
    answers = b""
    if parts.config.html.guard and not exchange.wall.is_open and exchange.wall.holds(ANSWERS):
        # After signals.js, which has to define the queue of Google's tag first.
        answers = script_of("callbacks.js", "", base=base, script=script)
    return tags + answers + script_of("api.js", f"{base} {choice}", base=base, script=script)


def policy_in_page(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the policy as a `<meta>`, and a script that removes it, so that scripts of the page do not find it."""
    base, script = exchange.own_base, head_allowance(exchange, policies)
    return exchange.wall.meta + exchange.parts.renderer.script_with_words(
        "meta.js", "", base=base, script=script
    )


def head_allowance(exchange: Exchange, policies: Sequence[bytes]) -> Allowance:
    """Return how a script may enter at the start of the head, where no `<meta>` policy of the page is in force yet."""
    if not policies:
        return INLINE
    texts = [policy.decode("latin-1") for policy in policies]
    return allowance(texts, "script", origin=exchange.request.origin.text, path=exchange.own_base)


def seen_mark(exchange: Exchange, *, base: str, script: Allowance) -> bytes:
    """Return the script by which a page out of a cache reports a view, with a picture for browsers without scripts.

    Each carries a value that is bound to address and route, so that only pages which were rendered can be reported.
    """
    counting, renderer, consent = exchange.parts.counting, exchange.parts.renderer, exchange.consent
    route = "" if counting is None else route_in(exchange.given_scope, exchange.scope.get("root_path", ""))
    if counting is not None and route in counting.named_pages:
        route = ""
    address = exchange.request.return_path
    value = form_value(exchange, SEEN, address, route)
    state = f"{base}state?{consent.stamp}" if consent.is_beyond_necessary else ""
    words = f"{base}{SEEN} {value} {address} {quote(route, safe='/')} {state}"
    element = (
        b""
        if script.way is Way.NONE
        else renderer.script_with_words("seen.js", WORDS, base=base, script=script)
    )
    element = element.replace(WORDS.encode(), str(escape(words)).encode("ascii", "xmlcharrefreplace"), 1)
    if counting is None:
        return element if state else b""
    picture = f"{base}{SEEN}?{urlencode({'v': value, 'p': address, 't': route})}"
    return element + f'<noscript><img src="{escape(picture)}" alt="" hidden></noscript>'.encode()
