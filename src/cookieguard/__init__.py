"""cookieguard: ASGI middleware that keeps a shop's privacy promise by construction.

One line guards a shop: `app = CookieGuard(app)`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from cookieguard.compiled import WINDOWS, find_compiled

if sys.platform == "win32":
    raise ImportError(WINDOWS)

if (_finder := find_compiled(__path__[0])) is not None:
    sys.meta_path.insert(0, _finder)

# These imports come after the choice between the compiled build and the sources.
if TYPE_CHECKING:
    from cookieguard.config import Config, CookieSpec, PolicyVersion, Purpose, Vendor
    from cookieguard.consent import Consent, Receipt
    from cookieguard.errors import ConfigError, CookieGuardError
    from cookieguard.features.outbox.lists import open_lists as mail_lists
    from cookieguard.features.outbox.order_mail import open_order_mail as order_mail
    from cookieguard.features.records.values.decisions import Decision
    from cookieguard.features.work import work_once
    from cookieguard.identity import Cart, Session
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
    "order_mail",
    "visitor_of",
    "work_once",
]

# The module of each name, which is imported at the first use of the name. A process that needs only an engine does not
# import the web modules, so it starts in a third of the time.
_PLACES = {
    **dict.fromkeys(("Config", "CookieSpec", "PolicyVersion", "Purpose", "Vendor"), "config"),
    **dict.fromkeys(("Consent", "Receipt"), "consent"),
    **dict.fromkeys(("ConfigError", "CookieGuardError"), "errors"),
    **dict.fromkeys(("Cart", "Session"), "identity"),
    **dict.fromkeys(("Visitor", "visitor_of"), "web.visitor"),
    "CookieGuard": "web.middleware",
    "Decision": "features.records.values.decisions",
    "mail_lists": "features.outbox.lists",
    "order_mail": "features.outbox.order_mail",
    "work_once": "features.work",
}
_NAMES_THERE = {"mail_lists": "open_lists", "order_mail": "open_order_mail"}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_PLACES[name]}")
    except AttributeError as error:  # would look as if the name did not exist
        raise ImportError(f"{__name__}.{name}: {error}") from error
    found: object = getattr(module, _NAMES_THERE.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
