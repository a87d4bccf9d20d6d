"""Choose the language of one of our own pages: from its address, else from the browser, else the shop's default."""

from __future__ import annotations

from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values

MOST_FIELDS = 10  # of a query: `lang`, and the fields of the page itself
LONGEST_TAG = 20


def language_asked(exchange: Exchange) -> str:
    """Return the language of a page: `lang` in the query or the browser's, if we have it, else the shop's default."""
    accepted = exchange.request.text(b"accept-language")
    return exchange.parts.renderer.pick_language(tag_asked(exchange), accepted)


def tag_asked(exchange: Exchange) -> str:
    """Return `lang` in the query as sent, or ""; the shop's policy may exist in a language that we do not have."""
    return first_values(exchange.request.query, MOST_FIELDS).get("lang", "")[:LONGEST_TAG]
