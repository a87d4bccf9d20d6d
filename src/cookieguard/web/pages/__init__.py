"""Our own pages under the prefix: the choice endpoint, the page of choices, and the banner's files."""

from __future__ import annotations

from cookieguard.web.pages.router import Pages

__all__ = ["Pages"]
