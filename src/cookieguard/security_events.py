"""Every security event that goes to the log: one table. A new one is a row here, and `report_event` where it happens.

An event says what and where, never a value that a client sent.
"""

from __future__ import annotations

from enum import StrEnum


class SecurityEvent(StrEnum):
    """Hold the text of each event; what stands in braces is a word of ours."""

    COOKIE_REFUSED = "{name} cookie {reason}: starts empty"
    COOKIES_OVER_LIMIT = "cookie header over the limit: every cookie of ours starts empty"
    CONSENT_REFUSED = "consent cookie {reason}: counts as undecided"
    CONSENT_DOUBLED = "consent cookie doubled: counts as undecided"
    SHOP_COOKIE_REFUSED = "{name} cookie {reason}: hidden from the app"
    CUSTOMER_UNVOUCHED = "signed cookies of a customer nobody can vouch for: hidden from the app"
    CUSTOMER_FROM_FAILED = "customer_from failed ({error}): nobody is a customer"
    CUSTOMER_HEADER_REFUSED = "the response header {name} {reason}: ignored"
    FOREIGN_WEBSOCKET = "a WebSocket from a page of another origin: session and cart start empty"
    REMEMBER_COPIED = (
        "remember cookie used elsewhere: a copy of it is about, and all that came of its login ends"
    )
    REMEMBER_ENDED = "remember cookie ended: starts empty"
    CARTS_NOT_MERGED = "merging carts raised {error}: this browser's cart stays"
    MERGED_CART_REFUSED = "merged cart too large or with keys that are no text: this browser's cart stays"
