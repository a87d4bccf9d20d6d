"""What a shop's own tests need: visitors who have chosen or signed in, and whether a page told a third party of them.

Rule: importing this needs neither pytest nor Playwright. `cookieguard.testing.fixtures` is the pytest plugin.
"""

from __future__ import annotations

from cookieguard.testing.contacts import assert_no_third_party, third_parties, watch
from cookieguard.testing.hooks import check_hooks
from cookieguard.testing.recorder import Contact, Recorder
from cookieguard.testing.settings import config_for_tests
from cookieguard.testing.visitors import PreparedVisitor, SetCookie, prepare_visitor

__all__ = [
    "Contact",
    "PreparedVisitor",
    "Recorder",
    "SetCookie",
    "assert_no_third_party",
    "check_hooks",
    "config_for_tests",
    "prepare_visitor",
    "third_parties",
    "watch",
]
