"""What goes wrong in cookieguard, as exceptions.

Rule: a message says which setting or object, what it was and what is allowed; never a secret, an address or
a cookie's value.
"""

from __future__ import annotations


class CookieGuardError(Exception):
    """Be the base of everything cookieguard raises on purpose."""


class ConfigError(CookieGuardError):
    """Say that a setting cannot be used: the dotted setting, what it was, what is allowed."""

    def __init__(self, setting: str, *, was: object, allowed: str) -> None:
        self.setting = setting
        self.was = was
        self.allowed = allowed
        super().__init__(f"{setting} is {was}; allowed: {allowed}")


class CookieTooLarge(CookieGuardError):
    """Say that a cookie of ours would exceed what browsers keep (RFC 6265bis: 4,096 bytes name and value).

    `stored` is what the store takes instead, 0 where there is none.
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
    """Say that a key may not change its state like this, and when or how it may."""


class KeyringFixed(CookieGuardError):
    """Say that the keyring cannot be changed from here, and where it can be."""


class AnnouncementRefused(CookieGuardError):
    """Say why a version of the policy is not announced, and what would be."""


class FileKept(CookieGuardError):
    """Say that a file is there already, and stays as it is."""


class StaffRefused(CookieGuardError):
    """Say that a member of the staff cannot be added or found like this."""


class RevealRefused(CookieGuardError):
    """Say why personal data are not opened, and who may open them or when."""


class OtherSession(CookieGuardError, AttributeError):
    """Say that a framework inside took our session for the place of its own; the middleware then leaves ours out."""


class ScanFailed(CookieGuardError):
    """Say why a shop cannot be scanned."""


class ScanRefused(ScanFailed):
    """Say that a scan may not ask there, and what allows it."""
