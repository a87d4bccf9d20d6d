"""Which language a page of our own speaks: what its link asks for, else the browser's, else the shop's."""

from __future__ import annotations

from cookieguard.web.exchange import Exchange
from cookieguard.web.http.query import first_values

MOST_FIELDS = 10  # of a query, beside `lang` what the page itself reads
LONGEST_TAG = 20


def language_asked(exchange: Exchange) -> str:
    """Return the language of a page: `lang` of the query, else the browser's, of those that we have."""
    accepted = exchange.request.text(b"accept-language")
    return exchange.parts.renderer.pick_language(tag_asked(exchange), accepted)


def tag_asked(exchange: Exchange) -> str:
    """Return `lang` of the query as it came, empty where there is none: the shop's own texts may speak it."""
    return first_values(exchange.request.query, MOST_FIELDS).get("lang", "")[:LONGEST_TAG]
