"""cookieguard: ASGI middleware that keeps a shop's privacy promise by construction.

One line guards a shop: `app = CookieGuard(app)`.
"""

from __future__ import annotations

import sys

from cookieguard.compiled import find_compiled

if (_finder := find_compiled(__path__[0])) is not None:
    sys.meta_path.insert(0, _finder)

# Only now it is known which build is imported.
from cookieguard.config import Config, CookieSpec, PolicyVersion, Purpose, Vendor
from cookieguard.consent import Consent, Receipt
from cookieguard.engines.mail.lists import open_lists as mail_lists
from cookieguard.engines.rights.worker import work_once
from cookieguard.errors import ConfigError, CookieGuardError
from cookieguard.identity import Cart, Session
from cookieguard.proof.decisions import Decision
from cookieguard.web.middleware import CookieGuard
from cookieguard.web.visitor import Visitor, visitor_of

__all__ = [
    "Cart",
    "Config",
    "ConfigError",
    "Consent",
    "CookieGuard",
    "CookieGuardError",
    "CookieSpec",
    "Decision",
    "PolicyVersion",
    "Purpose",
    "Receipt",
    "Session",
    "Vendor",
    "Visitor",
    "mail_lists",
    "visitor_of",
    "work_once",
]
