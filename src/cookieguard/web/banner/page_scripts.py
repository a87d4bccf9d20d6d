"""What a page's own scripts and its tags are told of the visitor's choice (static/src/api.js, signals.js).

Where Google's tag is held its callbacks are answered in its place (static/src/callbacks.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from markupsafe import escape

from cookieguard.consent import INLINE, Allowance, Way, allowance
from cookieguard.web.banner.form_value import form_value
from cookieguard.web.exchange import Exchange
from cookieguard.web.http.routes import route_in

# Who calls `event_callback` and `eventCallback`: shops lead on to the checkout in them.
ANSWERS = "https://www.googletagmanager.com/"
SEEN = "seen"  # the page that takes it when a page of a cache is seen, and what its value is for
WORDS = "CG-SEEN"  # where they stand in the script, which is rendered once


def choice_scripts(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the scripts for the start of a document; nothing where nobody is asked.

    Purposes alone: a party that is let in for this document is nothing the visitor agreed to.
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
        # After the signals: those set a queue first
        answers = script_of("callbacks.js", "", base=base, script=script)
    return tags + answers + script_of("api.js", f"{base} {choice}", base=base, script=script)


def policy_in_page(exchange: Exchange, policies: Sequence[bytes]) -> bytes:
    """Return the policy as markup, and the script that takes it out again: scripts of the page find no meta of ours."""
    base, script = exchange.own_base, head_allowance(exchange, policies)
    return exchange.wall.meta + exchange.parts.renderer.script_with_words(
        "meta.js", "", base=base, script=script
    )


def head_allowance(exchange: Exchange, policies: Sequence[bytes]) -> Allowance:
    """Find how a script enters at the start of a head; the page's own `<meta>` policy counts from there on."""
    if not policies:
        return INLINE
    texts = [policy.decode("latin-1") for policy in policies]
    return allowance(texts, "script", origin=exchange.request.origin.text, path=exchange.own_base)


def seen_mark(exchange: Exchange, *, base: str, script: Allowance) -> bytes:
    """Return what a page that caches keep says when it is seen: a script, or a picture where none runs.

    With its value, only a page that was rendered can be reported, under its own route.
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
