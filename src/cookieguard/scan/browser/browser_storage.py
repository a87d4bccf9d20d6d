"""What a browser kept during a scan: cookies and storage, by name, with who wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cookieguard.html import resolve
from cookieguard.scan.observations import StorageEntry
from cookieguard.scan.page_source import BLANK
from cookieguard.scan.plan import Parties

DAY = 86400
MOST_KEPT = 2000


class BrowserStorage:
    """Bring together what scripts were seen to write and what lies in the browser. Owns both."""

    def __init__(self, parties: Parties, now: datetime) -> None:
        self._parties, self._now = parties, now
        self._kept: dict[tuple[str, str, str, str], StorageEntry] = {}

    @property
    def all(self) -> tuple[StorageEntry, ...]:
        """Return it, in the order it was seen."""
        return tuple(self._kept.values())

    def note(self, told: object, page: str, state: str) -> None:
        """Take what a page's script was seen to write; any script of the page can tell us anything."""
        if not isinstance(told, Mapping) or len(self._kept) >= MOST_KEPT:
            return
        self._add(
            StorageEntry(
                name=str(told.get("name", ""))[:200],
                kind=str(told.get("kind", ""))[:20],
                site=str(told.get("site", ""))[:253].partition(":")[0],
                by=self._foreign(str(told.get("by", ""))),
                page=page,
                state=state,
            )
        )

    def take_cookies(self, cookies: Sequence[Mapping[str, Any]], state: str) -> None:
        """Take the cookies that lie in the browser at the end: their sites, and how long they stay."""
        for cookie in cookies:
            name, site = str(cookie.get("name", "")), str(cookie.get("domain", "")).lstrip(".")
            written = [
                key
                for key, one in self._kept.items()
                if (one.name, one.kind, one.state) == (name, "cookie", state) and one.site.endswith(site)
            ]
            expires = float(cookie.get("expires", -1))
            days = None if expires < 0 else max(0, round((expires - self._now.timestamp()) / DAY))
            own = self._parties.site.host
            is_own = own == site or own.endswith(f".{site}")  # a cookie knows no port
            foreign = "" if is_own else self._foreign(f"https://{site}/")
            for key in written:
                self._kept[key] = replace(self._kept[key], site=site, days=days)
            if not written:
                self._add(
                    StorageEntry(
                        name=name, kind="cookie", site=site, by=foreign, days=days, page="/", state=state
                    )
                )

    def _add(self, kept: StorageEntry) -> None:
        self._kept.setdefault((kept.kind, kept.name, kept.site, kept.state), kept)

    def _foreign(self, address: str) -> str:
        url = resolve(address, BLANK)
        return url.host if url is not None and self._parties.is_foreign(url) else ""
