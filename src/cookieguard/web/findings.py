"""Tell the owner once of each third party that was held and that nobody declared."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from cookieguard.consent import Verdict, declaration, first_party_line, look_alike
from cookieguard.consent.sites import Site

logger = logging.getLogger("cookieguard")

# Hosts told of in one process; a page may name any number of them.
HOSTS_TOLD = 1000
REPORTED_HOSTS_TOLD = (
    200  # of these from browsers' reports, which anybody can post: the pages' own keep their room
)
LONGEST_PAGE = 200  # characters of a path that are shown


class Findings:
    """Remember which undeclared hosts were told of. Owned by the middleware."""

    def __init__(self) -> None:
        self._told: set[str] = set()
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

    def _is_news(self, verdict: Verdict) -> bool:
        return verdict.is_undeclared and verdict.host not in self._told and len(self._told) < HOSTS_TOLD

    def _tell(self, verdict: Verdict, *, site: Site, page: str, source: str = "") -> None:
        self._told.add(verdict.host)
        if look_alike(verdict.host, site):
            advice, lines = "it looks like the shop's own; if it is:", first_party_line(verdict)
        else:
            advice, lines = "to declare it:", declaration(verdict)
        # A path is the client's own text: escaped, so that it ends no line and moves no cursor.
        shown = ascii(page[:LONGEST_PAGE])[1:-1]
        logger.warning(
            "held %s on %s: nobody declared it%s; %s\n%s", verdict.host, shown, source, advice, lines
        )
