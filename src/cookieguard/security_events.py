"""All security events that are logged, as one table. To add one, add a row, and call `report_event` where it happens.

The text says what happened and where, and never contains a value that a client sent.
"""

from __future__ import annotations

from enum import StrEnum


class SecurityEvent(StrEnum):
    """The texts of the events; cookieguard fills the braces with words of its own."""

    COOKIE_REFUSED = "{name} cookie refused ({reason}): it counts as empty"
    COOKIES_OVER_LIMIT = "cookie header over the limit: all of cookieguard's cookies count as empty"
    CONSENT_REFUSED = "consent cookie refused ({reason}): the visitor counts as undecided"
    CONSENT_DOUBLED = "consent cookie refused (sent twice): the visitor counts as undecided"
    SHOP_COOKIE_REFUSED = "{name} cookie refused ({reason}): hidden from the app"
    CUSTOMER_UNVOUCHED = "signed cookies hidden from the app: the store cannot confirm the customer's session"
    CUSTOMER_FROM_FAILED = "customer_from failed ({error}): the visitor counts as a guest"
    CUSTOMER_HEADER_REFUSED = "the response header {name} {reason}: ignored"
    FOREIGN_WEBSOCKET = "a page of another origin opened a WebSocket: session and cart count as empty"
    REMEMBER_COPIED = "remember cookie used elsewhere: it was copied, so all sessions of its login are ended"
    REMEMBER_ENDED = "remember cookie refused (ended): it counts as empty"
    CARTS_NOT_MERGED = "merging carts raised {error}: this browser keeps its cart"
    MERGED_CART_REFUSED = "merged cart too large, or with keys that are not text: this browser keeps its cart"
