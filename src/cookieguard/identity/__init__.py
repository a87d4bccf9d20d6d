"""Signed and sealed session and cart cookies, each bound to one customer number.

Rule: pure logic. This package does no I/O, reads no clock (`now` is an argument) and imports no other part.
"""

from __future__ import annotations

from cookieguard.identity.carts.cart import Cart
from cookieguard.identity.cookies import (
    MAX_COOKIE_BYTES,
    CookieJar,
    bound_host,
    cookie_name,
    expire_cookie,
    is_inside,
    parse_cookies,
    set_cookie,
)
from cookieguard.identity.encoding.canonical_json import NotJsonError
from cookieguard.identity.session import Session
from cookieguard.identity.tokens import Reason, Token, TokenCodec, TokenError, TokenKind
from cookieguard.identity.visit import Identity, Visit

__all__ = [
    "MAX_COOKIE_BYTES",
    "Cart",
    "CookieJar",
    "Identity",
    "NotJsonError",
    "Reason",
    "Session",
    "Token",
    "TokenCodec",
    "TokenError",
    "TokenKind",
    "Visit",
    "bound_host",
    "cookie_name",
    "expire_cookie",
    "is_inside",
    "parse_cookies",
    "set_cookie",
]
