"""Tell the owner once of each third party that was held and that nobody declared."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from cookieguard.consent import Verdict, declaration, first_party_line, look_alike
from cookieguard.consent.sites import Site
from cookieguard.stats.sources import cleaned_path

logger = logging.getLogger("cookieguard")

# Hosts told of in one process; a page may name any number of them.
HOSTS_TOLD = 1000
REPORTED_HOSTS_TOLD = (
    200  # of these from browsers' reports, which anybody can post: the pages' own keep their room
)
LONGEST_PAGE = 200  # characters of a path that are shown
# Cookies told of; the shop's own responses keep their room, whatever names browsers send.
COOKIES_TOLD = {"set": 200, "sent": 200}
LONGEST_COOKIE = 64  # bytes of a cookie's name that are shown
DECLARABLE = re.compile(rb"[!#$%&'+.^_`|~0-9A-Za-z-]+")


class Findings:
    """Remember which undeclared hosts were told of. Owned by the middleware."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._told_cookies: dict[str, set[bytes]] = {way: set() for way in COOKIES_TOLD}
        self._reported = 0
        self._turn = (0, 0)
        self.counts: Counter[str] = Counter()

    def count(self, event: str) -> None:
        """Count an event by its name, and log it the first time. The name holds nothing a client sent freely."""
        self.counts[event] += 1
        if self.counts[event] == 1:
            logger.warning("%s", event)

    def take_turn(self, now: datetime, *, limit: int) -> bool:
        """Tell whether one more report may be read in this minute."""
        minute = int(now.timestamp()) // 60
        if self._turn[0] != minute:
            self._turn = (minute, 0)
        self._turn = (minute, self._turn[1] + 1)
        return self._turn[1] <= limit

    def note(self, verdicts: Iterable[Verdict], *, site: Site, page: str) -> None:
        """Log each undeclared host that is new: with the page, and the TOML lines that would allow it."""
        for verdict in verdicts:
            if self._is_news(verdict):
                self._tell(verdict, site=site, page=page)

    def note_report(self, verdict: Verdict, *, site: Site, page: str) -> None:
        """Log a host that a browser reported, and that a report can be made up."""
        if self._is_news(verdict) and self._reported < REPORTED_HOSTS_TOLD:
            self._reported += 1
            self._tell(verdict, site=site, page=page, source=" (reported by a browser; anybody can)")

    def note_cookie(self, name: bytes, *, way: str, page: str) -> None:
        """Log a cookie that nobody declared, once: one the shop `set`, or one that a browser `sent`."""
        told, known = self._told_cookies[way], name[:LONGEST_COOKIE]
        if len(told) >= COOKIES_TOLD[way] or any(known in one for one in self._told_cookies.values()):
            return
        told.add(known)
        source = "by the shop" if way == "set" else "by a browser (anybody can)"
        # Name and path are free text: escaped, so that they end no line and move no cursor.
        shown, where = (ascii(text)[1:-1] for text in (name[:LONGEST_COOKIE].decode("latin-1"), _shown(page)))
        line = "cookie %s, %s %s on %s: nobody declared it%s"
        logger.warning(line, shown, way, source, where, _own_cookie(name))

    def _is_news(self, verdict: Verdict) -> bool:
        return verdict.is_undeclared and verdict.host not in self._told and len(self._told) < HOSTS_TOLD

    def _tell(self, verdict: Verdict, *, site: Site, page: str, source: str = "") -> None:
        self._told.add(verdict.host)
        if look_alike(verdict.host, site):
            advice, lines = "it looks like the shop's own; if it is:", first_party_line(verdict)
        else:
            advice, lines = "to declare it:", declaration(verdict)
        # A path is the client's own text: escaped, so that it ends no line and moves no cursor.
        shown = ascii(_shown(page))[1:-1]
        logger.warning(
            "held %s on %s: nobody declared it%s; %s\n%s", verdict.host, shown, source, advice, lines
        )


def _shown(page: str) -> str:
    """Return a path as statistics have it: whom its mail address or number names is nobody's business here either."""
    cleaned = cleaned_path(page, folds_ids=True)
    return (cleaned if "{id}" in cleaned else page)[:LONGEST_PAGE]


def _own_cookie(name: bytes) -> str:
    """Write the TOML lines that would declare a cookie; nothing for a name that no line can hold."""
    if not DECLARABLE.fullmatch(name) or len(name) > LONGEST_COOKIE:
        return ""
    advice = "; to declare it, as necessary or for what it is:"
    return f'{advice}\n[[cookies.own]]\nname = {json.dumps(name.decode())}\npurpose = "necessary"'
