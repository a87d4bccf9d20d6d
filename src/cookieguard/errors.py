"""The exceptions that cookieguard raises.

Rule: a message names the setting or object, its value and the allowed values, but never a secret, an address or
a cookie's value.
"""

from __future__ import annotations


class CookieGuardError(Exception):
    """The base class of all exceptions that cookieguard raises on purpose."""


class ConfigError(CookieGuardError):
    """Say that a setting cannot be used: its dotted name, its value, and the values that are allowed."""

    def __init__(self, setting: str, *, was: object, allowed: str) -> None:
        self.setting = setting
        self.was = was
        self.allowed = allowed
        super().__init__(f"{setting} is {was}; allowed: {allowed}")


class CookieTooLarge(CookieGuardError):
    """Say that one of our cookies is too large for browsers (RFC 6265bis: 4,096 bytes for name and value).

    `stored` is the limit for the value in the store, 0 without a store.
    """

    def __init__(self, cookie: str, *, size: int, limit: int, stored: int = 0) -> None:
        self.cookie = cookie
        self.size = size
        self.limit = limit
        self.stored = stored
        in_store = f" in the cookie, {stored} in the store" if stored else ""
        of_what = "" if stored else " of name and value"
        super().__init__(f"cookie {cookie}: {size} bytes{of_what}; allowed: at most {limit}{in_store}")


class KeyRefused(CookieGuardError):
    """Say that a key cannot change its state now, and when or how it can."""


class KeyringFixed(CookieGuardError):
    """Say that the keyring cannot be changed here, and where it can."""


class AnnouncementRefused(CookieGuardError):
    """Say why a version of the policy cannot be announced, and which could be."""


class FileKept(CookieGuardError):
    """Say that a file exists already and was not changed."""


class StaffRefused(CookieGuardError):
    """Say why a member of staff cannot be added or found."""


class RevealRefused(CookieGuardError):
    """Say why personal data cannot be opened, and who may open them or when."""


class OtherSession(CookieGuardError, AttributeError):
    """Say that a framework inside took our session for its own; the middleware then leaves ours out."""


class ScanFailed(CookieGuardError):
    """Say why a shop cannot be scanned."""


class ScanRefused(ScanFailed):
    """Say that a scan may not request an address, and what would allow it."""
